//! Who sits where, what they may do, and what becomes of what they send.

use super::audit_recorder::AuditRecorder;
use super::throttle::Throttle;
use crate::access::{Gatekeeper, may_ask};
use crate::audit::AuditEvent;
use link::{FromSeatBody, VehicleLink};
use protocol::SeatKind;
use protocol::grant::MaxMode;
use protocol::v1::seat_request::Request;
use protocol::v1::{Reason, SeatRequest, SeatResponse, VehicleEvent, vehicle_event};
use std::collections::BTreeMap;
use std::sync::Arc;
use vehicle_core::{FromSeat, SeatBody, Tick, VehicleCore};

struct SeatSession {
    session: String,
    seat: String,
    kind: SeatKind,
    watch_only: bool,
    max_mode: MaxMode,
    throttle: Throttle,
}

impl SeatSession {
    /// A person, not a script, who may drive.
    fn is_driver(&self) -> bool {
        !self.watch_only && self.max_mode == MaxMode::Drive && self.kind.is_human()
    }
}

/// Messages taken in at a tick: a flood must not hold it up.
const MOST_A_TICK: usize = 1_024;

/// The seats of one vehicle.
pub(super) struct Seats {
    link: Arc<VehicleLink>,
    gatekeeper: Arc<Gatekeeper>,
    seat_sessions: Vec<SeatSession>,
    /// Inputs and requests that came to the gate.
    heard: u64,
    /// Inputs and requests of sessions whose grant does not allow them.
    not_granted: u64,
    /// Requests that came too fast.
    flooded: u64,
}

impl Seats {
    pub(super) fn new(link: Arc<VehicleLink>, gatekeeper: Arc<Gatekeeper>) -> Self {
        Self { link, gatekeeper, seat_sessions: Vec::new(), heard: 0, not_granted: 0, flooded: 0 }
    }

    /// Takes in what arrived: what a session may do goes into `inbox`.
    pub(super) fn receive(
        &mut self,
        now_us: u64,
        core: &mut VehicleCore,
        inbox: &mut Vec<FromSeat>,
        audit_recorder: &mut AuditRecorder,
    ) {
        for _ in 0..MOST_A_TICK {
            let Some(message) = self.link.try_recv() else { break };
            let (session, received_us) = (message.session, message.received_us);
            let body = match message.body {
                FromSeatBody::Connected => {
                    self.on_connect(now_us, &session, &message.seat_id, message.watch_only, audit_recorder);
                    Some(SeatBody::Connected)
                }
                FromSeatBody::Disconnected { reason } => {
                    self.on_disconnect(now_us, &session, &message.seat_id, reason, audit_recorder)
                }
                FromSeatBody::Command(datagram) => {
                    let inputs = datagram.inputs.len() as u64;
                    let may = self.gatekeeper.max_mode(now_us, &session) == MaxMode::Drive;
                    self.count(may, inputs).then_some(SeatBody::Command(datagram))
                }
                FromSeatBody::Request(request) if self.is_flood(now_us, &session) => {
                    // Neither answered nor written down; an e-stop is one, however often it comes.
                    let stops = matches!(request.request, Some(Request::Estop(_))) && !core.authority().estop_latched();
                    match stops {
                        true => self.heard += 1,
                        false => self.flooded += 1,
                    }
                    stops.then_some(SeatBody::Request(request))
                }
                FromSeatBody::Request(request) => {
                    let may = may_ask(self.gatekeeper.max_mode(now_us, &session), &request);
                    audit_recorder.asked(&message.seat_id, &request);
                    if !self.count(may, 1) {
                        self.refuse(now_us, &session, &message.seat_id, &request, audit_recorder);
                    }
                    may.then_some(SeatBody::Request(request))
                }
                FromSeatBody::Malformed(what) => {
                    tracing::warn!(seat = %message.seat_id, %what, "unreadable message of a seat");
                    None
                }
            };
            let kind = self.kind_of(&session);
            inbox.extend(body.map(|body| FromSeat { seat: message.seat_id, kind, received_us, body }));
        }
        self.look_at_grants(now_us, inbox, audit_recorder);
        core.set_person_present(self.seat_sessions.iter().any(SeatSession::is_driver));
    }

    /// Who sits at a session's seat; asked once for each session, when it begins.
    fn kind_of(&self, session: &str) -> SeatKind {
        let seat_session = self.seat_sessions.iter().find(|s| s.session == session);
        seat_session.map_or(SeatKind::Human, |seat_session| seat_session.kind)
    }

    fn is_flood(&mut self, now_us: u64, session: &str) -> bool {
        let seat_session = self.seat_sessions.iter_mut().find(|s| s.session == session);
        seat_session.is_some_and(|seat_session| !seat_session.throttle.passes(now_us))
    }

    fn count(&mut self, may: bool, messages: u64) -> bool {
        match may {
            true => self.heard += messages,
            false => self.not_granted += messages,
        }
        may
    }

