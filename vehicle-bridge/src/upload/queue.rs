//! What goes first: the previews of all episodes, so that people see at once what happened; then whole episodes by what
//! they are worth, newest first. A takeover's own entry went before all of this, by another way.

use protocol::Trigger;
use protocol::api::{Episode, UploadKind, UploadProgress, UploadStart};
use std::cmp::Reverse;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longest pause after failures in a row.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A file to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutFile {
    /// What it is to the episode.
    pub kind: UploadKind,
    /// Where it lies.
    pub path: PathBuf,
    /// SHA-256, hex.
    pub sha256: String,
    /// Size.
    pub bytes: u64,
    /// How far the control plane is known to have it; `None` before it was asked.
    pub offset: Option<u64>,
    /// Whether it is stored there.
    pub done: bool,
}

/// An episode on its way.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The catalogue's row, of the file as it is uploaded once that is known.
    pub episode: Episode,
    /// Why it was kept.
    pub trigger: Trigger,
    /// What is sent; empty until it is made ready.
    pub files: Vec<OutFile>,
    /// Whether an earlier run left it: then the control plane may know it already.
    pub found: bool,
    /// Failures in a row, and not before when it is tried again.
    pub failures: u32,
    /// See `failures`.
    pub not_before: Option<Instant>,
}

/// What an episode needs next, in the order of urgency over all episodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// It must be made ready: what is to be left out is not known yet.
    Preparation,
    /// A preview is missing: the file of this index.
    Preview(usize),
    /// Signature or episode are missing: the file of this index.
    Content(usize),
    /// All is there but the row.
    Row,
}

impl Waiting {
    /// An episode that has just been finished or was found.
    #[must_use]
    pub fn new(episode: Episode, trigger: Trigger) -> Self {
        Self { episode, trigger, files: Vec::new(), found: false, failures: 0, not_before: None }
    }

    /// What it needs next.
    #[must_use]
    pub fn need(&self) -> Need {
        if self.files.is_empty() {
            return Need::Preparation;
        }
        let missing = |preview: bool| {
            let is_missing = |file: &OutFile| !file.done && is_preview(file.kind) == preview;
            self.files.iter().position(is_missing)
        };
        match (missing(true), missing(false)) {
            (Some(index), _) => Need::Preview(index),
            (None, Some(index)) => Need::Content(index),
            (None, None) => Need::Row,
        }
    }

    /// The announcement of one of its files.
    #[must_use]
    pub fn start(&self, file: &OutFile) -> UploadStart {
        UploadStart {
            vehicle: self.episode.vehicle.clone(),
            episode: self.episode.id.clone(),
            kind: file.kind,
            sha256: file.sha256.clone(),
            bytes: file.bytes,
        }
    }

    /// Where its uploads stand must be asked again.
    pub fn ask_again(&mut self) {
        self.files.iter_mut().filter(|file| !file.done).for_each(|file| file.offset = None);
    }

    /// After a failure others go first for a while, which grows.
    pub fn wait_longer(&mut self, now: Instant) {
        let pause = Duration::from_millis(100 << (2 * self.failures.min(5)));
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + pause.min(LONGEST_PAUSE));
    }

    /// Notes that something went well.
    pub fn succeed(&mut self) {
        (self.failures, self.not_before) = (0, None);
    }

    fn left_bytes(&self) -> u64 {
        if self.files.is_empty() {
            return self.episode.bytes;
        }
        let left = |file: &OutFile| if file.done { 0 } else { file.bytes - file.offset.unwrap_or(0).min(file.bytes) };
        self.files.iter().map(left).sum()
    }
}

fn is_preview(kind: UploadKind) -> bool {
    matches!(kind, UploadKind::PreviewVideo | UploadKind::PreviewState)
}

/// The index of the episode to do something for now.
#[must_use]
pub fn next(waiting: &[Waiting], now: Instant) -> Option<usize> {
    let due = waiting.iter().enumerate().filter(|(_, w)| w.not_before.is_none_or(|at| at <= now));
    let class = |w: &Waiting| match w.need() {
        // Making one ready leads to its preview.
        Need::Preparation | Need::Preview(_) => 0,
        Need::Content(_) | Need::Row => 1,
    };
    due.min_by_key(|(_, w)| (class(w), w.trigger, Reverse(w.episode.start_ms), w.episode.id.clone())).map(|(i, _)| i)
}

