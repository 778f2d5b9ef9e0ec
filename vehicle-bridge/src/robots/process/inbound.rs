//! What a connection hears, without I/O: bytes in, events out.

use super::session::{Event, Session};
use super::{AdapterError, FrameBuffer, MAX_FRAME_BYTES, MAX_HELLO_BYTES};

/// The reading half of a connection.
#[derive(Debug)]
pub(super) struct Inbound {
    frames: FrameBuffer,
    pub(super) session: Session,
    /// Longest frame that is taken now, bytes.
    most: u32,
}

impl Inbound {
    /// A connection that was made at `now_us`.
    pub(super) fn new(now_us: u64) -> Self {
        Self { frames: FrameBuffer::default(), session: Session::new(now_us), most: MAX_HELLO_BYTES }
    }

    /// Takes in what was read.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.frames.push(bytes);
    }

    /// What the next whole frame means, if there is one; it counts as whole at `now_us`.
    ///
    /// # Errors
    /// [`AdapterError`] when it cannot be; the connection has to end.
    pub(super) fn next(&mut self, now_us: u64) -> Result<Option<Event>, AdapterError> {
        let pending = self.frames.pending();
        let Some(frame) = self.frames.next(self.most)? else { return Ok(None) };
        let event = self.session.receive(frame, pending - self.frames.pending(), now_us)?;
        // Only a robot that has said what it is sends pictures.
        self.most = MAX_FRAME_BYTES;
        Ok(Some(event))
    }

    /// The other side has closed the connection.
    ///
    /// # Errors
    /// [`AdapterError::Cut`] in the middle of a frame.
    pub(super) fn end(&self) -> Result<(), AdapterError> {
        match self.frames.pending() {
            0 => Ok(()),
            bytes => Err(AdapterError::Cut(bytes)),
        }
    }
}
