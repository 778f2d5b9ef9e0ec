mod grants;

use super::issuer::Issuer;
use axum::extract::ws::Utf8Bytes;
use protocol::grant::MaxMode;
use protocol::signalling::Signal;
use protocol::{Failure, SeatId, SeatKind, VehicleId};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Messages that wait for one peer; a peer that lags further behind is cut off and may connect again.
const QUEUE: usize = 256;
/// Sessions of one seat that are remembered; the one that was silent longest is forgotten first.
const SESSIONS_PER_SEAT: usize = 16;
/// Sessions remembered altogether.
const SESSIONS: usize = 4096;
/// Longest name of a session, bytes.
const MAX_SESSION: usize = 128;

/// One side of a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Party {
    /// A robot.
    Vehicle(VehicleId),
    /// An operator's seat.
    Seat(SeatId),
}

impl Party {
    /// Its name, without its role.
    pub fn name(&self) -> &str {
        match self {
            Self::Vehicle(id) => id.as_str(),
            Self::Seat(id) => id.as_str(),
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its role and name.
    pub party: Party,
    /// SHA-256 fingerprint of its certificate, as it told and, if pinned, as it was pinned.
    pub fingerprint: Option<String>,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vehicle(id) => write!(f, "vehicle {id}"),
            Self::Seat(id) => write!(f, "seat {id}"),
        }
    }
}

#[derive(Debug)]
struct Peer {
    connection: u64,
    queue: mpsc::Sender<Utf8Bytes>,
}

#[derive(Debug)]
struct Session {
    seat: SeatId,
    /// As it announced itself.
    seat_kind: SeatKind,
    vehicle: VehicleId,
    max_mode: MaxMode,
    /// What came with the vehicle's last offer and was not granted yet.
    challenge: Option<String>,
    last_used: u64,
}

#[derive(Debug, Default)]
struct State {
    peers: HashMap<Party, Peer>,
    sessions: HashMap<String, Session>,
    /// Grows with each registration and message: names connections and orders sessions by use.
    clock: u64,
    counts: SignalCounts,
    /// Without one, nobody is given grants.
    issuer: Option<Issuer>,
    /// Seats that get none.
    revoked: BTreeSet<SeatId>,
}

/// How much was signalled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignalCounts {
    /// Messages handed to the other side.
    pub forwarded: u64,
    /// Messages answered with an error.
    pub refused: u64,
    /// Seats connected now.
    pub seats: u64,
    /// Vehicles connected now.
    pub vehicles: u64,
}

/// A registered connection: its number and the messages for it. The queue ends when a newer connection of the same
/// party has taken its place or when the peer lagged too far behind.
pub struct Registered {
    /// Names the connection.
    pub connection: u64,
    /// Messages for the peer.
    pub queue: mpsc::Receiver<Utf8Bytes>,
}

/// Who is connected and which sessions there are.
#[derive(Debug, Default)]
pub struct Hub(Mutex<State>);

impl Hub {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects `party`; an older connection of it ends.
    pub fn register(&self, party: &Party) -> Registered {
        let (sender, queue) = mpsc::channel(QUEUE);
        let mut state = self.state();
        let connection = state.tick();
        state.peers.insert(party.clone(), Peer { connection, queue: sender });
        Registered { connection, queue }
    }

    /// Forgets a connection, unless a newer one of the same party is there. Its sessions stay.
    pub fn leave(&self, party: &Party, connection: u64) {
        let mut state = self.state();
        if state.peers.get(party).is_some_and(|peer| peer.connection == connection) {
            state.peers.remove(party);
        }
    }

    /// The vehicles that are connected.
    pub fn vehicles(&self) -> BTreeSet<VehicleId> {
        let is_vehicle = |party: &Party| match party {
            Party::Vehicle(id) => Some(id.clone()),
            Party::Seat(_) => None,
        };
        self.state().peers.keys().filter_map(is_vehicle).collect()
    }

    /// How much was signalled so far.
    pub fn counts(&self) -> SignalCounts {
        let state = self.state();
        let vehicles = state.peers.keys().filter(|p| matches!(p, Party::Vehicle(_))).count() as u64;
        SignalCounts { vehicles, seats: state.peers.len() as u64 - vehicles, ..state.counts }
    }

