//! A film as a camera: H.264 in MP4, decoded beforehand so that playing costs nothing beside the encoder, and played
//! forth and back so that no cut costs a large picture.

use anyhow::bail;
use std::path::Path;
use video::H264Decoder;
use video::I420Buffer;
use video::mp4::Mp4Reader;

/// Pictures kept: 5 s, 200 MB.
const MOST_PICTURES: usize = 150;
/// Pictures that are tried before a film is given up as one that cannot be decoded.
const MOST_TRIES: usize = 10 * MOST_PICTURES;

#[derive(Debug)]
pub(super) struct Film {
    pictures: Vec<I420Buffer>,
}

impl Film {
    pub(super) fn open(path: &Path, width: usize, height: usize) -> anyhow::Result<Self> {
        let mut film = Mp4Reader::open_in_decoding_order(path)?;
        if film.codec() != "h264" {
            bail!("its codec is {}; films are played in H.264", film.codec());
        }
        let mut decoder = H264Decoder::new()?;
        let mut pictures = Vec::new();
        for index in 0..film.frames().min(MOST_TRIES) {
            if pictures.len() >= MOST_PICTURES {
                break;
            }
            let unit = film.frame(index)?;
            // What the decoder cannot take is left out: these are test pictures.
            if let Ok(Some(picture)) = decoder.decode(&unit) {
                let mut scaled = I420Buffer::default();
                scaled.scale_from(picture.as_i420(), width, height);
                pictures.push(scaled);
            }
        }
        if pictures.len() < 2 {
            bail!("only {} of its pictures could be decoded", pictures.len());
        }
        Ok(Self { pictures })
    }

    pub(super) fn draw(&self, number: u32, into: &mut I420Buffer) {
        let picture = &self.pictures[forth_and_back(number as usize, self.pictures.len())];
        into.y.clone_from(&picture.y);
        into.u.clone_from(&picture.u);
        into.v.clone_from(&picture.v);
    }
}

/// 0, 1, 2, .., n-1, n-2, .., 1, 0, 1, ..
fn forth_and_back(number: usize, count: usize) -> usize {
    let period = (count - 1) * 2;
    let at = number % period;
    at.min(period - at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_goes_forth_and_back() {
        let order: Vec<usize> = (0..9).map(|n| forth_and_back(n, 4)).collect();
        assert_eq!(order, [0, 1, 2, 3, 2, 1, 0, 1, 2]);
    }

    #[test]
    fn a_file_that_is_no_film_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let head = [&[0, 0, 0, 0x10][..], b"ftypisom", &[0; 4]].concat();
        let a_box_of_no_bytes = [&head[..], &[0, 0, 0, 0x18][..], b"moov", &[0; 4], b"abcd", &[0; 8]].concat();
        for content in [&b"not a film at all, but long enough to look at"[..], &a_box_of_no_bytes] {
            std::fs::write(file.path(), content).unwrap();
            assert!(Film::open(file.path(), 1280, 720).is_err());
        }
    }
}
