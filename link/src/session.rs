//! How a session stands, as either of its ends sees it: which paths it has, over which the other side is heard, which one
//! is called for when, and when all of it is over. Sans-IO: it is told the time and what happened.
//!
//! Every path is like every other: the first one only has the lowest key. A path that falls silent is requested again,
//! from whatever addresses this machine has by then: one that changes its network keeps its session, not its sockets.

use crate::MAX_PATHS;
use protocol::Failure;
use std::time::{Duration, Instant};

/// Something is said over each path many times a second: one that is silent for so long is dead, until it is heard again.
const DEAD_AFTER: Duration = Duration::from_secs(1);
/// How long a call for a path may take before another one is made.
const CALL_TAKES: Duration = Duration::from_secs(3);
/// How often a missing path is called for while others carry the session, and while none does.
const CALL_EVERY: (Duration, Duration) = (Duration::from_secs(3), Duration::from_millis(500));

/// Names a path within its session; 0 is the one that the session began with.
pub(crate) type PathKey = u32;

/// How long what may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The other side, as people are told of it.
    pub(crate) of: &'static str,
    /// From the beginning to the first path whose channels are open.
    pub(crate) set_up: Duration,
    /// Nobody who is there is silent for so long.
    pub(crate) silence: Duration,
    /// Silence after which nobody is waited for any longer; `None` where the paths' own ends decide.
    pub(crate) give_up: Option<Duration>,
}

/// Why a path or a session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// For the person.
    pub(crate) reason: String,
    /// For programs.
    pub(crate) code: Option<Failure>,
}

impl Ending {
    pub(crate) fn new(reason: impl Into<String>, code: Option<Failure>) -> Self {
        Self { reason: reason.into(), code }
    }
}

/// What changed for the session as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It can be used in both directions, for the first time.
    Connected,
    /// Nothing is heard over any path; it goes on where it was when one comes back.
    Silent(String),
    /// The other side is heard again.
    Back,
    Over(Ending),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    SettingUp,
    Connected,
    /// Since then nothing was heard for too long.
    Silent(Instant),
}

/// How a path stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The other side is heard over it.
    Lives,
    /// Called for, not there yet.
    Called,
    /// Silent; it may come back.
    Dead,
}

#[derive(Debug)]
struct PathState {
    key: PathKey,
    /// Which of the paths it is, and in whose place it stands: two of the same are one too many.
    index: usize,
    /// Carries packets, or did until it fell silent.
    up: bool,
    /// When the other side was last heard over it; before it is up, when it was called for.
    heard: Instant,
}

