//! The foreign recordings in `tests/foreign`: each is taken through every importer's and tool's way, and what comes of it
//! is compared with the line that `right.toml` has for it. Then each is damaged, and nothing may panic.

mod huge;

use protocol::EpisodeId;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recorder::exchange::table::States;
use recorder::exchange::verify::{EpisodeCheck, verify};
use recorder::exchange::{ExchangeError, Imported, comma2k19, edit, import_notes, lerobot, rosbag2, silent};
use recorder::{EpisodeMessage, EpisodeReader, recover_all};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What is right for a recording.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Right {
    /// Words of the refusal; without them it is imported.
    error: Option<String>,
    /// Words of each note, none more and none less.
    #[serde(default)]
    notes: Vec<String>,
    /// Messages of all its episodes.
    messages: Option<u64>,
    /// Messages by topic, of the topics that are named.
    #[serde(default)]
    topics: BTreeMap<String, u64>,
    /// Episodes; 1 without it.
    episodes: Option<usize>,
    /// Words of each warning of `verify`.
    #[serde(default)]
    warnings: Vec<String>,
    /// The odometer of the last state, metres.
    odometer_m: Option<f64>,
    /// The first episode's task, as its reason.
    task: Option<String>,
    /// Files of the sound recording that this one lacks.
    #[serde(default)]
    without: Vec<String>,
}

type Importer = fn(&Path, &Path) -> Result<Vec<Imported>, ExchangeError>;

const IMPORTERS: [(&str, Importer); 4] = [
    ("mcap", |source, dir| Ok(vec![rosbag2::import(source, id(), dir, &mut silent)?])),
    ("rosbag2", |source, dir| Ok(vec![rosbag2::import(source, id(), dir, &mut silent)?])),
    ("comma2k19", |source, dir| Ok(vec![comma2k19::import(source, id(), dir, &mut silent)?])),
    ("lerobot", |source, dir| lerobot::import(source, dir, &mut silent)),
];
/// What those of which only the differences are kept are laid over.
const SOUND: &str = "sound";

fn id() -> EpisodeId {
    EpisodeId::new("imported").unwrap()
}

fn folder(format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/foreign").join(format)
}

