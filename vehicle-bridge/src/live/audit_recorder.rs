//! What the control thread puts into the audit log.

use crate::audit::{AuditEvent, AuditHandle, AuthorityWatch, request_name};
use protocol::v1::{Reason, SeatRequest, SeatResponse};
use std::collections::BTreeMap;
use vehicle_core::Tick;
use vehicle_core::manoeuvre::{ManoeuvreObservation, ManoeuvreWatch};

/// Sees ticks and messages go by. Nothing here waits.
pub(super) struct AuditRecorder {
    audit: AuditHandle,
    authority: AuthorityWatch,
    manoeuvre: ManoeuvreWatch,
    /// Requests of this tick that are about authority: seat, number, name.
    asked: Vec<(String, u64, &'static str)>,
    refusals: BTreeMap<String, u64>,
}

impl AuditRecorder {
    pub(super) fn new(audit: AuditHandle, stop_decel_mps2: f64) -> Self {
        Self {
            audit,
            authority: AuthorityWatch::default(),
            manoeuvre: ManoeuvreWatch::new(stop_decel_mps2),
            asked: Vec::new(),
            refusals: BTreeMap::new(),
        }
    }

    pub(super) fn note(&self, now_us: u64, event: AuditEvent) {
        self.audit.note(now_us, event);
    }

    /// Whether the log is not kept at the moment.
    pub(super) fn is_failing(&self) -> bool {
        self.audit.is_failing()
    }

    /// A seat asks for something.
    pub(super) fn asked(&mut self, seat: &str, request: &SeatRequest) {
        if let Some(name) = request.request.as_ref().and_then(request_name) {
            self.asked.push((seat.to_owned(), request.id, name));
        }
    }

    /// It was answered.
    pub(super) fn answered(&mut self, now_us: u64, seat: &str, response: &SeatResponse) {
        let Some(at) = self.asked.iter().position(|(who, id, _)| who == seat && *id == response.id) else { return };
        let (seat, _, request) = self.asked.remove(at);
        let reason = Reason::try_from(response.reason).unwrap_or_default().code();
        let (request, accepted) = (request.to_owned(), response.accepted);
        self.note(now_us, AuditEvent::Request { seat, request, accepted, reason });
    }

    /// A tick is over.
    pub(super) fn tick(&mut self, look: &ManoeuvreObservation<'_>, tick: &Tick) {
        self.asked.clear();
        if let Some(event) = self.authority.note(&tick.authority) {
            self.note(look.now_us, event);
        }
        if let Some(record) = self.manoeuvre.note(look) {
            tracing::info!(
                reason = record.reason,
                delay_ms = record.began_us.saturating_sub(record.valid_us) / 1_000,
                record.distance_m,
                record.allowed_m,
                "stopped"
            );
            self.note(look.now_us, AuditEvent::Manoeuvre(record));
        }
    }

    /// The counts of a second; noted when they have changed.
    pub(super) fn refusals(&mut self, now_us: u64, counts: &BTreeMap<String, u64>) {
        // Each datagram repeats earlier inputs on purpose; those alone are no news.
        let news = counts.iter().any(|(name, n)| name != "out_of_sequence" && self.refusals.get(name) != Some(n));
        if news {
            self.refusals.clone_from(counts);
            self.note(now_us, AuditEvent::Refusals { counts: counts.clone() });
        }
    }
}