    fn on_connect(
        &mut self,
        now_us: u64,
        session: &str,
        seat: &str,
        watch_only: bool,
        audit_recorder: &mut AuditRecorder,
    ) {
        tracing::info!(%seat, watch_only, "seat connected");
        let (max_mode, kind) = (self.gatekeeper.max_mode(now_us, session), self.gatekeeper.seat_kind(session));
        let (session, seat) = (session.to_owned(), seat.to_owned());
        audit_recorder.note(
            now_us,
            AuditEvent::Session {
                seat: seat.clone(),
                session: session.clone(),
                up: true,
                watch_only,
                reason: String::new(),
            },
        );
        self.seat_sessions.push(SeatSession {
            session,
            seat,
            kind,
            watch_only,
            max_mode,
            throttle: Throttle::new(now_us),
        });
    }

    fn on_disconnect(
        &mut self,
        now_us: u64,
        session: &str,
        seat: &str,
        reason: String,
        audit_recorder: &mut AuditRecorder,
    ) -> Option<SeatBody> {
        tracing::info!(%seat, %reason, "seat gone");
        let watch_only = self.seat_sessions.iter().any(|s| s.session == session && s.watch_only);
        self.seat_sessions.retain(|s| s.session != session);
        let (seat_id, session) = (seat.to_owned(), session.to_owned());
        audit_recorder.note(now_us, AuditEvent::Session { seat: seat_id, session, up: false, watch_only, reason });
        (!self.may_drive(seat)).then_some(SeatBody::Gone)
    }

    /// Whether a session of the seat is left that may drive.
    fn may_drive(&self, seat: &str) -> bool {
        self.seat_sessions.iter().any(|s| s.seat == seat && s.max_mode == MaxMode::Drive)
    }

    /// A session whose grant ran out has lost its seat's authority with it.
    fn look_at_grants(&mut self, now_us: u64, inbox: &mut Vec<FromSeat>, audit_recorder: &mut AuditRecorder) {
        let mut lost = Vec::new();
        for seat_session in &mut self.seat_sessions {
            let max_mode = self.gatekeeper.max_mode(now_us, &seat_session.session);
            if max_mode < seat_session.max_mode {
                tracing::warn!(seat = %seat_session.seat, "the grant ran out: this seat may watch and stop the vehicle only");
                let (seat, session) = (seat_session.seat.clone(), seat_session.session.clone());
                audit_recorder.note(now_us, AuditEvent::GrantEnded { seat: seat.clone(), session });
                lost.push((seat, seat_session.kind));
            }
            seat_session.max_mode = max_mode;
        }
        lost.retain(|(seat, _)| !self.may_drive(seat));
        let gone = |(seat, kind)| FromSeat { seat, kind, received_us: now_us, body: SeatBody::Gone };
        inbox.extend(lost.into_iter().map(gone));
    }

    /// Tells a session that it may not ask for this.
    fn refuse(
        &self,
        now_us: u64,
        session: &str,
        seat: &str,
        request: &SeatRequest,
        audit_recorder: &mut AuditRecorder,
    ) {
        let reason = Reason::NotAuthenticated;
        let response = SeatResponse { id: request.id, accepted: false, reason: reason.into(), authority: None };
        audit_recorder.answered(now_us, seat, &response);
        let event = VehicleEvent { event: Some(vehicle_event::Event::Response(response)), ..Default::default() };
        self.link.send_event(Some(session), event);
    }

    /// Sends a tick's answers on their way.
    pub(super) fn answer(&mut self, now_us: u64, tick: &mut Tick, audit_recorder: &mut AuditRecorder) {
        for (seat, response) in tick.responses.drain(..) {
            audit_recorder.answered(now_us, &seat, &response);
            for seat_session in self.seat_sessions.iter().filter(|s| s.seat == seat) {
                let event = VehicleEvent {
                    event: Some(vehicle_event::Event::Response(response.clone())),
                    ..Default::default()
                };
                self.link.send_event(Some(&seat_session.session), event);
            }
        }
    }

    /// Inputs and requests that came to the gate since the start.
    pub(super) fn heard(&self) -> u64 {
        self.heard
    }

    /// Messages that were not acted on since the start, by reason.
    pub(super) fn refusals(&self, core: &VehicleCore) -> BTreeMap<String, u64> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut add = |name: String, count: u64| {
            if count > 0 {
                *counts.entry(name).or_default() += count;
            }
        };
        for (reason, count) in core.tally().all_refused() {
            add(reason.code(), count);
        }
        for (reason, count) in core.tally().refused_requests() {
            add(format!("request_{}", reason.code()), count);
        }
        for (reason, count) in self.gatekeeper.refused() {
            add(reason.to_owned(), count);
        }
        add("unreadable".to_owned(), self.link.malformed());
        add("watch_only".to_owned(), self.link.refused_from_watchers());
        add("not_granted".to_owned(), self.not_granted);
        add("flooded".to_owned(), self.flooded);
        add("not_read".to_owned(), self.link.dropped());
        counts
    }
}