/// The lines of a folder's `right.toml`, and nothing in the folder without one.
fn lines(format: &str) -> BTreeMap<String, Right> {
    let text = fs::read_to_string(folder(format).join("right.toml")).unwrap();
    let lines: BTreeMap<String, Right> = toml::from_str(&text).unwrap_or_else(|error| panic!("{format}: {error}"));
    let there = fs::read_dir(folder(format)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<String> = there.filter(|name| name != "right.toml").collect();
    for name in &there {
        assert!(lines.contains_key(name), "{format}/{name} has no line in right.toml");
    }
    for (name, right) in &lines {
        assert!(there.contains(name) || !right.without.is_empty(), "{format}/{name} has a line and is not there");
    }
    lines
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// The recording, whole, in a folder where it may be changed.
fn laid_out(format: &str, name: &str, right: &Right, dir: &Path) -> PathBuf {
    let (kept, target) = (folder(format).join(name), dir.join(name));
    if ["comma2k19", "lerobot"].contains(&format) {
        copy(&folder(format).join(SOUND), &target);
    }
    if kept.exists() {
        copy(&kept, &target);
    }
    for gone in &right.without {
        let gone = target.join(gone);
        if gone.is_dir() { fs::remove_dir_all(gone).unwrap() } else { fs::remove_file(gone).unwrap() }
    }
    target
}

fn messages(reader: &EpisodeReader) -> Vec<EpisodeMessage> {
    reader.messages().map(|message| message.unwrap()).collect()
}

fn told(message: &EpisodeMessage) -> (String, u32, u64, u64, Vec<u8>) {
    let EpisodeMessage { sequence, log_time_ns, publish_time_ns, ref data, .. } = *message;
    (message.topic().to_owned(), sequence, log_time_ns, publish_time_ns, data.to_vec())
}

/// Takes a sound episode through everything that reads one.
fn through_every_tool(path: &Path, dir: &Path) -> EpisodeCheck {
    // What a crash leaves has no summary.
    let recovers = !path.ends_with("episode-channels-only-summed-up.mcap");
    let reader = EpisodeReader::open(path).unwrap();
    let all = messages(&reader);
    assert_eq!(all.len() as u64, reader.message_count(), "{}", path.display());
    assert_eq!(reader.topics().iter().map(|topic| topic.messages).sum::<u64>(), all.len() as u64);
    let verdict = verify(&reader, &mut silent);
    assert_eq!(verdict.problems, Vec::<String>::new(), "{}", path.display());
    States::read(&reader, &mut silent).unwrap().write_csv(&dir.join("states.csv")).unwrap();
    let _ = lerobot::export(&[path.to_owned()], &dir.join("dataset"), None, None, &mut silent);

    // All of it cut out, and put together with itself, is all of it; so is what recovery makes of an unfinished file.
    let mut same = Vec::new();
    if !all.is_empty() {
        let new = |name: &str| EpisodeId::new(name).unwrap();
        same.push(edit::cut(&reader, (0, u64::MAX), new("cut"), dir, &mut silent).unwrap().file);
        let both = [EpisodeReader::open(path).unwrap(), EpisodeReader::open(&dir.join(&same[0])).unwrap()];
        same.push(edit::merge(&both, new("merged"), dir, &mut silent).unwrap().file);
    }
    if recovers {
        let unfinished = dir.join("unfinished");
        fs::create_dir_all(&unfinished).unwrap();
        let bytes = fs::read(path).unwrap();
        // Without its footer nobody takes it for finished.
        fs::write(unfinished.join("x.mcap.part"), &bytes[..bytes.len() - 9]).unwrap();
        let recovery = recover_all(&unfinished).unwrap();
        assert!(recovery.broken.is_empty(), "{}: {:?}", path.display(), recovery.broken);
        same.push(format!("unfinished/{}", recovery.episodes[0].file));
    }
    let sorted = |messages: &[EpisodeMessage]| {
        let mut told: Vec<_> = messages.iter().map(told).collect();
        told.sort();
        told
    };
    for file in same {
        let again = EpisodeReader::open(&dir.join(&file)).unwrap();
        assert_eq!(sorted(&messages(&again)), sorted(&all), "{}: {file}", path.display());
        assert_eq!(
            again.attachment_names().collect::<Vec<_>>(),
            reader.attachment_names().collect::<Vec<_>>(),
            "{}: {file}",
            path.display()
        );
        assert_eq!(verify(&again, &mut silent).problems, Vec::<String>::new(), "{}: {file}", path.display());
    }
    verdict
}

/// Each of `words` in a text of its own, and no text more.
fn fit(words: &[String], texts: &[String]) -> bool {
    let mut left: Vec<&String> = texts.iter().collect();
    let found = words.iter().all(|word| {
        let at = left.iter().position(|text| text.contains(word.as_str()));
        at.map(|at| left.remove(at)).is_some()
    });
    found && left.is_empty()
}

fn compare(name: &str, right: &Right, imported: Result<Vec<Imported>, ExchangeError>, out: &Path) {
    let imported = match (imported, &right.error) {
        (Err(error), Some(words)) => {
            let error = error.to_string();
            assert!(error.contains(words.as_str()), "{name}: {error}");
            let left = fs::read_dir(out).map_or(0, Iterator::count);
            assert_eq!(left, 0, "{name} is refused, and leaves something behind");
            return;
        }
        (Err(error), None) => panic!("{name} is refused: {error}"),
        (Ok(_), Some(words)) => panic!("{name} is imported, but should be refused: {words}"),
        (Ok(imported), None) => imported,
    };
    assert_eq!(imported.len(), right.episodes.unwrap_or(1), "{name}");
    let mut notes: Vec<String> = Vec::new();
    let (mut count, mut warnings, mut topics) = (0, Vec::new(), BTreeMap::<String, u64>::new());
    for (number, one) in imported.iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let path = out.join(&one.episode.file);
        warnings.extend(through_every_tool(&path, dir.path()).warnings);
        let reader = EpisodeReader::open(&path).unwrap();
        count += reader.message_count();
        for topic in reader.topics() {
            *topics.entry(topic.topic).or_default() += topic.messages;
        }
        assert_eq!(import_notes(&reader).unwrap().as_ref(), Some(&one.notes), "{name}");
        notes.extend(one.notes.iter().filter(|note| !notes.contains(note)).cloned().collect::<Vec<_>>());
        assert_eq!((one.episode.trigger.as_deref(), one.episode.cause.as_str()), (Some("import"), ""), "{name}");
        if let Some(task) = right.task.as_ref().filter(|_| number == 0) {
            assert_eq!(&reader.info().reason, task, "{name}");
        }
        if let Some(odometer_m) = right.odometer_m {
            let last = reader.select(Some(["/vehicle/state"]), ..).last().unwrap().unwrap();
            let state: protocol::v1::VehicleState = last.decode().unwrap();
            assert!((state.odometer_m - odometer_m).abs() < 1e-6, "{name}: {}", state.odometer_m);
        }
    }
    assert!(fit(&right.notes, &notes), "{name} has the notes {notes:#?}");
    assert!(fit(&right.warnings, &warnings), "{name} has the warnings {warnings:#?}");
    assert!(right.messages.is_none_or(|messages| messages == count), "{name} has {count} messages");
    for (topic, messages) in &right.topics {
        assert_eq!(topics.get(topic).copied().unwrap_or(0), *messages, "{name}: {topic} of {topics:?}");
    }
}

#[test]
fn every_foreign_recording_is_imported_with_a_word_or_refused_with_one() {
    for (format, import) in IMPORTERS {
        for (name, right) in lines(format) {
            let dir = tempfile::tempdir().unwrap();
            let source = laid_out(format, &name, &right, dir.path());
            let out = dir.path().join("out");
            let imported = import(&source, &out);
            compare(&format!("{format}/{name}"), &right, imported, &out);
        }
    }
}

/// Messages of all episodes: which of them, topic, log time and content.
fn content(imported: &[Imported], dir: &Path) -> Vec<(usize, String, u64, Vec<u8>)> {
    let of = |(number, one): (usize, &Imported)| {
        let reader = EpisodeReader::open(&dir.join(&one.episode.file)).unwrap();
        let told = |message: EpisodeMessage| (number, message.topic().to_owned(), message.log_time_ns, message.data);
        messages(&reader).into_iter().map(told).map(|(n, topic, at, data)| (n, topic, at, data.to_vec())).collect()
    };
    let all = imported.iter().enumerate().flat_map(|one| -> Vec<_> { of(one) });
    let mut all: Vec<_> = all.collect();
    all.sort();
    all
}

#[test]
fn a_foreign_dataset_that_is_exported_again_has_every_value_it_had() {
    let (lines, names) = (lines("lerobot"), ["sound", "film", "texts", "lists-in-lists", "unknown-dtype", "unsigned"]);
    for name in names.into_iter().chain(["float-and-double", "numbers-with-nulls", "names-of-ours"]) {
        let dir = tempfile::tempdir().unwrap();
        let (there, between, back) = (dir.path().join("there"), dir.path().join("between"), dir.path().join("back"));
        let source = laid_out("lerobot", name, &lines[name], dir.path());
        let first = lerobot::import(&source, &there, &mut silent).unwrap();
        let files: Vec<PathBuf> = first.iter().map(|one| there.join(&one.episode.file)).collect();
        let exported = lerobot::export(&files, &between, None, None, &mut silent).unwrap();
        assert_eq!((exported.episodes, exported.frames), (2, 7), "{name}");
        // Row 0 of each episode has neither.
        let nulls = if name == "numbers-with-nulls" { vec![("count", 2), ("done", 2)] } else { Vec::new() };
        assert!(exported.nulls.iter().map(|(name, count)| (name.as_str(), *count)).eq(nulls), "{exported:?}");
        let second = lerobot::import(&between, &back, &mut silent).unwrap();
        assert_eq!(content(&second, &back), content(&first, &there), "{name}");
    }
}

#[test]
fn one_file_of_a_bag_is_read_as_the_metadata_beside_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let whole = rosbag2::import(&folder("rosbag2").join("packed-messages"), id(), dir.path(), &mut silent).unwrap();
    let bag = fs::read_dir(folder("rosbag2").join("packed-messages")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = bag.filter(|file| file.extension().is_some_and(|ending| ending == "mcap")).collect();
    files.sort();
    let mut together = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let out = dir.path().join(number.to_string());
        let one = rosbag2::import(file, id(), &out, &mut silent).unwrap();
        assert!(fit(&["compressed one by one".to_owned()], &one.notes), "{:?}", one.notes);
        together.extend(content(&[one], &out));
    }
    together.sort();
    assert_eq!(together, content(&[whole], dir.path()));
}

