//! Hostile messages against a live bridge: a holder of authority whose own session says nonsense between honest inputs,
//! and a second seat that forges and replays the first one's. What they say is `closed_loop::hostile`'s, which asks for
//! full throttle and full lock where the honest inputs ask for the brake, so that acting on any of it would be seen.
//!
//! Every message is accounted for: the channels lose none, the vehicle counts what came to its gate, what passed by kind,
//! and what was refused by reason, and the attack knows what it sent.

use crate::{CAR, RawSeat};
use anyhow::{Context, bail, ensure};
use closed_loop::hostile::{Body, Forger, Kind, Now, Sender, datagram, kinds};
use prost::Message;
use protocol::v1::seat_request::Request;
use protocol::v1::{
    Author, CommandDatagram, OperatorInput, SeatRequest, StateDatagram, TakeoverCause, TakeoverRequest,
};
use protocol::{Channels, Embodiment};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Outcome.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// Name of the robot's embodiment.
    pub robot: String,
    /// Hostile messages sent, by kind.
    pub sent: BTreeMap<&'static str, u64>,
    /// Of these, what is not a message at all: it comes to no gate.
    pub rubbish: u64,
    /// Honest inputs sent meanwhile, until the vehicle's counts were read last.
    pub honest: u64,
    /// Times that the holder asked for authority, and that it got it.
    pub asked: u64,
    /// See `asked`.
    pub taken: u64,
    /// What the vehicle counted as refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// What the vehicle counted as passed, by kind.
    pub passed: BTreeMap<String, u64>,
    /// Inputs and requests that came to the vehicle's gate, honest ones among them.
    pub heard: u64,
    /// States of the vehicle that were looked at.
    pub states: u64,
    /// States in which the vehicle did something that no honest input asks for.
    pub acted_on: u64,
    /// Kinds of hostile requests that were granted.
    pub granted: BTreeMap<&'static str, u64>,
    /// Times that the hostile seat was given the authority that the holder had lost before, as its honest inputs came
    /// too late: any seat may have that. The loss raises the epoch by one, the grant by another; a theft from a holder
    /// raises it by one alone and is among `granted`.
    pub taken_after_loss: u64,
    /// Whether the hostile seat could stop the vehicle in the end, by a datagram alone: that, everybody may.
    pub estopped: bool,
    /// Times that authority had to be taken again, as honest inputs came too late between the hostile ones.
    pub retaken: u64,
    /// Seconds.
    pub took_s: f64,
}

/// Refusals before the gate.
const BEFORE_THE_GATE: [&str; 5] = ["unreadable", "watch_only", "not_granted", "flooded", "not_read"];

impl Outcome {
    /// All hostile messages.
    #[must_use]
    pub fn hostile(&self) -> u64 {
        self.sent.values().sum()
    }

    fn refused_as(&self, reason: &str) -> u64 {
        self.refused.get(reason).copied().unwrap_or(0)
    }

    /// What the gate refused.
    fn refused_at_the_gate(&self) -> u64 {
        let at_the_gate = self.refused.iter().filter(|(reason, _)| !BEFORE_THE_GATE.contains(&reason.as_str()));
        at_the_gate.map(|(_, count)| count).sum()
    }

    /// All messages that the vehicle has counted in one way or another.
    fn counted(&self) -> u64 {
        self.heard + BEFORE_THE_GATE.iter().map(|reason| self.refused_as(reason)).sum::<u64>()
    }

    /// All messages that were sent and are no signs of life.
    fn all_sent(&self) -> u64 {
        self.hostile() + self.honest + self.asked
    }
}

/// What is sent: one of the kinds of `closed_loop::hostile`, or bytes.
#[derive(Debug, Clone, Copy)]
enum Payload {
    Kind(Kind),
    /// The datagram of a whole burst, beyond what fits one.
    Crowd,
    /// A good input in a datagram whose number nobody can have come to.
    Numbered,
    Truncated,
    Random,
    Nothing,
}

