//! Pictures from a robot: a queue that drops what nobody has time for, and I420 out of whatever comes.

use super::hello;
use bytes::Bytes;
use protocol::v1::{PictureFormat, RobotCamera};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use video::{H264Decoder, I420Buffer, h264};

/// Access units that may wait for the decoder: half a second of 60 pictures.
const MOST_UNITS: usize = 30;

/// A picture as it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawPicture {
    /// Bridge's clock.
    pub(super) capture_us: u64,
    /// Which connection it came over: each begins a stream of its own.
    pub(super) connection: u64,
    /// In the camera's format.
    pub(super) data: Bytes,
}

#[derive(Debug, Default)]
struct Waiting {
    pictures: VecDeque<RawPicture>,
    /// A picture of the stream was dropped: none is of use before the next keyframe of this connection.
    needs_keyframe: bool,
    connection: u64,
}

/// Between the connection's thread and a camera's: never longer than it is of use, and nobody waits to put one in.
#[derive(Debug)]
pub(super) struct PictureQueue {
    compressed: bool,
    waiting: Mutex<Waiting>,
    ready: Condvar,
}

impl PictureQueue {
    /// For this camera.
    pub(super) fn new(camera: &RobotCamera) -> Self {
        Self { compressed: camera.format() == PictureFormat::H264, waiting: Mutex::default(), ready: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a picture in. One that is whole in itself replaces those that wait; an access unit waits its turn, and when
    /// too many do, all go and the next keyframe comes first.
    pub(super) fn put(&self, picture: RawPicture) {
        let mut waiting = self.lock();
        if !self.compressed {
            waiting.pictures.clear();
        } else {
            let keyframe = h264::is_keyframe(&picture.data);
            if waiting.connection != picture.connection {
                waiting.connection = picture.connection;
                waiting.needs_keyframe = true;
            }
            if waiting.pictures.len() >= MOST_UNITS {
                waiting.pictures.clear();
                waiting.needs_keyframe = true;
            }
            if waiting.needs_keyframe && !keyframe {
                return;
            }
            waiting.needs_keyframe = false;
        }
        waiting.pictures.push_back(picture);
        self.ready.notify_one();
    }

    /// The next picture, if one waits.
    pub(super) fn take(&self) -> Option<RawPicture> {
        self.lock().pictures.pop_front()
    }

    /// The next picture, waited for at most this long.
    pub(super) fn next(&self, timeout: Duration) -> Option<RawPicture> {
        let waited = self.ready.wait_timeout_while(self.lock(), timeout, |waiting| waiting.pictures.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.pictures.pop_front()
    }
}

/// Turns the pictures of one camera into I420.
pub(super) struct Unpacker {
    width: usize,
    height: usize,
    format: PictureFormat,
    decoder: Option<(u64, H264Decoder)>,
}

impl Unpacker {
    /// For this camera.
    pub(super) fn new(camera: &RobotCamera) -> Self {
        let (width, height) = hello::size(camera);
        Self { width: width as usize, height: height as usize, format: camera.format(), decoder: None }
    }

    /// Fills `into` with `picture`; `false` when the decoder has nothing to show yet.
    ///
    /// # Errors
    /// A sentence that says why the data cannot be decoded.
    pub(super) fn unpack(&mut self, picture: &RawPicture, into: &mut I420Buffer) -> Result<bool, String> {
        (into.width, into.height) = (self.width, self.height);
        match self.format {
            PictureFormat::Rgb8 => rgb(&picture.data, into),
            PictureFormat::H264 => return self.decode(picture, into),
            PictureFormat::I420 | PictureFormat::Unspecified => {
                let (y, chroma) = picture.data.split_at(self.width * self.height);
                let (u, v) = chroma.split_at(chroma.len() / 2);
                for (plane, bytes) in [(&mut into.y, y), (&mut into.u, u), (&mut into.v, v)] {
                    plane.clear();
                    plane.extend_from_slice(bytes);
                }
            }
        }
        Ok(true)
    }

    fn decode(&mut self, picture: &RawPicture, into: &mut I420Buffer) -> Result<bool, String> {
        let bytes = picture.data.len();
        let failed = |error: video::VideoError| format!("an access unit of {bytes} bytes cannot be decoded: {error}");
        let (connection, mut decoder) = match self.decoder.take() {
            Some((connection, decoder)) if connection == picture.connection => (connection, decoder),
            _ => (picture.connection, H264Decoder::new().map_err(failed)?),
        };
        let decoded = decoder.decode(&picture.data).map_err(failed);
        self.decoder = Some((connection, decoder));
        let Some(decoded) = decoded? else { return Ok(false) };
        if (decoded.width, decoded.height) != (self.width, self.height) {
            let (width, height) = (decoded.width, decoded.height);
            return Err(format!(
                "the pictures have {width}x{height} pixels; the hello says {}x{}",
                self.width, self.height
            ));
        }
        (into.y, into.u, into.v) = (decoded.y, decoded.u, decoded.v);
        Ok(true)
    }
}

/// RGB into I420 by ITU-R BT.601 with 8-bit weights, luma from 16 to 235; each chroma value is that of the mean of four
/// pixels.
fn rgb(data: &[u8], into: &mut I420Buffer) {
    let (width, height) = (into.width, into.height);
    into.y.resize(width * height, 0);
    into.u.resize(width / 2 * (height / 2), 0);
    into.v.resize(width / 2 * (height / 2), 0);
    for (pixel, luma) in data.as_chunks::<3>().0.iter().zip(&mut into.y) {
        let [r, g, b] = pixel.map(i32::from);
        *luma = (((66 * r + 129 * g + 25 * b + 128) >> 8) + 16) as u8;
    }
    let chroma = into.u.chunks_exact_mut(width / 2).zip(into.v.chunks_exact_mut(width / 2));
    for (rows, (us, vs)) in data.chunks_exact(width * 6).zip(chroma) {
        let (above, below) = rows.split_at(width * 3);
        let squares = above.as_chunks::<6>().0.iter().zip(below.as_chunks::<6>().0);
        for ((above, below), (u, v)) in squares.zip(us.iter_mut().zip(vs)) {
            let mean = |c: usize| {
                let sum = [above[c], above[c + 3], below[c], below[c + 3]].into_iter().map(i32::from).sum::<i32>();
                (sum + 2) / 4
            };
            let [r, g, b] = [mean(0), mean(1), mean(2)];
            *u = (((-38 * r - 74 * g + 112 * b + 128) >> 8) + 128) as u8;
            *v = (((112 * r - 94 * g - 18 * b + 128) >> 8) + 128) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robots::process::hello::tests::hello;
    use video::{H264Config, H264Encoder, Reference, VideoEncoder};

    const SIZE: (usize, usize) = (320, 180);
    const NOW: Duration = Duration::ZERO;

    fn camera(format: PictureFormat) -> RobotCamera {
        RobotCamera { format: format.into(), ..hello().cameras[0].clone() }
    }

    fn raw(capture_us: u64, connection: u64, data: Vec<u8>) -> RawPicture {
        RawPicture { capture_us, connection, data: data.into() }
    }

    fn film(pictures: usize) -> Vec<Vec<u8>> {
        let mut encoder = H264Encoder::new(H264Config::new(SIZE.0, SIZE.1, 15.0)).unwrap();
        let chroma = vec![128; SIZE.0 * SIZE.1 / 4];
        let encode = |n: usize| {
            let y = vec![40 + 10 * n as u8; SIZE.0 * SIZE.1];
            let picture = I420Buffer { width: SIZE.0, height: SIZE.1, y, u: chroma.clone(), v: chroma.clone() };
            let coded = encoder.encode(picture.as_i420(), 66_000 * (n as u64 + 1), Reference::Previous).unwrap();
            coded.unwrap().data.to_vec()
        };
        (0..pictures).map(encode).collect()
    }

    #[test]
    fn colours_survive_within_rounding() {
        // 75 % bars by ITU-R BT.601: white, yellow, cyan, green, magenta, red, blue.
        let bars = [
            ([191, 191, 191], [180, 128, 128]),
            ([191, 191, 0], [162, 44, 142]),
            ([0, 191, 191], [131, 156, 44]),
            ([0, 191, 0], [112, 72, 58]),
            ([191, 0, 191], [84, 184, 198]),
            ([191, 0, 0], [65, 100, 212]),
            ([0, 0, 191], [35, 212, 114]),
        ];
        for (colour, [y, u, v]) in bars {
            let picture = raw(1, 1, colour.repeat(SIZE.0 * SIZE.1));
            let mut into = I420Buffer::default();
            assert!(Unpacker::new(&camera(PictureFormat::Rgb8)).unpack(&picture, &mut into).unwrap());
            into.as_i420().check().unwrap();
            for (plane, wanted) in [(&into.y, y), (&into.u, u), (&into.v, v)] {
                assert!(plane.iter().all(|got| got.abs_diff(wanted) <= 1), "{colour:?}: {} for {wanted}", plane[0]);
            }
        }
    }

    #[test]
    fn a_pixel_stays_where_it_is() {
        let mut data = vec![0; SIZE.0 * SIZE.1 * 3];
        let at = (SIZE.0 * 100 + 200) * 3;
        data[at..at + 3].fill(255);
        let mut into = I420Buffer::default();
        Unpacker::new(&camera(PictureFormat::Rgb8)).unpack(&raw(1, 1, data), &mut into).unwrap();
        let bright: Vec<usize> = (0..into.y.len()).filter(|at| into.y[*at] > 200).collect();
        assert_eq!(bright, [SIZE.0 * 100 + 200]);
    }

    #[test]
    fn planes_are_taken_as_they_are() {
        let data: Vec<u8> = (0..SIZE.0 * SIZE.1 * 3 / 2).map(|at| (at % 251) as u8).collect();
        let mut into = I420Buffer::default();
        assert!(Unpacker::new(&camera(PictureFormat::I420)).unpack(&raw(1, 1, data.clone()), &mut into).unwrap());
        assert_eq!([into.y, into.u, into.v].concat(), data);
    }

    #[test]
    fn access_units_are_decoded_and_what_is_none_is_named() {
        let mut unpacker = Unpacker::new(&camera(PictureFormat::H264));
        let mut into = I420Buffer::default();
        for (n, unit) in film(4).into_iter().enumerate() {
            assert!(unpacker.unpack(&raw(n as u64, 1, unit), &mut into).unwrap());
            assert!(into.y[SIZE.0 * 90].abs_diff(40 + 10 * n as u8) <= 3, "{} of picture {n}", into.y[SIZE.0 * 90]);
        }
        // Another connection begins another stream, whatever became of the first.
        assert!(unpacker.unpack(&raw(9, 2, film(1).remove(0)), &mut into).unwrap());
        let small = RobotCamera { camera: Some(Default::default()), ..camera(PictureFormat::H264) };
        let error = Unpacker::new(&small).unpack(&raw(1, 1, film(1).remove(0)), &mut into).unwrap_err();
        assert!(error.contains("320x180"), "{error}");
        let mut broken = film(1).remove(0);
        broken.truncate(broken.len() / 2);
        broken.iter_mut().skip(40).for_each(|byte| *byte ^= 0xa5);
        let shown = Unpacker::new(&camera(PictureFormat::H264)).unpack(&raw(1, 1, broken), &mut into);
        assert!(!matches!(shown, Ok(true)), "nothing is concealed");
    }

    #[test]
    fn whole_pictures_replace_each_other_and_streams_go_on_from_a_keyframe() {
        let queue = PictureQueue::new(&camera(PictureFormat::Rgb8));
        (1..=3).for_each(|n| queue.put(raw(n, 1, vec![n as u8])));
        assert_eq!(queue.next(NOW).unwrap().capture_us, 3);
        assert_eq!(queue.next(NOW), None);

        let queue = PictureQueue::new(&camera(PictureFormat::H264));
        let units = film(3);
        // In the middle of a stream.
        queue.put(raw(1, 1, units[1].clone()));
        queue.put(raw(2, 1, units[0].clone()));
        queue.put(raw(3, 1, units[1].clone()));
        assert_eq!([queue.next(NOW).unwrap().capture_us, queue.next(NOW).unwrap().capture_us], [2, 3]);
        // Too many wait, and then another connection comes in the middle of its own.
        (10..10 + MOST_UNITS as u64 + 1).for_each(|n| queue.put(raw(n, 1, units[2].clone())));
        queue.put(raw(90, 1, units[0].clone()));
        queue.put(raw(91, 2, units[1].clone()));
        queue.put(raw(92, 2, units[0].clone()));
        assert_eq!([queue.next(NOW).unwrap().capture_us, queue.next(NOW).unwrap().capture_us], [90, 92]);
    }
}