/// What waits.
#[must_use]
pub fn progress(waiting: &[Waiting]) -> UploadProgress {
    UploadProgress {
        episodes: waiting.len() as u64,
        bytes: waiting.iter().map(Waiting::left_bytes).sum(),
        ..UploadProgress::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{EpisodeId, PolicyVersion, VehicleId};

    fn waiting(id: &str, trigger: Trigger, start_ms: i64, kinds: &[(UploadKind, bool)]) -> Waiting {
        let file = |(kind, done): &(UploadKind, bool)| OutFile {
            kind: *kind,
            path: PathBuf::from(id),
            sha256: String::new(),
            bytes: 10,
            offset: None,
            done: *done,
        };
        let episode = protocol::EpisodeInfo::new(
            EpisodeId::new(id).unwrap(),
            VehicleId::new("car").unwrap(),
            PolicyVersion::new("v").unwrap(),
        );
        let episode = Episode { start_ms, ..episode.to_api(format!("{id}.mcap"), 100, String::new()) };
        Waiting { files: kinds.iter().map(file).collect(), ..Waiting::new(episode, trigger) }
    }

    #[test]
    fn previews_of_all_go_before_the_first_episode_then_worth_then_the_newest() {
        use UploadKind::{Episode as Whole, PreviewVideo as Film};
        let mut all = vec![
            waiting("rule-new", Trigger::Rule, 9, &[(Film, false), (Whole, false)]),
            waiting("takeover-old", Trigger::Takeover, 1, &[(Film, false), (Whole, false)]),
            waiting("takeover-new", Trigger::Takeover, 5, &[(Film, false), (Whole, false)]),
            waiting("fault-unready", Trigger::Fault, 7, &[]),
        ];
        let now = Instant::now();
        let mut order = Vec::new();
        while let Some(index) = next(&all, now) {
            let item = &mut all[index];
            let need = item.need();
            order.push((item.episode.id.to_string(), need));
            match need {
                Need::Preparation => item.files = waiting("x", item.trigger, 0, &[(Film, false), (Whole, false)]).files,
                Need::Preview(file) | Need::Content(file) => item.files[file].done = true,
                Need::Row => drop(all.remove(index)),
            }
        }
        let order: Vec<_> = order.iter().map(|(id, need)| (id.as_str(), *need)).collect();
        let (film, whole) = (Need::Preview(0), Need::Content(1));
        assert_eq!(
            order[..5],
            [
                ("takeover-new", film),
                ("takeover-old", film),
                ("fault-unready", Need::Preparation),
                ("fault-unready", film),
                ("rule-new", film)
            ]
        );
        let rest = ["takeover-new", "takeover-old", "fault-unready", "rule-new"];
        assert_eq!(order[5..], rest.map(|id| [(id, whole), (id, Need::Row)]).concat());
    }

    #[test]
    fn who_fails_waits_longer_each_time_and_lets_others_go_on() {
        let now = Instant::now();
        let mut all = vec![
            waiting("a", Trigger::Takeover, 2, &[(UploadKind::Episode, false)]),
            waiting("b", Trigger::Rule, 1, &[(UploadKind::Episode, false)]),
        ];
        assert_eq!((next(&all, now), progress(&all).bytes), (Some(0), 20));
        let mut pauses = Vec::new();
        for _ in 0..20 {
            all[0].files[0].offset = Some(5);
            all[0].ask_again();
            all[0].wait_longer(now);
            assert_eq!((next(&all, now), all[0].files[0].offset), (Some(1), None));
            pauses.push(all[0].not_before.unwrap() - now);
        }
        assert!(pauses.is_sorted() && pauses[0] >= Duration::from_millis(100) && pauses[19] == LONGEST_PAUSE);
        assert_eq!(next(&all, now + LONGEST_PAUSE), Some(0));
        all[0].succeed();
        assert_eq!(next(&all, now), Some(0));
        assert_eq!(next(&[], now), None);
    }
}
