//! What all tasks of a session know, and what becomes of the seat's messages.

use super::media::Input;
use super::offer::PathLife;
use super::{LIMITS, Note};
use crate::paths::Seen;
use crate::peer::Incoming;
use crate::session::{Change, Ending, PathKey, SessionState};
use crate::vehicle::Shared;
use crate::vehicle::inbox::{FromSeat, FromSeatBody};
use crate::{COMMAND_CHANNEL, MAX_INPUTS, REQUESTS_CHANNEL};
use prost::Message;
use protocol::v1;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Malformed messages of one session told in full; of more, every hundredth.
const MALFORMED_TOLD: u64 = 20;
/// An e-stop that rides on many datagrams is told this often, microseconds.
const ESTOP_EVERY_US: u64 = 1_000_000;
/// Camera feedback in one datagram; more is no honest seat's.
const MAX_PICTURES: usize = 8;

pub(super) struct Context {
    pub(super) id: String,
    pub(super) seat: String,
    pub(super) watch_only: bool,
    /// Names of what the seat understands beyond plain WebRTC.
    pub(super) features: Vec<String>,
    pub(super) shared: Arc<Shared>,
    /// Stream numbers of the cameras, the same on all paths.
    pub(super) ssrcs: Vec<u32>,
    /// To the task that sends the pictures.
    pub(super) media: mpsc::Sender<Input>,
    /// What came already over another path: datagrams and requests.
    seen: Mutex<(Seen, Seen)>,
    /// Newest clock ping, when it came, and how many came before; answered with the next state on each path.
    ping: Mutex<Option<(v1::ClockPing, u64, u64)>>,
    /// To the session manager.
    notes: mpsc::Sender<Note>,
    malformed: AtomicU64,
    /// When a datagram's e-stop was told last.
    estop_us: Mutex<Option<u64>>,
    pub(super) media_up: AtomicBool,
    paths: Mutex<Paths>,
}

/// How the session and its paths stand.
struct Paths {
    state: SessionState,
    lives: BTreeMap<PathKey, PathLife>,
}

impl Context {
    pub(super) fn new(
        (id, seat): (String, String),
        watch_only: bool,
        features: Vec<String>,
        shared: Arc<Shared>,
        notes: mpsc::Sender<Note>,
        media: mpsc::Sender<Input>,
    ) -> Self {
        // Any number will do that differs between streams; the standard hasher's keys are the system's randomness.
        let ssrc = |_| (std::hash::RandomState::new().build_hasher().finish() as u32).max(1);
        let ssrcs = (0..shared.cameras.specs().len()).map(ssrc).collect();
        Self {
            id,
            seat,
            watch_only,
            features,
            shared,
            ssrcs,
            media,
            seen: Mutex::default(),
            ping: Mutex::new(None),
            notes,
            malformed: AtomicU64::new(0),
            estop_us: Mutex::default(),
            media_up: AtomicBool::new(false),
            paths: Mutex::new(Paths { state: SessionState::new(LIMITS, Instant::now()), lives: BTreeMap::new() }),
        }
    }

    fn paths(&self) -> MutexGuard<'_, Paths> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A path is offered.
    pub(super) fn add_path(&self, index: usize) -> (PathKey, PathLife) {
        let (mut paths, life) = (self.paths(), PathLife::default());
        let key = paths.state.add(index, Instant::now());
        paths.lives.insert(key, life.clone());
        (key, life)
    }

    pub(super) fn path_up(&self, key: PathKey) {
        self.paths().state.up(key, Instant::now());
    }

    pub(super) fn path_open(&self, key: PathKey) -> Option<Change> {
        self.paths().state.open(key, Instant::now())
    }

    pub(super) fn path_over(&self, key: PathKey, ending: Ending) -> Option<Change> {
        let mut paths = self.paths();
        paths.lives.remove(&key);
        paths.state.over(key, ending)
    }

    /// A message came over a path.
    pub(super) fn path_heard(&self, key: PathKey) -> Option<Change> {
        let mut paths = self.paths();
        paths.lives.get(&key)?.heard(self);
        paths.state.heard(key, Instant::now())
    }

    /// What the time brings.
    pub(super) fn tick(&self) -> Option<Change> {
        let mut paths = self.paths();
        let Paths { state, lives } = &mut *paths;
        // Requests for lost packets and the like are signs of life, too.
        for (key, life) in lives.iter().filter(|(_, life)| life.is_up()) {
            let at = self.shared.origin + Duration::from_micros(life.heard_us.load(Ordering::Relaxed));
            if let Some(change) = state.heard(*key, at) {
                return Some(change);
            }
        }
        state.tick(Instant::now())
    }

    /// The seat could use the session and has not been heard for a while.
    pub(super) fn is_silent(&self) -> bool {
        self.paths().state.is_silent()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.paths().state.is_connected()
    }

    pub(super) fn has_feature(&self, name: &str) -> bool {
        self.features.iter().any(|f| f == name)
    }

    pub(super) fn tell(&self, body: FromSeatBody) {
        self.shared.inbox.put(FromSeat {
            session: self.id.clone(),
            seat_id: self.seat.clone(),
            watch_only: self.watch_only,
            received_us: self.shared.now_us(),
            body,
        });
    }