#[test]
fn files_in_a_bags_folder_that_are_none_of_the_bag_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let bag = dir.path().join("split");
    copy(&folder("rosbag2").join("split"), &bag);
    let listed = files(&bag).into_iter().find(|file| file.extension().is_some_and(|ending| ending == "mcap")).unwrap();
    fs::copy(&listed, bag.join("copy_9.mcap")).unwrap();
    let done = rosbag2::import(&bag, id(), &dir.path().join("out"), &mut silent).unwrap();
    assert!(
        fit(&["1 file left out for not being in the list of metadata.yaml: copy_9.mcap".to_owned()], &done.notes),
        "{:?}",
        done.notes
    );
    assert_eq!(content(std::slice::from_ref(&done), &dir.path().join("out")).len(), 20);
    // A bag whose files were all renamed is read.
    fs::remove_file(bag.join("copy_9.mcap")).unwrap();
    for (number, file) in files(&bag).into_iter().filter(|file| !file.ends_with("metadata.yaml")).enumerate() {
        fs::rename(file, bag.join(format!("renamed_{number}.mcap"))).unwrap();
    }
    let out = dir.path().join("again");
    let done = rosbag2::import(&bag, id(), &out, &mut silent).unwrap();
    assert!(done.notes.iter().all(|note| note.contains("which is not there")), "{:?}", done.notes);
    assert_eq!(content(&[done], &out).len(), 20);
}

