//! Makes an episode of a film, for trying redaction and previews on real footage: a file of H.264 in Annex B with access
//! unit delimiters.
//!
//! ```text
//! ffmpeg -i FILM -c:v libx264 -bf 0 -g 25 -bsf:v h264_metadata=aud=insert -f h264 film.h264
//! cargo run --release --workspace --example film_episode -- film.h264 PICTURES_A_SECOND FOLDER NAME
//! ```

use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, VehicleId, foxglove, topics};
use recorder::write_episode;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [film, fps, folder, name] = &arguments[..] else {
        return Err("say film, pictures a second, folder, name".into());
    };
    let data = std::fs::read(film)?;
    let step_ns = (1e9 / fps.parse::<f64>()?) as u64;
    let delimiter = [0, 0, 0, 1, 9];
    let mut starts: Vec<usize> =
        data.windows(5).enumerate().filter(|(_, w)| *w == delimiter).map(|(at, _)| at).collect();
    starts.push(data.len());
    let messages = starts.windows(2).enumerate().map(|(number, span)| {
        let picture = data[span[0]..span[1]].to_vec();
        let content = foxglove::CompressedVideo { data: picture.into(), format: "h264".into(), ..Default::default() };
        let at_ns = number as u64 * step_ns;
        Message::encode(&topics::CAMERA_FRONT, number as u32, at_ns, at_ns, &content)
    });
    let mut info = EpisodeInfo::new(EpisodeId::new(name)?, VehicleId::new("film")?, PolicyVersion::new("none")?);
    info.end_ns = starts.len().saturating_sub(2) as u64 * step_ns;
    let episode = write_episode(Path::new(folder), &info, messages)?;
    println!("{}: {:.1} s, {} bytes", episode.file, episode.duration_s, episode.bytes);
    Ok(())
}
