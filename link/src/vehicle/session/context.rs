//! What all tasks of a session know, and what becomes of the seat's messages.

use super::media::Input;
use crate::paths::Seen;
use crate::peer::Incoming;
use crate::vehicle::Shared;
use crate::vehicle::inbox::{FromSeat, FromSeatBody};
use crate::{COMMAND_CHANNEL, MAX_INPUTS, REQUESTS_CHANNEL};
use prost::Message;
use protocol::v1;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
    answers: mpsc::Sender<v1::VehicleEvent>,
    malformed: AtomicU64,
    /// When a datagram's e-stop was told last.
    estop_us: Mutex<Option<u64>>,
    /// Further paths that are up.
    pub(super) further_paths: AtomicUsize,
    pub(super) media_up: AtomicBool,
    /// When the seat was last heard, on the vehicle's clock.
    heard_us: AtomicU64,
}

impl Context {
    pub(super) fn new(
        (id, seat): (String, String),
        watch_only: bool,
        features: Vec<String>,
        shared: Arc<Shared>,
        answers: mpsc::Sender<v1::VehicleEvent>,
        media: mpsc::Sender<Input>,
    ) -> Self {
        // Any number will do that differs between streams; the standard hasher's keys are the system's randomness.
        let ssrc = |_| (std::hash::RandomState::new().build_hasher().finish() as u32).max(1);
        let ssrcs = (0..shared.cameras.specs().len()).map(ssrc).collect();
        let heard_us = AtomicU64::new(shared.now_us());
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
            answers,
            malformed: AtomicU64::new(0),
            estop_us: Mutex::default(),
            further_paths: AtomicUsize::new(0),
            media_up: AtomicBool::new(false),
            heard_us,
        }
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

    /// The seat gave a sign of life.
    pub(super) fn heard(&self) {
        self.heard_us.store(self.shared.now_us(), Ordering::Relaxed);
    }

    /// Since the seat was last heard, microseconds.
    pub(super) fn silent_us(&self) -> u64 {
        self.shared.now_us().saturating_sub(self.heard_us.load(Ordering::Relaxed))
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
        self.heard_us.store(now_us, Ordering::Relaxed);
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
            let _ = self.answers.try_send(event);
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
