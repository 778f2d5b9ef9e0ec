//! Frames: four bytes of length, most significant first, and one message.

use super::AdapterError;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use protocol::v1::FromRobot;

/// Longest frame that is taken, bytes: a picture of 3840 by 2160 pixels in I420 fits.
pub const MAX_FRAME_BYTES: u32 = 16 << 20;
/// Longest frame that is taken before a hello was accepted, bytes: an embodiment's text fits many times over.
pub const MAX_HELLO_BYTES: u32 = 64 << 10;
/// Bytes of the length.
const HEAD_BYTES: usize = 4;

/// `message`, of less than 4 GiB, as a frame.
#[must_use]
pub fn encode(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(HEAD_BYTES + length);
    frame.put_u32(length as u32);
    frame.put_slice(&message.encode_to_vec());
    frame.freeze()
}

/// Cuts frames out of bytes as they come.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    bytes: BytesMut,
}

impl FrameBuffer {
    /// Takes in what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes of a frame that is not whole yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.bytes.len()
    }

    /// The next whole frame, if there is one; its length is checked as soon as it is known, before the rest is waited
    /// for.
    ///
    /// # Errors
    /// When it is longer than `most`, or not a message.
    pub fn next(&mut self, most: u32) -> Result<Option<FromRobot>, AdapterError> {
        let Some(mut head) = self.bytes.get(..HEAD_BYTES) else { return Ok(None) };
        let length = head.get_u32();
        if length > most {
            return Err(AdapterError::TooLong { length, most });
        }
        let whole = HEAD_BYTES + length as usize;
        if self.bytes.len() < whole {
            // At once for the whole frame, not in doublings.
            self.bytes.reserve(whole - self.bytes.len());
            return Ok(None);
        }
        let frame = self.bytes.split_to(whole).freeze().slice(HEAD_BYTES..);
        let length = frame.len();
        FromRobot::decode(frame)
            .map(Some)
            .map_err(|error| AdapterError::Unreadable { length, problem: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use protocol::v1::{RobotHeartbeat, RobotPicture, from_robot::Frame};

    fn heartbeat(monotonic_us: u64) -> FromRobot {
        FromRobot { frame: Some(Frame::Heartbeat(RobotHeartbeat { monotonic_us })) }
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_arrive() {
        let sent: Vec<FromRobot> = (1..20).map(|n| heartbeat(n * n * n)).collect();
        let bytes: Vec<u8> = sent.iter().flat_map(|frame| encode(frame).to_vec()).collect();
        for step in [1, 2, 3, 7, bytes.len()] {
            let (mut buffer, mut got) = (FrameBuffer::default(), Vec::new());
            for part in bytes.chunks(step) {
                buffer.push(part);
                while let Some(frame) = buffer.next(MAX_HELLO_BYTES).unwrap() {
                    got.push(frame);
                }
            }
            assert_eq!((got, buffer.pending()), (sent.clone(), 0), "in pieces of {step}");
        }
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused_before_the_rest_comes() {
        let mut buffer = FrameBuffer::default();
        buffer.push(&(MAX_FRAME_BYTES + 1).to_be_bytes());
        let error = buffer.next(MAX_FRAME_BYTES).unwrap_err();
        assert_eq!(error, AdapterError::TooLong { length: MAX_FRAME_BYTES + 1, most: MAX_FRAME_BYTES });
        let picture = RobotPicture { data: vec![7; MAX_HELLO_BYTES as usize].into(), ..Default::default() };
        let picture = FromRobot { frame: Some(Frame::Picture(picture)) };
        for (most, taken) in [(MAX_HELLO_BYTES, false), (MAX_FRAME_BYTES, true)] {
            let mut buffer = FrameBuffer::default();
            buffer.push(&encode(&picture));
            assert_eq!(buffer.next(most).is_ok(), taken);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_do_any_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), step in 1..50usize) {
            let mut buffer = FrameBuffer::default();
            'all: for part in bytes.chunks(step) {
                buffer.push(part);
                loop {
                    match buffer.next(256) {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => break 'all,
                    }
                }
            }
            prop_assert!(buffer.pending() <= bytes.len());
        }
    }
}
