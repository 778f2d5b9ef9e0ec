//! A film as a camera: H.264 in MP4, decoded beforehand so that playing costs nothing beside the encoder, and played
//! forth and back so that no cut costs a large picture.

use anyhow::{Context, bail};
use link::video::H264Decoder;
use link::video::Planes;
use std::path::Path;

/// Pictures kept: 5 s, 200 MB.
const MOST_PICTURES: usize = 150;
/// A larger file is no test clip.
const MOST_BYTES: u64 = 1 << 30;

#[derive(Debug)]
pub(super) struct Film {
    pictures: Vec<Planes>,
}

impl Film {
    pub(super) fn open(path: &Path, width: usize, height: usize) -> anyhow::Result<Self> {
        let bytes = std::fs::metadata(path)?.len();
        if bytes > MOST_BYTES {
            bail!("{bytes} bytes are too much; cut a clip of at most {MOST_BYTES} bytes");
        }
        let data = std::fs::read(path)?;
        let file = re_mp4::Mp4::read_bytes(&data).context("no readable MP4 file")?;
        let tracks = file.tracks().values();
        let track = tracks.filter(|t| t.kind == Some(re_mp4::TrackKind::Video)).find_map(|t| Some((t, avc(&file, t)?)));
        let Some((track, parameters)) = track else { bail!("no H.264 video track in it") };
        let mut decoder = H264Decoder::new()?;
        let mut pictures = Vec::new();
        for sample in &track.samples {
            if pictures.len() >= MOST_PICTURES {
                break;
            }
            let end = sample.offset.checked_add(sample.size).context("a sample lies beyond the file's end")?;
            let range = usize::try_from(sample.offset)?..usize::try_from(end)?;
            let sample_data = data.get(range).context("a sample lies beyond the file's end")?;
            let unit = annex_b(&parameters, sample_data, sample.is_sync)?;
            // What the decoder cannot take is left out: these are test pictures.
            if let Ok(Some(picture)) = decoder.decode(&unit) {
                let mut scaled = Planes::default();
                scaled.scale_from(picture.as_i420(), width, height);
                pictures.push(scaled);
            }
        }
        if pictures.len() < 2 {
            bail!("only {} of its pictures could be decoded", pictures.len());
        }
        Ok(Self { pictures })
    }

    pub(super) fn draw(&self, number: u32, into: &mut Planes) {
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

/// What `avcC` says.
struct Parameters {
    length_bytes: usize,
    /// Parameter sets with start codes.
    sets: Vec<u8>,
}

const START: [u8; 4] = [0, 0, 0, 1];

fn avc(file: &re_mp4::Mp4, track: &re_mp4::Track) -> Option<Parameters> {
    let description = &file.moov.traks.iter().find(|t| t.tkhd.track_id == track.track_id)?.mdia.minf.stbl.stsd;
    let re_mp4::StsdBoxContent::Avc1(avc) = &description.contents else { return None };
    let config = &avc.avcc.contents;
    let sets = config.sequence_parameter_sets.iter().chain(&config.picture_parameter_sets);
    let sets = sets.flat_map(|set| START.iter().chain(&set.bytes).copied()).collect();
    Some(Parameters { length_bytes: usize::from(config.length_size_minus_one & 3) + 1, sets })
}

/// From lengths before each unit (ISO/IEC 14496-15) to start codes (Annex B of H.264).
fn annex_b(parameters: &Parameters, sample: &[u8], keyframe: bool) -> anyhow::Result<Vec<u8>> {
    let mut unit = if keyframe { parameters.sets.clone() } else { Vec::new() };
    let mut rest = sample;
    while rest.len() > parameters.length_bytes {
        let (head, tail) = rest.split_at(parameters.length_bytes);
        let length = head.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
        let Some((nal, tail)) = tail.split_at_checked(length) else { bail!("a unit is longer than its sample") };
        unit.extend_from_slice(&START);
        unit.extend_from_slice(nal);
        rest = tail;
    }
    Ok(unit)
}

/// Nearest pixels: quick, and sharp edges are what an encoder finds hard.
fn scale(plane: &[u8], from: (usize, usize), to: (usize, usize)) -> anyhow::Result<Vec<u8>> {
    if from.0 == 0 || from.1 == 0 || plane.len() != from.0 * from.1 {
        bail!("a decoded picture has {} bytes instead of {}x{}", plane.len(), from.0, from.1);
    }
    let mut out = Vec::with_capacity(to.0 * to.1);
    for row in 0..to.1 {
        let line = &plane[row * from.1 / to.1 * from.0..][..from.0];
        out.extend((0..to.0).map(|x| line[x * from.0 / to.0]));
    }
    Ok(out)
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
    fn a_unit_longer_than_its_sample_is_refused() {
        let parameters = Parameters { length_bytes: 4, sets: vec![9] };
        assert_eq!(annex_b(&parameters, &[0, 0, 0, 2, 7, 8], true).unwrap(), [9, 0, 0, 0, 1, 7, 8]);
        assert!(annex_b(&parameters, &[0, 0, 0, 3, 7, 8], false).is_err());
        assert!(annex_b(&parameters, &[255, 255, 255, 255, 7], false).is_err());
    }

    #[test]
    fn a_file_that_is_no_film_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"not a film at all, but long enough to look at").unwrap();
        assert!(Film::open(file.path(), 1280, 720).is_err());
    }
}
