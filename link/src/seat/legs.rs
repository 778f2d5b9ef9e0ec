//! The further paths of a session, seen from the seat: which are wanted, which live, and when one is called for.
//!
//! A path that falls silent is called for anew, from whatever addresses this machine has by then: one that changes its
//! network keeps its session, not its sockets.

use super::Shared;
use super::leg::{Lanes, LegHandle, LegInputs};
use crate::MAX_PATHS;
use crate::peer::Incoming;
use crate::signalling::Signalling;
use bytes::Bytes;
use protocol::signalling::Signal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A vehicle says something over each path many times a second: one that is silent for so long is dead.
const DEAD_AFTER: Duration = Duration::from_secs(1);
/// How long a call may take before another one is made.
const CALL_TAKES: Duration = Duration::from_secs(3);
/// How often a missing path is called for, while others carry the session and while none does.
const CALL_EVERY: (Duration, Duration) = (Duration::from_secs(3), Duration::from_millis(500));

/// How a path stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The vehicle is heard over it.
    Lives,
    /// Called for, not there yet.
    Called,
    /// Silent; it may come back.
    Dead,
}

fn standing(is_up: bool, quiet: Duration) -> Standing {
    match is_up {
        true if quiet <= DEAD_AFTER => Standing::Lives,
        false if quiet <= CALL_TAKES => Standing::Called,
        _ => Standing::Dead,
    }
}

/// The first of the `wanted` paths that neither lives nor is called for.
fn missing(wanted: usize, first_lives: bool, further: &[(usize, Standing)]) -> Option<usize> {
    let is_there = |index: usize| {
        (index == 0 && first_lives) || further.iter().any(|(i, standing)| *i == index && *standing != Standing::Dead)
    };
    (0..wanted.min(MAX_PATHS)).find(|index| !is_there(*index))
}

/// Which of the further paths are too many: those in whose place another one lives.
fn surplus(first_lives: bool, further: &[(usize, Standing)]) -> Vec<bool> {
    let mut taken = [first_lives, false, false];
    further.iter().filter(|(_, standing)| *standing == Standing::Lives).for_each(|(index, _)| taken[*index] = true);
    let mut kept = [first_lives, false, false];
    let is_surplus = |(index, standing): &(usize, Standing)| {
        let is_kept = !taken[*index] || (*standing == Standing::Lives && !std::mem::replace(&mut kept[*index], true));
        !is_kept
    };
    further.iter().map(is_surplus).collect()
}

/// The further paths.
pub(super) struct Legs {
    handles: Vec<LegHandle>,
    called: u64,
    tried: Option<Instant>,
    to_session: mpsc::Sender<Incoming>,
    lanes: Arc<Lanes>,
}

impl Legs {
    /// None yet; what the vehicle says over them goes to `to_session`.
    pub(super) fn new(to_session: mpsc::Sender<Incoming>, lanes: Arc<Lanes>) -> Self {
        Self { handles: Vec::new(), called: 0, tried: None, to_session, lanes }
    }

    /// Those that carry packets, or did until they fell silent.
    pub(super) fn up(&self) -> impl Iterator<Item = &LegHandle> {
        self.handles.iter().filter(|leg| leg.is_up())
    }

    /// Drops what is too many and calls for what is missing. `first_quiet` is for how long the vehicle was not heard over
    /// the first path; `None` once that is gone for good.
    pub(super) fn keep(
        &mut self,
        wanted: usize,
        first_quiet: Option<Duration>,
        (shared, session, signalling): (&Arc<Shared>, &str, &Signalling),
    ) {
        self.handles.retain(|leg| !leg.is_over());
        let first_lives = first_quiet.is_some_and(|quiet| quiet <= DEAD_AFTER);
        let mut surplus = surplus(first_lives, &self.standings()).into_iter();
        self.handles.retain(|_| !surplus.next().unwrap_or(false));
        let standings = self.standings();
        let Some(index) = missing(wanted, first_lives, &standings) else { return };
        let is_deaf = !first_lives && standings.iter().all(|(_, standing)| *standing != Standing::Lives);
        let pause = if is_deaf { CALL_EVERY.1 } else { CALL_EVERY.0 };
        if self.tried.is_some_and(|tried| tried.elapsed() < pause) {
            return;
        }
        // A call that was not answered is given up; a path that was there may come back.
        self.handles.retain(|leg| leg.index != index || leg.is_up());
        self.call(index, shared, session, signalling);
    }

    fn standings(&self) -> Vec<(usize, Standing)> {
        self.handles.iter().map(|leg| (leg.index, standing(leg.is_up(), leg.quiet()))).collect()
    }

    fn call(&mut self, index: usize, shared: &Arc<Shared>, session: &str, signalling: &Signalling) {
        self.tried = Some(Instant::now());
        self.called += 1;
        self.handles.push(LegHandle::start(LegInputs {
            shared: shared.clone(),
            session: session.to_owned(),
            id: format!("{session}~{}", self.called),
            index,
            peer: signalling.peer_config(),
            out: signalling.outgoing.clone(),
            to_session: self.to_session.clone(),
            lanes: self.lanes.clone(),
        }));
    }

    /// The control plane is there again: what was called for over the connection that is gone may never have left.
    pub(super) fn call_again(&mut self) {
        self.handles.retain(LegHandle::is_up);
        self.tried = None;
    }

    /// Hands on what the vehicle signals about a path.
    pub(super) fn on_signal(&self, signal: &Signal) {
        if let Some(leg) = self.handles.iter().find(|leg| signal.session() == Some(&leg.id)) {
            let _ = leg.signals.try_send(signal.clone());
        }
    }

    /// Sends a request over all of them.
    pub(super) fn send_request(&self, request: &Bytes) {
        self.up().for_each(|leg| _ = leg.requests.try_send(request.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Called, Dead, Lives};
    use super::*;

    #[test]
    fn a_path_that_is_silent_is_called_for_anew() {
        let quiet = |ms| Duration::from_millis(ms);
        assert_eq!((standing(true, quiet(900)), standing(true, quiet(1_100))), (Lives, Dead));
        assert_eq!((standing(false, quiet(2_900)), standing(false, quiet(3_100))), (Called, Dead));
        assert_eq!(missing(1, true, &[]), None);
        assert_eq!(missing(1, false, &[]), Some(0));
        assert_eq!(missing(1, false, &[(0, Called)]), None, "not twice at once");
        // The machine moved, and moved again: what took the first one's place is as dead.
        assert_eq!(missing(1, false, &[(0, Dead)]), Some(0));
        assert_eq!(missing(2, false, &[(0, Dead), (1, Lives)]), Some(0));
        assert_eq!(missing(2, true, &[(1, Dead), (1, Called)]), None);
        assert_eq!(missing(9, true, &[(1, Lives), (2, Lives)]), None, "more than are possible are not called for");
    }

    #[test]
    fn of_several_in_one_place_one_that_lives_stays() {
        assert_eq!(surplus(true, &[(0, Lives), (0, Dead), (1, Dead)]), [true, true, false]);
        assert_eq!(surplus(false, &[(0, Dead), (0, Called)]), [false, false], "whichever comes first will do");
        assert_eq!(surplus(false, &[(0, Dead), (0, Lives), (0, Lives)]), [true, false, true]);
        assert_eq!(surplus(true, &[(1, Lives), (2, Called)]), [false, false]);
    }
}