    /// Takes one message of `from` and hands it, unchanged, to the other side; else answers with what is wrong.
    pub fn handle(&self, from: &Identity, text: &Utf8Bytes) -> Option<Signal> {
        let mut state = self.state();
        let refusal = match serde_json::from_str::<Signal>(text) {
            Ok(Signal::Renew { session, grant, challenge }) => state.renew(&from.party, session, (&grant, &challenge)),
            Ok(mut signal) => {
                match vouch(from, &mut signal, text).and_then(|text| state.deliver(&from.party, &signal, &text)) {
                    Ok(()) => None,
                    // Ending what has ended already is no mistake.
                    Err(_) if matches!(signal, Signal::Bye { .. }) => None,
                    Err((code, message)) => {
                        Some(Signal::Error { session: signal.session().map(str::to_owned), message, code: Some(code) })
                    }
                }
            }
            Err(e) => {
                let message = format!("this is not a signalling message: {e}");
                Some(Signal::Error { session: None, message, code: Some(Failure::Malformed) })
            }
        };
        match &refusal {
            None => state.counts.forwarded += 1,
            Some(_) => state.counts.refused += 1,
        }
        refusal
    }
}

/// Why a message was not delivered.
type Refusal = (Failure, String);

/// Writes what is known of the sender's certificate into a message that names it, whatever the sender wrote there.
fn vouch(from: &Identity, signal: &mut Signal, text: &Utf8Bytes) -> Result<Utf8Bytes, Refusal> {
    let Some(vouched) = signal.vouched_mut() else { return Ok(text.clone()) };
    if *vouched == from.fingerprint {
        return Ok(text.clone());
    }
    vouched.clone_from(&from.fingerprint);
    serde_json::to_string(signal).map(Utf8Bytes::from).map_err(|e| (Failure::Malformed, e.to_string()))
}

impl State {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn deliver(&mut self, from: &Party, signal: &Signal, text: &Utf8Bytes) -> Result<(), Refusal> {
        let Some(name) = signal.session() else {
            return Err((Failure::Refused, "a message without a session has no addressee".into()));
        };
        match signal {
            Signal::Call { seat, seat_kind, vehicle, watch_only, .. } => {
                let max_mode = if *watch_only { MaxMode::Monitor } else { MaxMode::Drive };
                self.call(from, name, (seat, *seat_kind), (vehicle, max_mode))?;
            }
            Signal::Grant { .. } => return Err((Failure::Refused, "the control plane alone gives grants".into())),
            _ => {}
        }
        let to = self.other_side(from, name, signal)?;
        match signal {
            Signal::Offer { challenge: Some(challenge), .. } => self.challenge(name, challenge)?,
            Signal::Answer { sdp, .. } => self.grant(&to, name, sdp),
            _ => {}
        }
        let sent = self.send(&to, text);
        if matches!(signal, Signal::Bye { .. }) {
            self.sessions.remove(name);
        }
        sent
    }

    fn call(
        &mut self,
        from: &Party,
        name: &str,
        (seat, seat_kind): (&SeatId, SeatKind),
        (vehicle, max_mode): (&VehicleId, MaxMode),
    ) -> Result<(), Refusal> {
        let refused = |message: String| Err((Failure::Refused, message));
        if *from != Party::Seat(seat.clone()) {
            return refused(format!("{from} cannot call as seat {seat}: connect as that seat"));
        }
        if self.revoked.contains(seat) {
            return Err((Failure::NotGranted, format!("seat {seat} is revoked: ask whoever runs the control plane")));
        }
        if name.is_empty() || name.len() > MAX_SESSION || name.chars().any(char::is_control) {
            return refused(format!(
                "session {name:?} is not valid: use 1 to {MAX_SESSION} bytes without control characters"
            ));
        }
        if self.sessions.get(name).is_some_and(|s| s.seat != *seat || s.vehicle != *vehicle) {
            return refused(format!("session {name:?} belongs to others: choose another name"));
        }
        if !self.peers.contains_key(&Party::Vehicle(vehicle.clone())) {
            let message = format!("vehicle {vehicle} is offline: start it, or call again when it is connected");
            return Err((Failure::VehicleNotRegistered, message));
        }
        let last_used = self.tick();
        let (seat, vehicle) = (seat.clone(), vehicle.clone());
        let session = Session { seat: seat.clone(), seat_kind, vehicle, max_mode, challenge: None, last_used };
        self.sessions.insert(name.to_owned(), session);
        self.forget_old(&seat);
        Ok(())
    }

    fn forget_old(&mut self, seat: &SeatId) {
        let oldest = |sessions: &HashMap<String, Session>, of: &dyn Fn(&Session) -> bool| {
            sessions.iter().filter(|(_, s)| of(s)).min_by_key(|(_, s)| s.last_used).map(|(name, _)| name.clone())
        };
        let own = |s: &Session| s.seat == *seat;
        let crowded_seat = self.sessions.values().filter(|s| own(s)).count() > SESSIONS_PER_SEAT;
        let gone = match (crowded_seat, self.sessions.len() > SESSIONS) {
            (true, _) => oldest(&self.sessions, &own),
            (false, true) => oldest(&self.sessions, &|_| true),
            (false, false) => None,
        };
        gone.map(|name| self.sessions.remove(&name));
    }