impl PathState {
    fn standing(&self, now: Instant) -> Standing {
        let quiet = now.saturating_duration_since(self.heard);
        match self.up {
            true if quiet <= DEAD_AFTER => Standing::Lives,
            false if quiet <= CALL_TAKES => Standing::Called,
            _ => Standing::Dead,
        }
    }
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct SessionState {
    limits: Limits,
    began: Instant,
    phase: Phase,
    paths: Vec<PathState>,
    next_key: PathKey,
    /// When a path was last called for by [`Self::missing`].
    called: Option<Instant>,
}

impl SessionState {
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, began: now, phase: Phase::SettingUp, paths: Vec::new(), next_key: 0, called: None }
    }

    /// A path is called for, as number `index` of the session's.
    pub(crate) fn add(&mut self, index: usize, now: Instant) -> PathKey {
        let key = self.next_key;
        self.next_key += 1;
        self.paths.push(PathState { key, index, up: false, heard: now });
        key
    }

    fn path(&mut self, key: PathKey) -> Option<&mut PathState> {
        self.paths.iter_mut().find(|path| path.key == key)
    }

    /// A path's transport carries packets.
    pub(crate) fn up(&mut self, key: PathKey, now: Instant) {
        if let Some(path) = self.path(key) {
            (path.up, path.heard) = (true, now);
        }
    }

    /// A path's reliable channels are open: with the first one the session can be used.
    pub(crate) fn open(&mut self, key: PathKey, now: Instant) -> Option<Change> {
        self.up(key, now);
        (self.phase == Phase::SettingUp).then(|| {
            self.phase = Phase::Connected;
            Change::Connected
        })
    }

    /// The other side was heard over a path, at `at`.
    pub(crate) fn heard(&mut self, key: PathKey, at: Instant) -> Option<Change> {
        let path = self.path(key)?;
        path.heard = path.heard.max(at);
        let is_back = matches!(self.phase, Phase::Silent(since) if at >= since);
        is_back.then(|| {
            self.phase = Phase::Connected;
            Change::Back
        })
    }

    /// A path is over. So is the session with the last one that carries packets, and before any does, with the last.
    pub(crate) fn over(&mut self, key: PathKey, ending: Ending) -> Option<Change> {
        let was_up = self.path(key)?.up;
        self.paths.retain(|path| path.key != key);
        let nobody = match self.phase {
            Phase::SettingUp => self.paths.is_empty(),
            Phase::Connected | Phase::Silent(_) => was_up && !self.paths.iter().any(|path| path.up),
        };
        nobody.then_some(Change::Over(ending))
    }

    /// What the time brings; to be asked several times a second.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Change> {
        let Limits { of, set_up, silence, give_up } = self.limits;
        let quiet = now.saturating_duration_since(self.newest());
        match self.phase {
            Phase::SettingUp if now.saturating_duration_since(self.began) > set_up => {
                let reason = format!("no connection within {set_up:?}");
                Some(Change::Over(Ending::new(reason, Some(Failure::IceFailedNoPath))))
            }
            Phase::Connected if quiet > silence => {
                self.phase = Phase::Silent(now);
                Some(Change::Silent(format!("nothing heard of {of} for {silence:?}")))
            }
            Phase::Silent(_) if give_up.is_some_and(|limit| quiet > limit) => {
                let reason = format!("nothing heard of {of} for {:?}", give_up.unwrap_or_default());
                Some(Change::Over(Ending::new(reason, Some(Failure::PathLost))))
            }
            _ => None,
        }
    }

    /// When the other side was last heard over any path; the beginning, if never.
    fn newest(&self) -> Instant {
        self.paths.iter().filter(|path| path.up).map(|path| path.heard).max().unwrap_or(self.began)
    }

    /// Whether it can be used, or could until it fell silent.
    pub(crate) fn is_connected(&self) -> bool {
        self.phase != Phase::SettingUp
    }

    /// Whether it could be used and nothing is heard any more.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self.phase, Phase::Silent(_))
    }

    /// Paths that carry packets, or did until they fell silent.
    pub(crate) fn paths_up(&self) -> usize {
        self.paths.iter().filter(|path| path.up).count()
    }

    /// The path for what must go over one only: the first over which the other side is heard.
    pub(crate) fn first_alive(&self, now: Instant) -> Option<PathKey> {
        self.paths.iter().find(|path| path.standing(now) == Standing::Lives).map(|path| path.key)
    }

    /// Forgets the paths in whose place another one lives, and returns them: they are to be closed.
    pub(crate) fn surplus(&mut self, now: Instant) -> Vec<PathKey> {
        let lives = |path: &PathState| path.standing(now) == Standing::Lives;
        // Of several that live in one place the first stays.
        let kept: Vec<Option<PathKey>> = (0..MAX_PATHS)
            .map(|index| self.paths.iter().find(|path| path.index == index && lives(path)).map(|path| path.key))
            .collect();
        let is_surplus =
            |path: &PathState| kept.get(path.index).copied().flatten().is_some_and(|kept| kept != path.key);
        self.paths.extract_if(.., |path| is_surplus(path)).map(|path| path.key).collect()
    }

    /// Which of the `wanted` paths is to be called for now, and which paths are given up for it: calls that nobody
    /// answered. One that was there may come back.
    pub(crate) fn missing(&mut self, wanted: usize, now: Instant) -> Option<(usize, Vec<PathKey>)> {
        let is_there =
            |index: &usize| self.paths.iter().any(|path| path.index == *index && path.standing(now) != Standing::Dead);
        let index = (0..wanted.min(MAX_PATHS)).find(|index| !is_there(index))?;
        let is_deaf = self.first_alive(now).is_none();
        let pause = if is_deaf { CALL_EVERY.1 } else { CALL_EVERY.0 };
        if self.called.is_some_and(|called| now.saturating_duration_since(called) < pause) {
            return None;
        }
        self.called = Some(now);
        Some((index, self.forget_calls(|path| path.index == index)))
    }

    /// Calls may never have left: forgets those that are not up, and returns them.
    pub(crate) fn call_again(&mut self) -> Vec<PathKey> {
        self.called = None;
        self.forget_calls(|_| true)
    }

    fn forget_calls(&mut self, which: impl Fn(&PathState) -> bool) -> Vec<PathKey> {
        self.paths.extract_if(.., |path| !path.up && which(path)).map(|path| path.key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        of: "the other side",
        set_up: Duration::from_secs(12),
        silence: Duration::from_secs(2),
        give_up: Some(Duration::from_secs(30)),
    };

    /// A session whose path 0 is open, and its beginning.
    fn connected() -> (SessionState, Instant) {
        let start = Instant::now();
        let mut session = SessionState::new(LIMITS, start);
        assert_eq!(session.add(0, start), 0);
        assert_eq!(session.open(0, start), Some(Change::Connected));
        (session, start)
    }

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    fn gone() -> Ending {
        Ending::new("gone", None)
    }

    #[test]
    fn a_session_is_set_up_in_time_or_over_and_ends_with_its_only_path() {
        let start = Instant::now();
        let mut session = SessionState::new(LIMITS, start);
        session.add(0, start);
        assert_eq!(session.tick(after(start, 12_000)), None);
        let Some(Change::Over(ending)) = session.tick(after(start, 12_001)) else { panic!("still set up") };
        assert_eq!((ending.code, ending.reason.contains("12s")), (Some(Failure::IceFailedNoPath), true));
        assert_eq!(session.over(0, gone()), Some(Change::Over(gone())));
        let (mut session, start) = connected();
        assert_eq!(session.open(0, start), None, "once is enough");
        assert_eq!(session.over(0, gone()), Some(Change::Over(gone())));
        assert_eq!(session.over(0, gone()), None, "nobody is told twice");
    }

    #[test]
    fn a_session_outlives_its_first_path_while_another_carries_it() {
        let (mut session, start) = connected();
        let second = session.add(1, start);
        let called = session.add(0, start);
        session.up(second, start);
        assert_eq!((session.over(0, gone()), session.paths_up()), (None, 1));
        assert_eq!(session.first_alive(start), Some(second));
        assert_eq!(session.over(called, gone()), None, "a call that comes to nothing changes nothing");
        assert_eq!(session.over(second, gone()), Some(Change::Over(gone())));
    }

    #[test]
    fn silence_is_told_once_and_so_is_its_end() {
        let (mut session, start) = connected();
        assert_eq!(session.heard(0, after(start, 500)), None);
        assert_eq!(session.tick(after(start, 2_500)), None);
        assert!(matches!(session.tick(after(start, 2_501)), Some(Change::Silent(_))));
        assert!(session.tick(after(start, 2_600)).is_none() && session.is_silent() && session.is_connected());
        // What was heard before is no sign of life.
        assert_eq!(session.heard(0, after(start, 400)), None);
        assert_eq!(session.heard(0, after(start, 3_000)), Some(Change::Back));
        assert!(session.heard(0, after(start, 3_001)).is_none() && !session.is_silent());
        assert!(matches!(session.tick(after(start, 5_100)), Some(Change::Silent(_))));
        assert_eq!(session.tick(after(start, 33_001)), None);
        let Some(Change::Over(ending)) = session.tick(after(start, 33_002)) else { panic!("waited for") };
        assert_eq!(ending.code, Some(Failure::PathLost));
    }

    #[test]
    fn a_path_that_is_silent_is_called_for_anew_whichever_it_is() {
        let (mut session, start) = connected();
        assert_eq!(session.missing(1, after(start, 1_000)), None);
        assert_eq!(session.missing(2, after(start, 1_000)), Some((1, vec![])));
        let second = session.add(1, after(start, 1_000));
        // Path 0 is silent now, and nobody else is heard: that cannot wait.
        assert_eq!(session.missing(2, after(start, 1_499)), None, "not sooner");
        assert_eq!(session.missing(2, after(start, 1_500)), Some((0, vec![])), "path 0 itself may come back");
        let anew = session.add(0, after(start, 1_500));
        session.up(second, after(start, 1_600));
        // Not twice at once, and in no hurry while another path lives.
        assert_eq!(session.missing(2, after(start, 2_400)), None);
        let _ = session.heard(second, after(start, 4_500));
        assert_eq!(session.missing(2, after(start, 4_501)), Some((0, vec![anew])), "a call of 3 s is given up");
        assert_eq!(session.missing(9, after(start, 9_000)).map(|(index, _)| index), Some(0));
        let (mut session, start) = connected();
        for index in 1..MAX_PATHS {
            let key = session.add(index, start);
            session.up(key, start);
        }
        assert_eq!(session.missing(9, start), None, "more than are possible are not called for");
    }

    #[test]
    fn of_several_paths_in_one_place_one_that_lives_stays() {
        let (mut session, start) = connected();
        let twin = session.add(0, start);
        session.up(twin, start);
        let other = session.add(1, start);
        assert_eq!(session.surplus(start), [twin], "both live");
        // The machine moved: what took the first one's place stays instead.
        let moved = session.add(0, after(start, 1_600));
        session.up(moved, after(start, 1_700));
        assert_eq!(session.surplus(after(start, 1_700)), [0]);
        session.up(other, start);
        let called = session.add(1, after(start, 1_700));
        assert!(session.surplus(after(start, 1_700)).is_empty(), "whichever comes first will do");
        assert_eq!(session.call_again(), [called]);
        assert_eq!(session.paths_up(), 2);
    }
}
