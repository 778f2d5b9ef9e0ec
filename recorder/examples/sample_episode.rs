//! Writes an episode with a message on every topic, and a second one as a crash leaves it, recovered; for viewers and
//! for `tests/judge.py`: `cargo run --release -p recorder --example sample_episode FOLDER`.

use bytes::Bytes;
use protocol::{Attachment, EpisodeId, EpisodeInfo, Message, PolicyVersion, VehicleId, topics};
use recorder::{EpisodeFile, recover, write_episode_with};

const SECOND_NS: u64 = 1_000_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("say into which folder")?;
    let folder = std::path::Path::new(&folder);
    let describe = |id: &str| -> Result<EpisodeInfo, protocol::IdError> {
        let mut info = EpisodeInfo::new(EpisodeId::new(id)?, VehicleId::new("sample")?, PolicyVersion::new("none")?);
        info.end_ns = 10 * SECOND_NS;
        Ok(info)
    };
    let map = Attachment {
        name: "map.xodr".to_owned(),
        media_type: "application/xml".to_owned(),
        data: Bytes::from_static(b"<OpenDRIVE/>"),
    };
    let episode = write_episode_with(folder, &describe("sample")?, std::slice::from_ref(&map), messages())?;
    println!("{}", episode.file);

    let mut file = EpisodeFile::create(folder, &describe("sample-recovered")?)?;
    file.attach(0, &map)?;
    for message in messages() {
        file.write(&message)?;
    }
    // As a kill would: nothing of the writer's end runs.
    drop(file);
    for episode in recover(folder)? {
        println!("{}", episode.file);
    }
    Ok(())
}

/// An empty message is a valid one of any type; ten a second on every topic.
fn messages() -> impl Iterator<Item = Message> {
    (0..100_u32).flat_map(|n| {
        topics::ALL.iter().map(move |&topic| Message {
            topic,
            sequence: n,
            log_time_ns: u64::from(n) * SECOND_NS / 10,
            publish_time_ns: u64::from(n) * SECOND_NS / 10,
            data: Bytes::new(),
            keyframe: n % 10 == 0,
        })
    })
}
