//! From the file to numbers and pictures.

use crate::fixture;
use operator_console::ConsoleError;
use operator_console::player::{Decoders, EpisodeIndex, Facts, Intent, MarkerKind, Picture, Player};
use protocol::v1::{Author, Mode};
use recorder::EpisodeReader;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn index(path: &std::path::Path) -> (EpisodeReader, EpisodeIndex) {
    let reader = EpisodeReader::open(path).unwrap();
    let index = EpisodeIndex::read(&reader, |_, _| ()).unwrap();
    (reader, index)
}

#[test]
fn signals_bands_and_markers_are_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (_, index) = index(&fixture::episode(folder.path(), 2));
    assert!((index.length_s - fixture::LENGTH_S).abs() < 1e-9);
    let cameras: Vec<(&str, usize)> = index.cameras.iter().map(|c| (c.name.as_str(), c.frames.len())).collect();
    assert_eq!(cameras, [("front", 40), ("left", 40)]);
    assert!(index.cameras[0].frames.iter().step_by(10).all(|frame| frame.keyframe));
    let bands: Vec<_> = index.bands.iter().map(|b| (b.mode, b.author, b.from_s, b.to_s)).collect();
    assert_eq!(
        bands,
        [
            (Mode::Monitor, Author::Policy, 0.0, 1.5),
            (Mode::Drive, Author::Operator, 1.5, 3.0),
            (Mode::Monitor, Author::Policy, 3.0, 4.0)
        ]
    );
    let kinds: Vec<_> = index.markers.iter().map(|m| (m.kind, (m.at_s * 10.0).round() as u32)).collect();
    let braked = MarkerKind::Trigger(protocol::Trigger::HardBrake);
    assert_eq!(
        kinds,
        [(braked, 10), (MarkerKind::Takeover, 15), (MarkerKind::Warning, 20), (MarkerKind::HandBack, 30)]
    );
    let titles: Vec<&str> = index.signals.plots.iter().map(|plot| plot.title.as_str()).collect();
    assert_eq!(titles.len(), 6, "{titles:?}");
}

#[test]
fn the_panel_says_what_was_true_at_the_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (_, index) = index(&fixture::episode(folder.path(), 0));
    let said = |at_s: f64| {
        let facts = Facts::of(&index, at_s);
        let lines = facts.episode.into_iter().chain(facts.now).chain(facts.values);
        lines.map(|line| format!("{} {}", line.label, line.value)).collect::<Vec<_>>()
    };
    let during = said(2.2);
    for line in ["id sample-1", "author operator at desk", "faults camera_lost", "speed 25.9 km/h", "round trip 40 ms"]
    {
        assert!(during.iter().any(|l| l == line), "{line:?} in {during:?}");
    }
    assert!(said(1.0).iter().any(|l| l == "faults none") && said(1.0).iter().any(|l| l == "mode monitor"));
}

/// The picture that comes of wanting `frame`.
fn picture(decoders: &Decoders, camera: usize, frame: usize) -> Picture {
    let begun = Instant::now();
    loop {
        decoders.want(camera, frame);
        match decoders.take(camera) {
            Some(shown) if shown.frame == frame => return shown.picture,
            _ => std::thread::sleep(Duration::from_millis(2)),
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no picture {frame}");
    }
}

fn is_near(picture: &Picture, colour: [u8; 3]) -> bool {
    let picture = picture.as_ref().unwrap();
    let [width, height] = picture.size;
    let [r, g, b, _] = picture.pixels[width * (height / 2) + width / 2].to_array();
    [r, g, b].iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 30)
}

#[test]
fn seeking_on_and_back_shows_the_picture_of_the_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, index) = index(&fixture::episode(folder.path(), 2));
    let decoders = Decoders::start(&reader, &index.cameras).unwrap();
    let mut player = Player::new(Arc::new(index));
    for at_s in [0.0, 0.35, 3.95, 3.85, 1.2, 2.0, 1.95, 4.0] {
        player.act(Intent::Seek(at_s));
        for (camera, frame) in player.wanted().into_iter().enumerate() {
            let picture = picture(&decoders, camera, frame.unwrap());
            let second = (at_s as usize).min(3);
            assert!(is_near(&picture, fixture::colour(camera, second)), "camera {camera} at {at_s}");
        }
    }
    player.act(Intent::Seek(2.0));
    player.act(Intent::Step { forward: false });
    assert_eq!(player.wanted(), [Some(19), Some(19)], "one picture back");
    player.act(Intent::Marker { forward: true });
    assert!((player.head.at_s() - 2.0).abs() < 1e-6, "the warning at 2 s");
}

#[test]
fn an_episode_without_states_or_pictures_is_read_and_an_empty_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (_, no_pictures) = index(&fixture::episode(folder.path(), 0));
    assert!(no_pictures.cameras.is_empty() && no_pictures.steps_s().len() == 201);
    let empty = protocol::EpisodeInfo::new(
        protocol::EpisodeId::new("empty").unwrap(),
        protocol::VehicleId::new("car").unwrap(),
        protocol::PolicyVersion::new("p").unwrap(),
    );
    let file = recorder::write_episode(folder.path(), &empty, []).unwrap().file;
    let reader = EpisodeReader::open(&folder.path().join(file)).unwrap();
    let error = EpisodeIndex::read(&reader, |_, _| ()).unwrap_err();
    assert!(matches!(error, ConsoleError::EmptyEpisode { .. }) && error.to_string().contains("empty.mcap"), "{error}");
}

#[test]
fn damaged_files_and_pictures_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = fixture::episode(folder.path(), 1);
    let whole = std::fs::read(&path).unwrap();
    let broken = folder.path().join("broken.mcap");
    let (mut refused, mut shown) = (0, 0);
    for at in (100..whole.len()).step_by(whole.len() / 40) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&broken, &bytes).unwrap();
        let index = EpisodeReader::open(&broken)
            .map_err(ConsoleError::from)
            .and_then(|reader| EpisodeIndex::read(&reader, |_, _| ()));
        match index {
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("broken.mcap"), "{error}");
            }
            Ok(_) => shown += 1,
        }
    }
    assert!(refused > 10, "{refused} refused, {shown} not");
    std::fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    assert!(EpisodeReader::open(&broken).is_err());
}
