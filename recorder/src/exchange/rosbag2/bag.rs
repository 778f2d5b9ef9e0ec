//! The files of a bag: its folder, and what `metadata.yaml` says of it.

use super::super::ExchangeError;
use super::super::report::Notes;
use crate::recovery::files_ending;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest `metadata.yaml` that is read.
const MAX_METADATA_BYTES: u64 = 16 << 20;

/// How files begin that people take for MCAP.
const FOREIGN: [(&[u8], &str); 6] = [
    (b"SQLite format 3\0", "it is a bag in SQLite; `ros2 bag convert` makes MCAP of it"),
    (b"\x28\xb5\x2f\xfd", "it is compressed as a whole with zstd; `zstd -d FILE` unpacks it"),
    (b"\x04\x22\x4d\x18", "it is compressed as a whole with lz4; `lz4 -d FILE` unpacks it"),
    (b"\x1f\x8b", "it is compressed as a whole with gzip; `gunzip FILE` unpacks it"),
    (b"#ROSBAG V", "it is a bag of ROS 1; `mcap convert FILE.bag FILE.mcap` makes MCAP of it"),
    (b"PK\x03\x04", "it is a ZIP archive; unpack it first"),
];

/// What is to be read, in its order.
pub(super) struct Bag {
    pub files: Vec<PathBuf>,
    /// Whether each message is compressed by itself, with zstd.
    pub is_compressed: bool,
}

impl Bag {
    pub fn open(path: &Path, notes: &mut Notes) -> Result<Self, ExchangeError> {
        if !path.is_dir() {
            let (file, ending) = (path.to_owned(), path.extension().unwrap_or_default());
            if ending == "db3" && !path.exists() {
                return Err(ExchangeError::unfit(path, FOREIGN[0].1));
            }
            check(path)?;
            // A file of a bag that lies in its folder.
            let about = About::read(&path.with_file_name("metadata.yaml"))?;
            let is_compressed = about.lists(path) && about.says_compressed(notes)?;
            return Ok(Self { files: vec![file], is_compressed });
        }
        let about = About::read(&path.join("metadata.yaml"))?;
        let mut files = files_ending(path, ".mcap")?;
        let others: Vec<PathBuf> = [".db3", ".zstd", ".zst", ".bag"]
            .iter()
            .map(|ending| files_ending(path, ending))
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        if files.is_empty() {
            others.iter().try_for_each(|file| check(file))?;
            return Err(ExchangeError::unfit(path, "there is no .mcap file in this folder"));
        }
        notes.count(
            others.len(),
            "file",
            "files",
            format!("of the bag that are not MCAP are left out: {}", names(&others)),
        );
        // bag_2 comes before bag_10.
        files.sort_by_key(|file| (number_of(file), file.clone()));
        about.compare(&files, notes);
        // Where none has the name that it had, all of them were renamed.
        if files.iter().any(|file| about.lists(file)) {
            let unlisted: Vec<PathBuf> = files.extract_if(.., |file| !about.lists(file)).collect();
            let so = format!("left out for not being in the list of metadata.yaml: {}", names(&unlisted));
            notes.count(unlisted.len(), "file", "files", so);
        }
        files.iter().try_for_each(|file| check(file))?;
        let is_compressed = about.says_compressed(notes)?;
        Ok(Self { files, is_compressed })
    }
}

fn names(files: &[PathBuf]) -> String {
    let names = files.iter().map(|file| file.file_name().unwrap_or_default().to_string_lossy().into_owned());
    names.collect::<Vec<_>>().join(", ")
}

fn number_of(file: &Path) -> Option<u64> {
    file.file_stem()?.to_str()?.rsplit_once('_')?.1.parse().ok()
}

/// Says what to do with a file of another format.
fn check(path: &Path) -> Result<(), ExchangeError> {
    let mut begin = [0; 16];
    let mut file = File::open(path).map_err(ExchangeError::io("open", path))?;
    let mut length = 0;
    while length < begin.len() {
        match file.read(&mut begin[length..]).map_err(ExchangeError::io("read", path))? {
            0 => break,
            read => length += read,
        }
    }
    match FOREIGN.iter().find(|(magic, _)| begin[..length].starts_with(magic)) {
        Some((_, advice)) => Err(ExchangeError::unfit(path, *advice)),
        None => Ok(()),
    }
}

/// The little of `metadata.yaml` that matters here; a bag without one is read all the same.
#[derive(Default)]
struct About {
    path: PathBuf,
    is_there: bool,
    is_compressed: bool,
    /// How, when it says so.
    compression: String,
    /// Names of the files it lists, without folders.
    files: Vec<String>,
}

impl About {
    fn read(path: &Path) -> Result<Self, ExchangeError> {
        let mut about = Self { path: path.to_owned(), ..Self::default() };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(about),
            Err(error) => return Err(ExchangeError::io("open", path)(error)),
        };
        about.is_there = true;
        let mut text = Vec::new();
        file.take(MAX_METADATA_BYTES).read_to_end(&mut text).map_err(ExchangeError::io("read", path))?;
        let text = String::from_utf8_lossy(&text);
        let value = |line: &str, key: &str| {
            let value = line.trim().strip_prefix(key)?.trim_start().strip_prefix(':')?;
            Some(value.trim().trim_matches(['"', '\'']).to_owned())
        };
        let mut in_list = false;
        for line in text.lines() {
            if let Some(mode) = value(line, "compression_mode") {
                about.is_compressed = mode.eq_ignore_ascii_case("message");
            }
            if let Some(format) = value(line, "compression_format") {
                about.compression = format;
            }
            match line.trim().strip_prefix("- ") {
                Some(name) if in_list => {
                    let name = name.trim().trim_matches(['"', '\'']);
                    about.files.push(name.rsplit('/').next().unwrap_or_default().to_owned());
                }
                _ => in_list = line.trim() == "relative_file_paths:",
            }
        }
        Ok(about)
    }

    /// Whether it names this file.
    fn lists(&self, file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        self.files.iter().any(|listed| *listed == name)
    }

    /// Whether each message is compressed by itself; an error when nobody here can read it.
    fn says_compressed(&self, notes: &mut Notes) -> Result<bool, ExchangeError> {
        if !["", "zstd"].contains(&self.compression.as_str()) {
            let problem = format!("compression_format is {:?}; zstd can be read", self.compression);
            return Err(ExchangeError::unfit(&self.path, problem));
        }
        if self.is_compressed {
            notes.say("its messages were compressed one by one, and are not any more");
        }
        Ok(self.is_compressed)
    }

    fn compare(&self, files: &[PathBuf], notes: &mut Notes) {
        if !self.is_there {
            return notes.say("the bag has no metadata.yaml; its files are read in the order of their numbers");
        }
        let there = |name: &str| files.iter().any(|file| file.file_name().is_some_and(|found| found == name));
        // What macOS leaves beside a file ("._NAME") is not a file of the bag, whoever listed it.
        for missing in self.files.iter().filter(|name| !there(name) && !name.starts_with("._")) {
            notes.say(format!("metadata.yaml lists {missing}, which is not there"));
        }
    }
}