    fn malformed(&self, what: String) {
        self.shared.stats.count_malformed();
        // A seat that sends nothing else must not crowd out the others.
        let before = self.malformed.fetch_add(1, Ordering::Relaxed);
        if before < MALFORMED_TOLD || before.is_multiple_of(100) {
            self.tell(FromSeatBody::Malformed(what));
        }
    }

    pub(super) fn on_message(&self, message: &Incoming) {
        let label = &*message.label;
        let Some(data) = &message.data else {
            return self.malformed(format!("text or an oversized message on channel {label:?}"));
        };
        match label {
            COMMAND_CHANNEL => match v1::CommandDatagram::decode(data.clone()) {
                Ok(command) if command.inputs.len() > MAX_INPUTS => {
                    self.malformed(format!("{} inputs in one datagram", command.inputs.len()));
                }
                Ok(command) if command.pictures.len() > MAX_PICTURES => {
                    self.malformed(format!("feedback on {} cameras in one datagram", command.pictures.len()));
                }
                Ok(command) => self.on_command(command),
                Err(error) => self.malformed(format!("{} bytes on channel {label:?}: {error}", data.len())),
            },
            REQUESTS_CHANNEL => match v1::SeatRequest::decode(data.clone()) {
                Ok(request) if request.request.is_some() => self.on_request(request),
                Ok(request) => self.malformed(format!("request {} asks for nothing", request.id)),
                Err(error) => self.malformed(format!("{} bytes on channel {label:?}: {error}", data.len())),
            },
            _ => {
                self.malformed(format!(
                    "{} bytes on channel {label:?}, which is not the seat's to send on",
                    data.len()
                ));
            }
        }
    }

    /// Whether a message of this number has not come before; one that no honest seat can have is counted.
    fn is_new(&self, number: u64, of: impl FnOnce(&mut (Seen, Seen)) -> &mut Seen) -> bool {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = of(&mut all);
        let (absurd, new) = (seen.is_absurd(number), seen.is_new(number));
        drop(all);
        if absurd {
            self.malformed(format!("the number {number} is far beyond all before"));
        }
        new
    }

    fn on_command(&self, mut command: v1::CommandDatagram) {
        let now_us = self.shared.now_us();
        if !self.is_new(command.link_sequence, |seen| &mut seen.0) {
            return;
        }
        if let Some(ping) = command.ping.take() {
            let mut newest = self.ping.lock().unwrap_or_else(PoisonError::into_inner);
            let count = newest.map_or(0, |(.., count)| count) + 1;
            *newest = Some((ping, now_us, count));
        }
        for picture in std::mem::take(&mut command.pictures) {
            let camera = usize::try_from(picture.camera).unwrap_or(usize::MAX);
            // A time to come was decoded by nobody.
            let decoded_us = picture.decoded_us.min(now_us);
            self.shared.cameras.feedback(&self.id, camera, decoded_us, picture.lost);
        }
        if let Some(report) = &command.report {
            self.shared.stats.on_seat_report(&self.id, report);
            if report.keyframe_wanted {
                self.shared.cameras.want_keyframe(&self.id, 0);
            }
        }
        if std::mem::take(&mut command.estop) {
            self.on_estop(now_us);
        }
        if self.watch_only && !command.inputs.is_empty() {
            command.inputs.clear();
            self.shared.stats.refuse();
        }
        if !command.inputs.is_empty() || command.report.is_some() {
            command.seat_id.clone_from(&self.seat);
            self.tell(FromSeatBody::Command(command));
        }
    }

    /// Whoever sees the picture may stop the vehicle, over whichever channel is left.
    fn on_estop(&self, now_us: u64) {
        let mut told_us = self.estop_us.lock().unwrap_or_else(PoisonError::into_inner);
        if told_us.is_some_and(|at| now_us < at + ESTOP_EVERY_US) {
            return;
        }
        *told_us = Some(now_us);
        self.tell(FromSeatBody::Request(v1::SeatRequest {
            seat_id: self.seat.clone(),
            request: Some(v1::seat_request::Request::Estop(v1::EstopRequest {})),
            ..v1::SeatRequest::default()
        }));
    }

    fn on_request(&self, mut request: v1::SeatRequest) {
        if !self.is_new(request.link_sequence, |seen| &mut seen.1) {
            return;
        }
        // Whoever sees the picture may stop the vehicle.
        let estop = matches!(request.request, Some(v1::seat_request::Request::Estop(_)));
        if self.watch_only && !estop {
            self.shared.stats.refuse();
            let response = v1::SeatResponse {
                id: request.id,
                accepted: false,
                reason: v1::Reason::NotAuthenticated.into(),
                authority: None,
            };
            let event =
                v1::VehicleEvent { event: Some(v1::vehicle_event::Event::Response(response)), ..Default::default() };
            let _ = self.notes.try_send(Note::Answer { session: self.id.clone(), event: Box::new(event) });
            return;
        }
        request.seat_id.clone_from(&self.seat);
        self.tell(FromSeatBody::Request(request));
    }

    /// The answer to the newest ping, unless a path has `answered` it already.
    pub(super) fn pong(&self, answered: &mut u64) -> Option<v1::ClockPong> {
        let (ping, t2_us, count) = (*self.ping.lock().unwrap_or_else(PoisonError::into_inner))?;
        if std::mem::replace(answered, count) == count {
            return None;
        }
        Some(v1::ClockPong { t1_us: ping.t1_us, t2_us, t3_us: self.shared.now_us() })
    }
}
