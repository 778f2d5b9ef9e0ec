//! Making room on a full disk: which finished files go first.
//!
//! The rule: parts of the drive log go first, then episodes by what opened them ([`Trigger`], the least valuable
//! first), the oldest first among equals. Takeovers, emergency stops and faults never go
//! ([`Trigger::is_evictable`]), nor does a file that is being written.

use crate::container::sync_folder;
use crate::recovery::files_ending;
use crate::{EpisodeReader, RecorderError, signature};
use protocol::Trigger;
use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

/// A finished file that might go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    trigger: Trigger,
    start_ns: u64,
    path: PathBuf,
    bytes: u64,
}

/// The candidates to remove for `wanted_bytes`, in the order of the rule.
fn choose(mut candidates: Vec<Candidate>, wanted_bytes: u64) -> Vec<Candidate> {
    candidates.retain(|candidate| candidate.trigger.is_evictable());
    candidates.sort_by_key(|candidate| (Reverse(candidate.trigger), candidate.start_ns, candidate.path.clone()));
    let mut freed = 0;
    let needed = |candidate: &Candidate| {
        let more = freed < wanted_bytes;
        freed += candidate.bytes;
        more
    };
    candidates.into_iter().take_while(needed).collect()
}

/// Removes files in `dirs` until `wanted_bytes` are free or nothing may go. Returns what went.
pub(crate) fn evict(dirs: &[&Path], wanted_bytes: u64) -> Result<Vec<PathBuf>, RecorderError> {
    let mut candidates = Vec::new();
    for dir in dirs.iter().filter(|dir| dir.exists()) {
        for path in files_ending(dir, ".mcap")? {
            // A file that cannot be read is left for people.
            let Ok(reader) = EpisodeReader::open(&path) else { continue };
            let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            let info = reader.info();
            candidates.push(Candidate { trigger: info.trigger, start_ns: info.start_ns, path, bytes });
        }
    }
    let mut gone = Vec::new();
    for Candidate { path, .. } in choose(candidates, wanted_bytes) {
        fs::remove_file(&path).map_err(RecorderError::io("remove", &path))?;
        let _ = fs::remove_file(signature::path_beside(&path));
        sync_folder(&path)?;
        gone.push(path);
    }
    Ok(gone)
}

/// Bytes that the disk of `dir` has left for us.
pub(crate) fn free_bytes(dir: &Path) -> Option<u64> {
    let answer = rustix::fs::statvfs(dir).ok()?;
    answer.f_bavail.checked_mul(answer.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_the_least_value_goes_first_and_a_takeover_never() {
        let candidate = |trigger: Trigger, start_ns: u64| Candidate {
            trigger,
            start_ns,
            path: PathBuf::from(format!("{}-{start_ns}", trigger.label())),
            bytes: 10,
        };
        let all: Vec<_> = Trigger::ALL.iter().flat_map(|t| [candidate(*t, 2), candidate(*t, 1)]).collect();
        let names = |bytes| -> Vec<_> {
            choose(all.clone(), bytes).into_iter().map(|c| c.path.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(0), Vec::<String>::new());
        assert_eq!(names(15), ["drive_log-1", "drive_log-2"]);
        assert_eq!(names(31)[2..], ["rule-1", "rule-2"]);
        let everything = names(u64::MAX);
        assert_eq!(everything.len(), 14);
        assert_eq!(everything[13], "near_miss-2");
    }
}