    fn other_side(&mut self, from: &Party, name: &str, signal: &Signal) -> Result<Party, Refusal> {
        let now = self.tick();
        let unknown = || (Failure::SessionUnknown, format!("session {name:?} is unknown here: call the vehicle again"));
        let wrong_way = || Err((Failure::Refused, "the vehicle makes the offer, the seat answers".to_owned()));
        let session = self.sessions.get_mut(name).ok_or_else(unknown)?;
        let (seat, vehicle) = (Party::Seat(session.seat.clone()), Party::Vehicle(session.vehicle.clone()));
        if *from != seat && *from != vehicle {
            // The same words as for a session that does not exist: a stranger learns nothing.
            return Err(unknown());
        }
        match (signal, from) {
            (Signal::Offer { .. }, Party::Seat(_)) | (Signal::Answer { .. }, Party::Vehicle(_)) => wrong_way(),
            _ => {
                session.last_used = now;
                Ok(if *from == seat { vehicle } else { seat })
            }
        }
    }

    fn send(&mut self, to: &Party, text: &Utf8Bytes) -> Result<(), Refusal> {
        let Some(peer) = self.peers.get(to) else {
            let message = format!("{to} is not connected to signalling right now; a picture that runs goes on");
            return Err((Failure::PeerOffline, message));
        };
        peer.queue.try_send(text.clone()).map_err(|_| {
            // Dropping its queue ends the connection; the peer starts afresh instead of missing one message silently.
            self.peers.remove(to);
            (Failure::PeerTooSlow, format!("{to} does not keep up and was disconnected: call again"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(name: &str) -> Identity {
        Identity { party: Party::Seat(SeatId::new(name).unwrap()), fingerprint: None }
    }

    fn car() -> Party {
        Party::Vehicle(VehicleId::new("car").unwrap())
    }

    fn text(json: &str) -> Utf8Bytes {
        Utf8Bytes::from(json)
    }

    fn call(hub: &Hub, from: &str, session: &str) -> Option<Signal> {
        let json = format!(r#"{{"type":"call","session":"{session}","seat":"{from}","vehicle":"car"}}"#);
        hub.handle(&seat(from), &text(&json))
    }

    #[test]
    fn a_seat_that_calls_forever_does_not_fill_the_memory() {
        let hub = Hub::default();
        let mut vehicle = hub.register(&car());
        for i in 0..1000 {
            assert_eq!(call(&hub, "s", &format!("session-{i}")), None);
            assert!(vehicle.queue.try_recv().is_ok());
        }
        assert_eq!(hub.state().sessions.len(), SESSIONS_PER_SEAT);
        let late = text(r#"{"type":"candidate","session":"session-999","candidate":""}"#);
        assert_eq!(hub.handle(&seat("s"), &late), None, "the newest session is kept");
    }

    #[test]
    fn a_peer_that_does_not_read_is_cut_off_and_the_sender_is_told() {
        let hub = Hub::default();
        let mut vehicle = hub.register(&car());
        assert_eq!(call(&hub, "s", "x"), None);
        let candidate = text(r#"{"type":"candidate","session":"x","candidate":"c"}"#);
        let refusals = (0..QUEUE).filter_map(|_| hub.handle(&seat("s"), &candidate)).count();
        assert_eq!(refusals, 1);
        assert!(hub.vehicles().is_empty());
        let mut delivered = 0;
        while vehicle.queue.try_recv().is_ok() {
            delivered += 1;
        }
        assert_eq!(delivered, QUEUE);
        assert!(matches!(vehicle.queue.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
    }

    #[test]
    fn what_a_peer_claims_about_its_certificate_gives_way_to_what_is_known() {
        let hub = Hub::default();
        let mut vehicle = hub.register(&car());
        let known = Identity { fingerprint: Some("AA".into()), ..seat("s") };
        let claim = text(r#"{"type":"call","session":"x","seat":"s","vehicle":"car","vouched":"BB"}"#);
        for (who, expected) in [(&known, Some("AA")), (&seat("s"), None)] {
            assert_eq!(hub.handle(who, &claim), None);
            let Signal::Call { vouched, .. } = serde_json::from_str(&vehicle.queue.try_recv().unwrap()).unwrap() else {
                panic!("no call came");
            };
            assert_eq!(vouched.as_deref(), expected);
        }
    }

    #[test]
    fn a_late_goodbye_of_the_old_connection_does_not_disconnect_the_new_one() {
        let hub = Hub::default();
        let old = hub.register(&car());
        let _new = hub.register(&car());
        hub.leave(&car(), old.connection);
        assert_eq!(hub.vehicles().len(), 1);
    }
}