#[test]
fn an_episode_that_another_program_wrote_anew_opens_as_it_is() {
    let mut first: Option<Vec<_>> = None;
    for (name, _) in lines("mcap").into_iter().filter(|(name, _)| name.starts_with("episode-")) {
        let dir = tempfile::tempdir().unwrap();
        let path = folder("mcap").join(&name);
        assert_eq!(
            through_every_tool(&path, dir.path()).warnings.len(),
            usize::from(name.contains("private")),
            "{name}"
        );
        let all: Vec<_> = messages(&EpisodeReader::open(&path).unwrap()).iter().map(told).collect();
        assert_eq!(all.len(), 20, "{name}");
        // Whatever the structure, the messages are the same, in the order of their times.
        let content: Vec<_> = all.into_iter().map(|(topic, _, log_ns, _, data)| (topic, log_ns, data)).collect();
        assert_eq!(first.get_or_insert_with(|| content.clone()), &content, "{name}");
    }
    assert!(first.is_some());
}

/// All files below a folder, or the file itself.
fn files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut found: Vec<PathBuf> = fs::read_dir(path).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect();
    found.sort();
    found
}

fn damaged(whole: &[u8], dice: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    if bytes.is_empty() {
        return vec![0];
    }
    let at = dice.random_range(0..bytes.len());
    match dice.random_range(0..4_u32) {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << dice.random_range(0..8_u32),
        2 => {
            let end = (at + 8).min(bytes.len());
            let odd: u64 = [0, u64::MAX, 1 << 40, 1 << 20][dice.random_range(0..4_usize)];
            bytes[at..end].copy_from_slice(&odd.to_le_bytes()[..end - at]);
        }
        _ => {
            let end = (at + dice.random_range(1..32_usize)).min(bytes.len());
            bytes.drain(at..end);
        }
    }
    bytes
}

/// What is read of a damaged recording is an error or content, and never a panic.
fn meet_damage(import: Importer, source: &Path, dir: &Path) {
    let _ = fs::remove_dir_all(dir);
    if let Ok(imported) = import(source, dir) {
        for one in imported {
            let reader = EpisodeReader::open(&dir.join(&one.episode.file)).unwrap();
            let verdict = verify(&reader, &mut silent);
            assert!(verdict.problems.iter().all(|problem| !problem.contains("damaged")), "{:?}", verdict.problems);
            let _ = States::read(&reader, &mut silent);
        }
    }
    if let Ok(reader) = EpisodeReader::open(source) {
        let _ = verify(&reader, &mut silent);
        let cut = EpisodeId::new("damaged-cut").unwrap();
        let _ = edit::cut(&reader, (0, u64::MAX), cut, dir, &mut silent);
    }
}

#[test]
fn damaged_anywhere_a_foreign_recording_never_panics() {
    const ROUNDS: usize = 8;
    let mut dice = ChaCha8Rng::seed_from_u64(2026);
    for (format, import) in IMPORTERS {
        for (name, right) in lines(format) {
            let dir = tempfile::tempdir().unwrap();
            let source = laid_out(format, &name, &right, dir.path());
            let files = files(&source);
            // A dataset of no files cannot be damaged.
            for _ in 0..if files.is_empty() { 0 } else { ROUNDS } {
                let file = &files[dice.random_range(0..files.len())];
                let whole = fs::read(file).unwrap();
                fs::write(file, damaged(&whole, &mut dice)).unwrap();
                meet_damage(import, &source, &dir.path().join("out"));
                fs::write(file, whole).unwrap();
            }
        }
    }
}
