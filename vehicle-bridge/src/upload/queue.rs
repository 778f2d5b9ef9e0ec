//! What goes first: the previews that are made, so that people see at once what happened; then whole episodes by what
//! they are worth, newest first. No episode waits for its preview: one that is made later goes later. A takeover's own
//! entry went before all of this, by another way.

use protocol::api::{Episode, UploadKind, UploadProgress, UploadStart};
use protocol::{EpisodeId, Trigger};
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
    /// Whether the catalogue has its row.
    pub entered: bool,
    /// How far its preview is.
    pub preview: Making,
    /// Whether it is being made ready elsewhere.
    pub redacting: bool,
    /// Whether an earlier run left it: then the control plane may know it already.
    pub found: bool,
    /// Failures in a row, and not before when it is tried again.
    pub failures: u32,
    /// See `failures`.
    pub not_before: Option<Instant>,
}

/// How far something is that takes processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Making {
    /// It is still to be made.
    #[default]
    Wanted,
    /// It is being made.
    Begun,
    /// It is made, or cannot be.
    Ended,
}

/// What an episode needs next, in the order of urgency over all episodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// It must be made ready: what is to be left out is not known yet.
    Preparation,
    /// A preview is missing at the control plane: the file of this index.
    Preview(usize),
    /// Signature or episode are missing: the file of this index.
    Content(usize),
    /// All is there but the row.
    Row,
    /// All is there: it leaves the spool.
    Departure,
}

impl Waiting {
    /// An episode that has just been finished or was found.
    #[must_use]
    pub fn new(episode: Episode, trigger: Trigger) -> Self {
        Self {
            episode,
            trigger,
            files: Vec::new(),
            entered: false,
            preview: Making::default(),
            redacting: false,
            found: false,
            failures: 0,
            not_before: None,
        }
    }

    /// What it needs next; `None` while only work elsewhere can bring it on.
    #[must_use]
    pub fn need(&self) -> Option<Need> {
        if self.files.is_empty() {
            // Begun anew in the middle of its preview: what that works on must stay until it is done.
            let is_busy = self.redacting || self.preview == Making::Begun;
            return (!is_busy).then_some(Need::Preparation);
        }
        let missing = |preview: bool| {
            let is_missing = |file: &OutFile| !file.done && is_preview(file.kind) == preview;
            self.files.iter().position(is_missing)
        };
        match (missing(true), missing(false)) {
            (Some(index), _) => Some(Need::Preview(index)),
            (None, Some(index)) => Some(Need::Content(index)),
            (None, None) if !self.entered => Some(Need::Row),
            (None, None) => (self.preview == Making::Ended).then_some(Need::Departure),
        }
    }

    /// It is ready: `files` are what is sent of `episode`. Those of an episode that the catalogue has are there.
    pub fn make_ready(&mut self, episode: Episode, mut files: Vec<OutFile>) {
        files.iter_mut().for_each(|file| file.done = self.entered);
        (self.episode, self.files, self.redacting) = (episode, files, false);
    }

    /// Its previews are made. They do not count when it was begun anew meanwhile.
    pub fn add_previews(&mut self, mut previews: Vec<OutFile>) {
        if self.files.is_empty() {
            self.preview = Making::Wanted;
            return;
        }
        previews.append(&mut self.files);
        (self.files, self.preview) = (previews, Making::Ended);
    }

    /// It has to be made ready again.
    pub fn start_over(&mut self) {
        self.files.clear();
        if self.preview == Making::Ended {
            self.preview = Making::Wanted;
        }
    }