impl Payload {
    fn all() -> Vec<Self> {
        let bytes = [Self::Crowd, Self::Numbered, Self::Truncated, Self::Random, Self::Nothing];
        kinds().into_iter().map(Self::Kind).chain(bytes).collect()
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Kind(kind) => kind.name,
            Self::Crowd => "crowd",
            Self::Numbered => "absurdly_numbered",
            Self::Truncated => "truncated",
            Self::Random => "random",
            Self::Nothing => "ask_nothing",
        }
    }
}

/// Hostile messages between two honest inputs.
const BURST: u64 = 40;
/// The ids of hostile requests begin here, each kind with its own.
const REQUEST_IDS: u64 = 5_000_000_000;

struct Attack {
    channels: Channels,
    desk: RawSeat,
    evil: RawSeat,
    payloads: Vec<Payload>,
    forger: Forger,
    origin: Instant,
    /// What the vehicle's newest state says.
    vehicle_us: u64,
    here: (f64, f64),
    outcome: Outcome,
}

/// Sends `count` hostile messages to the vehicle at the control plane `plane`, a robot that is `embodiment`.
///
/// # Errors
/// When a session breaks or the vehicle does not answer: it has crashed.
pub async fn run(plane: &str, embodiment: &Embodiment, count: u64, seed: u64) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let desk = RawSeat::connect(plane, "desk", CAR).await.context("the honest seat")?;
    let evil = RawSeat::connect(plane, "evil", CAR).await.context("the hostile seat")?;
    let mut attack = Attack {
        channels: *embodiment.channels(),
        desk,
        evil,
        payloads: Payload::all(),
        forger: Forger::new(embodiment, seed),
        origin: Instant::now(),
        vehicle_us: 0,
        here: (0.0, 0.0),
        outcome: Outcome { robot: embodiment.name.clone(), ..Outcome::default() },
    };
    attack.take_over().await?;
    attack.wait_for_states().await?;
    for n in 0..count {
        if n.is_multiple_of(BURST) {
            attack.hold().await?;
        }
        // Each in turn, so that each is seen as often as any; which spoils what how is the forger's to draw.
        let place = n as usize % attack.payloads.len();
        attack.send_hostile(place).await.with_context(|| format!("{}, message {n}", attack.payloads[place].name()))?;
    }
    attack.settle().await?;
    attack.stop().await?;
    attack.outcome.took_s = started.elapsed().as_secs_f64();
    Ok(attack.outcome)
}

impl Attack {
    fn seat_us(&self) -> u64 {
        self.origin.elapsed().as_micros() as u64 + 10_000_000
    }

    fn now(&self) -> Now {
        Now { seat_us: self.seat_us(), vehicle_us: self.vehicle_us, here: self.here }
    }