    /// The file to be seen in its preview, once it is known.
    #[must_use]
    pub fn whole(&self) -> Option<&OutFile> {
        self.files.iter().find(|file| file.kind == UploadKind::Episode)
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
    let class = |need: Need| match need {
        // Making one ready shows what it is worth to whoever makes previews.
        Need::Preparation | Need::Preview(_) => 0,
        Need::Content(_) | Need::Row | Need::Departure => 1,
    };
    let wanted = due.filter_map(|(index, w)| w.need().map(|need| (index, w, class(need))));
    wanted.min_by_key(|(_, w, class)| (*class, worth(w))).map(|(index, ..)| index)
}

/// The index of the episode whose preview is to be made next.
#[must_use]
pub fn next_preview(waiting: &[Waiting]) -> Option<usize> {
    let wanted = waiting.iter().enumerate().filter(|(_, w)| w.preview == Making::Wanted && w.whole().is_some());
    wanted.min_by_key(|(_, w)| worth(w)).map(|(index, _)| index)
}

/// The least goes first: what it was kept for, the newest.
fn worth(w: &Waiting) -> (Trigger, Reverse<i64>, EpisodeId) {
    (w.trigger, Reverse(w.episode.start_ms), w.episode.id.clone())
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
    use protocol::{PolicyVersion, VehicleId};

    fn files(kinds: &[(UploadKind, bool)]) -> Vec<OutFile> {
        let file = |(kind, done): &(UploadKind, bool)| OutFile {
            kind: *kind,
            path: PathBuf::from("x"),
            sha256: String::new(),
            bytes: 10,
            offset: None,
            done: *done,
        };
        kinds.iter().map(file).collect()
    }

    /// Its previews, if it has any, are among `kinds`.
    fn waiting(id: &str, trigger: Trigger, start_ms: i64, kinds: &[(UploadKind, bool)]) -> Waiting {
        let episode = protocol::EpisodeInfo::new(
            EpisodeId::new(id).unwrap(),
            VehicleId::new("car").unwrap(),
            PolicyVersion::new("v").unwrap(),
        );
        let episode = Episode { start_ms, ..episode.to_api(format!("{id}.mcap"), 100, String::new()) };
        Waiting { files: files(kinds), preview: Making::Ended, ..Waiting::new(episode, trigger) }
    }

    /// What is done, in order, by name and need; `hear` is told before each step what has been done.
    fn play(all: &mut Vec<Waiting>, mut hear: impl FnMut(&mut [Waiting], &[(String, Need)])) -> Vec<(String, Need)> {
        let mut order = Vec::new();
        loop {
            hear(all, &order);
            let Some(index) = next(all, Instant::now()) else { return order };
            let item = &mut all[index];
            let need = item.need().unwrap();
            order.push((item.episode.id.to_string(), need));
            match need {
                Need::Preparation => item.make_ready(item.episode.clone(), files(&[(UploadKind::Episode, false)])),
                Need::Preview(file) | Need::Content(file) => item.files[file].done = true,
                Need::Row => item.entered = true,
                Need::Departure => drop(all.remove(index)),
            }
        }
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
        let order = play(&mut all, |_, _| ());
        let order: Vec<_> = order.iter().map(|(id, need)| (id.as_str(), *need)).collect();
        let film = Need::Preview(0);
        assert_eq!(
            order[..4],
            [("takeover-new", film), ("takeover-old", film), ("fault-unready", Need::Preparation), ("rule-new", film)]
        );
        let rest = [("takeover-new", 1), ("takeover-old", 1), ("fault-unready", 0), ("rule-new", 1)];
        let rest = rest.map(|(id, whole)| [(id, Need::Content(whole)), (id, Need::Row), (id, Need::Departure)]);
        assert_eq!(order[4..], rest.concat());
    }

    #[test]
    fn an_episode_is_there_before_its_preview_is_made_and_stays_until_that_is_there_too() {
        let unready = || Waiting { preview: Making::Wanted, ..waiting("a", Trigger::Takeover, 1, &[]) };
        let preview = || files(&[(UploadKind::PreviewState, false)]);
        let start = |all: &mut [Waiting]| {
            if let Some(index) = next_preview(all) {
                all[index].preview = Making::Begun;
            }
        };
        let needs = |order: &[(String, Need)]| order.iter().map(|(_, need)| *need).collect::<Vec<_>>();
        // Nobody has time for the preview.
        let mut all = vec![unready()];
        let before = play(&mut all, |all, _| start(all));
        assert_eq!(needs(&before), [Need::Preparation, Need::Content(0), Need::Row]);
        assert_eq!((all.len(), all[0].preview, next_preview(&all)), (1, Making::Begun, None));
        // Then it is made.
        all[0].add_previews(preview());
        assert_eq!(needs(&play(&mut all, |_, _| ())), [Need::Preview(0), Need::Departure]);
        // Made at once, it goes first.
        let mut all = vec![unready()];
        let order = play(&mut all, |all, order| {
            start(all);
            if order.len() == 1 {
                all[0].add_previews(preview());
            }
        });
        assert_eq!(needs(&order), [Need::Preparation, Need::Preview(0), Need::Content(1), Need::Row, Need::Departure]);
        // Without one it leaves, too.
        let mut all = vec![unready()];
        play(&mut all, |all, _| start(all));
        all[0].add_previews(Vec::new());
        assert_eq!(needs(&play(&mut all, |_, _| ())), [Need::Departure]);
    }

    #[test]
    fn an_episode_begun_anew_waits_for_the_preview_that_is_being_made_of_it() {
        let mut item = waiting("a", Trigger::Takeover, 1, &[(UploadKind::Episode, false)]);
        item.preview = Making::Begun;
        item.start_over();
        assert_eq!((item.need(), next_preview(std::slice::from_ref(&item))), (None, None));
        item.add_previews(files(&[(UploadKind::PreviewState, false)]));
        assert_eq!((item.need(), item.preview), (Some(Need::Preparation), Making::Wanted));
        // What the catalogue has needs nothing but its preview.
        item.entered = true;
        item.make_ready(item.episode.clone(), files(&[(UploadKind::Episode, false)]));
        assert_eq!((item.need(), next_preview(std::slice::from_ref(&item))), (None, Some(0)));
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