    async fn take_over(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let request = TakeoverRequest { cause: TakeoverCause::Precaution.into(), note: "attack".into() };
            self.outcome.asked += 1;
            let response = self.desk.ask(Request::Takeover(request)).await?;
            if response.accepted {
                self.outcome.taken += 1;
                self.forger.epoch = response.authority.context("no authority in the answer")?.epoch;
                return self.send_honest().await;
            }
            ensure!(Instant::now() < until, "takeover refused for a minute: {:?}", response.reason());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The hostile seat knows the vehicle's clock and place from what the vehicle says.
    async fn wait_for_states(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(60);
        while self.vehicle_us < 3_000_000 {
            ensure!(Instant::now() < until, "no state of the vehicle for a minute");
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.hold().await?;
        }
        Ok(())
    }

    async fn send_honest(&mut self) -> anyhow::Result<()> {
        let sent = datagram(vec![self.forger.honest(self.seat_us())]);
        self.desk.send_command(&sent.encode_to_vec()).await?;
        self.outcome.honest += 1;
        Ok(())
    }

    /// An honest input, and a look at what the vehicle does; no faster than the vehicle reads.
    async fn hold(&mut self) -> anyhow::Result<()> {
        self.send_honest().await?;
        tokio::time::sleep(Duration::from_millis(4)).await;
        if self.look_at_states() {
            self.outcome.retaken += 1;
            self.take_over().await?;
        }
        Ok(())
    }

    /// Whether authority was lost.
    fn look_at_states(&mut self) -> bool {
        let states = std::mem::take(&mut self.desk.heard().states);
        states.iter().for_each(|state| self.look(state));
        let epoch = self.forger.epoch;
        states.iter().any(|state| state.authority.as_ref().is_some_and(|a| a.epoch > epoch))
    }

    fn look(&mut self, state: &StateDatagram) {
        self.outcome.states += 1;
        if let Some(state) = &state.state {
            self.vehicle_us = self.vehicle_us.max(state.monotonic_us);
            self.here = state.world_from_vehicle.as_ref().map_or(self.here, |pose| (pose.x_m, pose.y_m));
        }
        if let (Some(command), Some(authority)) = (&state.command, &state.authority) {
            let value = |index: Option<usize>| index.and_then(|index| command.action.get(index));
            let still = value(self.channels.accelerate).is_none_or(|a| *a <= 0.01);
            // One tick of full lock is more.
            let straight = value(self.channels.steer).is_none_or(|s| s.abs() <= 1e-6);
            let holder = authority.author() != Author::Operator || authority.seat_id == "desk";
            let known = matches!(authority.author(), Author::Operator | Author::Fallback);
            self.outcome.acted_on += u64::from(!(still && straight && holder && known && !authority.estop_latched));
        }
        if let Some(refusals) = &state.refusals {
            let table = |counts: &[protocol::v1::ReasonCount]| {
                counts.iter().map(|c| (c.reason.clone(), c.count)).collect::<BTreeMap<_, _>>()
            };
            self.outcome.refused = table(&refusals.counts);
            self.outcome.passed = table(&refusals.passed);
            self.outcome.heard = refusals.heard;
        }
    }

    async fn send_hostile(&mut self, place: usize) -> anyhow::Result<()> {
        let payload = self.payloads[place];
        let name = payload.name();
        *self.outcome.sent.entry(name).or_default() += 1;
        self.outcome.rubbish += u64::from(!matches!(payload, Payload::Kind(_)));
        let now = self.now();
        match payload {
            Payload::Kind(kind) => match (self.forger.make(&kind, now), kind.sender) {
                (Body::Input(input), Sender::Holder) => {
                    self.desk.send_command(&datagram(vec![input]).encode_to_vec()).await
                }
                (Body::Input(input), Sender::Stranger) => {
                    self.evil.send_command(&datagram(vec![input]).encode_to_vec()).await
                }
                (Body::Request(request), _) => self.ask(place, Some(request)).await,
            },
            Payload::Crowd => {
                let inputs = vec![OperatorInput::default(); link::MAX_INPUTS + 1 + place];
                self.desk.send_command(&datagram(inputs).encode_to_vec()).await
            }
            Payload::Numbered => {
                let message =
                    CommandDatagram { link_sequence: u64::MAX - 1, ..datagram(vec![self.forger.greedy(now)]) };
                self.desk.send_command(&message.encode_to_vec()).await
            }
            Payload::Truncated => {
                let bytes = self.forger.truncated(now);
                self.desk.send_command(&bytes).await
            }
            Payload::Random => {
                let bytes = self.forger.rubbish();
                match self.forger.choose(&[0, 1, 2, 3]) {
                    0 => self.desk.send_command(&bytes).await,
                    1 => self.evil.send_command(&bytes).await,
                    2 => self.desk.send_request(&bytes).await,
                    _ => self.evil.send_request(&bytes).await,
                }
            }
            Payload::Nothing => self.ask(place, None).await,
        }
    }

    /// Asks in the holder's name for what the hostile seat may not have.
    async fn ask(&mut self, place: usize, request: Option<Request>) -> anyhow::Result<()> {
        let id = REQUEST_IDS + place as u64;
        let request = SeatRequest { id, seat_id: "desk".into(), request, ..SeatRequest::default() };
        self.evil.send_request(&request.encode_to_vec()).await?;
        for response in std::mem::take(&mut self.evil.heard().responses) {
            let place = response.id.checked_sub(REQUEST_IDS).and_then(|place| usize::try_from(place).ok());
            let Some(payload) = place.and_then(|place| self.payloads.get(place)).filter(|_| response.accepted) else {
                continue;
            };
            let epoch = response.authority.as_ref().map_or(0, |authority| authority.epoch);
            if payload.name().starts_with("ask_takeover") && epoch > self.forger.epoch + 1 {
                self.outcome.taken_after_loss += 1;
            } else {
                *self.outcome.granted.entry(payload.name()).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Presses the e-stop as a seat whose other channel is broken does.
    async fn stop(&mut self) -> anyhow::Result<()> {
        let estop = CommandDatagram { estop: true, ..CommandDatagram::default() };
        self.evil.send_command(&estop.encode_to_vec()).await?;
        let until = Instant::now() + Duration::from_secs(30);
        while !self.outcome.estopped && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let states = std::mem::take(&mut self.desk.heard().states);
            let stopped = |state: &StateDatagram| state.authority.as_ref().is_some_and(|a| a.estop_latched);
            self.outcome.estopped = states.iter().any(stopped);
        }
        Ok(())
    }

    /// Goes on honestly until the vehicle has counted everything but the last few honest inputs, which are under way.
    async fn settle(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(90);
        let mut whole_at = None;
        loop {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.hold().await?;
            }
            // Once a second the vehicle tells what it has counted; a second of honest inputs is at most 50. What was
            // missing when it said so first has been heard when it says so again.
            let missing = self.outcome.all_sent().saturating_sub(self.outcome.counted());
            if missing <= 50 && *whole_at.get_or_insert(self.outcome.heard) < self.outcome.heard {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("the vehicle has not counted {missing} messages: {:#?}", self.outcome);
            }
        }
    }
}

/// Whether nothing hostile passed or was acted on, and everything was counted.
///
/// # Errors
/// What does not hold.
pub fn check(outcome: &Outcome) -> anyhow::Result<()> {
    ensure!(outcome.states > 50, "only {} states were seen", outcome.states);
    ensure!(outcome.estopped, "an e-stop that came by datagram alone was not latched");
    ensure!(outcome.acted_on == 0, "{} states show something that nobody honest asked for", outcome.acted_on);
    ensure!(outcome.granted.is_empty(), "hostile requests were granted: {:?}", outcome.granted);
    // What passed was honest: inputs of the holder, the takeovers that it was granted, and what it had lost. Nothing else.
    for (kind, passed) in &outcome.passed {
        let honest = match kind.as_str() {
            "input" => outcome.honest,
            "takeover" => outcome.taken + outcome.taken_after_loss,
            _ => 0,
        };
        ensure!(*passed <= honest, "{passed} messages passed the gate as {kind}, {honest} were honest at most");
    }
    let passed: u64 = outcome.passed.values().sum();
    let (heard, refused) = (outcome.heard, outcome.refused_at_the_gate());
    ensure!(passed + refused == heard, "{heard} came to the gate, {passed} passed and {refused} were refused");
    let (sent, counted) = (outcome.all_sent(), outcome.counted());
    ensure!(counted <= sent, "{counted} messages were counted, {sent} were sent");
    let unreadable = outcome.refused_as("unreadable");
    ensure!(unreadable == outcome.rubbish, "{unreadable} were unreadable, {} of those sent", outcome.rubbish);
    for reason in [
        "not_in_control",
        "wrong_epoch",
        "out_of_sequence",
        "stale",
        "not_finite",
        "out_of_limits",
        "malformed",
        "picture_frozen",
        "unreadable",
        "request_held_by_other",
        "request_not_in_control",
        "request_nothing_to_reset",
        "flooded",
    ] {
        ensure!(outcome.refused_as(reason) > 0, "nothing was refused as {reason}");
    }
    Ok(())
}
