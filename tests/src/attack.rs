//! Hostile messages against a live bridge: a holder of authority whose own session says nonsense between honest inputs,
//! and a second seat that forges and replays the first one's. The honest inputs ask for the brake; everything hostile
//! asks for full throttle and full lock, so that acting on any of it would be seen.

use crate::{CAR, RawSeat};
use anyhow::{Context, bail, ensure};
use prost::Message;
use protocol::v1::seat_request::Request;
use protocol::v1::{
    Author, CommandDatagram, EstopResetRequest, HandBackRequest, OperatorInput, PathAnswer, SeatRequest, StateDatagram,
    TakeoverCause, TakeoverRequest, Trajectory, TrajectoryPoint,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What came of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// Hostile messages sent, by kind.
    pub sent: BTreeMap<&'static str, u64>,
    /// Honest inputs sent meanwhile.
    pub honest: u64,
    /// What the vehicle counted as refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Inputs and requests that came to the vehicle's gate, honest ones among them.
    pub heard: u64,
    /// States of the vehicle that were looked at.
    pub states: u64,
    /// States in which the vehicle did something that no honest input asks for.
    pub acted_on: u64,
    /// Whether the hostile seat could stop the vehicle in the end, by a datagram alone: that, everybody may.
    pub estopped: bool,
    /// Times that authority had to be taken anew, as honest inputs came too late between the hostile ones.
    pub retaken: u64,
    /// Seconds.
    pub took_s: f64,
}

impl Outcome {
    /// All hostile messages.
    #[must_use]
    pub fn hostile(&self) -> u64 {
        self.sent.values().sum()
    }

    /// All refusals.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }
}

const ALL: [&str; 15] = [
    "forged",
    "replayed",
    "duplicated",
    "reordered",
    "earlier_epoch",
    "later_epoch",
    "expired",
    "not_finite",
    "out_of_limits",
    "wrong_length",
    "future_picture",
    "bad_trajectory",
    "truncated",
    "random",
    "request",
];
/// Hostile messages between two honest inputs.
const BURST: u64 = 40;
/// Earlier messages kept for replays.
const KEPT: usize = 64;

struct Attack {
    desk: RawSeat,
    evil: RawSeat,
    rng: ChaCha8Rng,
    origin: Instant,
    epoch: u64,
    sequence: u64,
    /// Of the newest honest input: the vehicle has used this one, and none before it can be new.
    honest_sequence: u64,
    earlier: Vec<CommandDatagram>,
    outcome: Outcome,
}

/// Sends `count` hostile messages to the vehicle at the control plane `plane`.
///
/// # Errors
/// When a session breaks or the vehicle does not answer: it has crashed.
pub async fn run(plane: &str, count: u64, seed: u64) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let desk = RawSeat::connect(plane, "desk", CAR).await.context("the honest seat")?;
    let evil = RawSeat::connect(plane, "evil", CAR).await.context("the hostile seat")?;
    let mut attack = Attack {
        desk,
        evil,
        rng: ChaCha8Rng::seed_from_u64(seed),
        origin: Instant::now(),
        epoch: 0,
        sequence: 0,
        honest_sequence: 0,
        earlier: Vec::new(),
        outcome: Outcome::default(),
    };
    attack.take_over().await?;
    for n in 0..count {
        if n.is_multiple_of(BURST) {
            attack.hold().await?;
        }
        let kind = ALL[attack.rng.random_range(0..ALL.len())];
        *attack.outcome.sent.entry(kind).or_default() += 1;
        attack.strike(kind).await.with_context(|| format!("{kind}, message {n}"))?;
    }
    attack.settle().await?;
    attack.stop().await?;
    attack.outcome.took_s = started.elapsed().as_secs_f64();
    Ok(attack.outcome)
}

fn datagram(inputs: Vec<OperatorInput>) -> CommandDatagram {
    CommandDatagram { seat_id: "desk".into(), inputs, ..CommandDatagram::default() }
}

impl Attack {
    fn seat_us(&self) -> u64 {
        self.origin.elapsed().as_micros() as u64 + 10_000_000
    }

    fn honest_input(&mut self) -> OperatorInput {
        self.sequence += 1;
        OperatorInput {
            sequence: self.sequence,
            epoch: self.epoch,
            seat_us: self.seat_us(),
            deadman: true,
            action: vec![-2.0, 0.0],
            shown_frame_us: 0,
            ..OperatorInput::default()
        }
    }

    /// The next input of the holder, asking for what nobody honest asks for.
    fn greedy_input(&mut self) -> OperatorInput {
        OperatorInput { action: vec![3.0, 0.5], ..self.honest_input() }
    }

    async fn take_over(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let request = TakeoverRequest { cause: TakeoverCause::Precaution.into(), note: "attack".into() };
            let response = self.desk.ask(Request::Takeover(request)).await?;
            if response.accepted {
                self.epoch = response.authority.context("no authority in the answer")?.epoch;
                self.send_honest().await?;
                return Ok(());
            }
            ensure!(Instant::now() < until, "takeover refused for a minute: {:?}", response.reason());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn send_honest(&mut self) -> anyhow::Result<()> {
        let sent = datagram(vec![self.honest_input()]);
        self.desk.send_command(&sent.encode_to_vec()).await?;
        self.outcome.honest += 1;
        self.honest_sequence = self.sequence;
        if self.earlier.len() == KEPT {
            self.earlier.remove(0);
        }
        self.earlier.push(sent);
        Ok(())
    }

    /// An honest input, and a look at what the vehicle does; no faster than the vehicle reads.
    async fn hold(&mut self) -> anyhow::Result<()> {
        self.send_honest().await?;
        tokio::time::sleep(Duration::from_millis(4)).await;
        let states = std::mem::take(&mut self.desk.heard().states);
        let mut lost = false;
        for state in &states {
            self.look(state);
            lost = state.authority.as_ref().is_some_and(|a| a.epoch > self.epoch);
        }
        if lost {
            self.outcome.retaken += 1;
            self.take_over().await?;
        }
        Ok(())
    }

    fn look(&mut self, state: &StateDatagram) {
        self.outcome.states += 1;
        if let (Some(command), Some(authority)) = (&state.command, &state.authority) {
            let still = command.action.first().is_none_or(|a| *a <= 0.01);
            // One tick of full lock is 5 mrad.
            let straight = command.action.get(1).is_none_or(|s| s.abs() <= 1e-6);
            let holder = authority.author() != Author::Operator || authority.seat_id == "desk";
            let known = matches!(authority.author(), Author::Operator | Author::Fallback);
            self.outcome.acted_on += u64::from(!(still && straight && holder && known && !authority.estop_latched));
        }
        if let Some(refusals) = &state.refusals {
            self.outcome.refused = refusals.counts.iter().map(|c| (c.reason.clone(), c.count)).collect();
            self.outcome.heard = refusals.heard;
        }
    }

    async fn strike(&mut self, kind: &str) -> anyhow::Result<()> {
        match kind {
            "forged" => {
                // The holder's name, its epoch, a newer sequence: from another session.
                let forged = OperatorInput { sequence: self.sequence + 1_000, ..self.greedy_input() };
                self.sequence -= 1;
                self.evil.send_command(&datagram(vec![forged]).encode_to_vec()).await
            }
            "replayed" => {
                let index = self.rng.random_range(0..self.earlier.len());
                self.evil.send_command(&self.earlier[index].encode_to_vec()).await
            }
            "duplicated" | "reordered" => {
                // Of the holder's own: the newest again, or one before it.
                let before = if kind == "duplicated" { 0 } else { self.rng.random_range(1..50) };
                let mut old = self.greedy_input();
                self.sequence -= 1;
                old.sequence = self.honest_sequence.saturating_sub(before);
                self.desk.send_command(&datagram(vec![old]).encode_to_vec()).await
            }
            "random" => {
                let mut bytes = vec![0; self.rng.random_range(0..1_200)];
                self.rng.fill_bytes(&mut bytes);
                self.send_anywhere(&bytes).await
            }
            "truncated" => {
                let whole = datagram(vec![self.greedy_input()]).encode_to_vec();
                self.sequence -= 1;
                // What is left of a message may be one; its input then is not whole.
                let cut = self.rng.random_range(1..whole.len() - 20);
                self.evil.send_command(&whole[..cut]).await
            }
            "request" => self.hostile_request().await,
            _ => {
                let input = self.spoilt(kind);
                self.desk.send_command(&datagram(vec![input]).encode_to_vec()).await
            }
        }
    }

    /// An input of the holder's own session with one thing wrong.
    fn spoilt(&mut self, kind: &str) -> OperatorInput {
        let mut input = self.greedy_input();
        match kind {
            "earlier_epoch" => input.epoch = self.epoch - self.rng.random_range(1..=self.epoch.min(100)),
            "later_epoch" => input.epoch = self.epoch + self.rng.random_range(1..1_000_000),
            "expired" => input.seat_us -= self.rng.random_range(1_000_000..9_000_000),
            "not_finite" => {
                let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][self.rng.random_range(0..3)];
                input.action[self.rng.random_range(0..2)] = odd;
            }
            "out_of_limits" => input.action[self.rng.random_range(0..2)] = self.rng.random_range(10.0..1e9),
            "wrong_length" => input.action.resize([1, 3, 9][self.rng.random_range(0..3)], 0.5),
            "bad_trajectory" => self.bad_trajectory(&mut input),
            // Nothing was captured that late.
            _ => input.shown_frame_us = u64::MAX - self.rng.random_range(0..1_000),
        }
        input
    }

    /// A trajectory that is none, is over, or comes beside an action.
    fn bad_trajectory(&mut self, input: &mut OperatorInput) {
        let point = |n: u64| TrajectoryPoint { at_us: n * 300_000, x_m: n as f64 * 6.0, y_m: 0.0, speed_mps: 20.0 };
        let mut points: Vec<_> = (1..6).map(point).collect();
        match self.rng.random_range(0..5) {
            0 => points.truncate(1),
            1 => points.reverse(),
            2 => points[2].x_m = f64::NAN,
            3 => points.last_mut().into_iter().for_each(|p| p.at_us = u64::MAX),
            // Long over: the vehicle started more than two seconds ago.
            _ => {}
        }
        if self.rng.random_bool(0.8) {
            input.action.clear();
        }
        input.trajectory = Some(Trajectory { points });
    }

    async fn send_anywhere(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self.rng.random_range(0..4) {
            0 => self.desk.send_command(bytes).await,
            1 => self.evil.send_command(bytes).await,
            2 => self.desk.send_request(bytes).await,
            _ => self.evil.send_request(bytes).await,
        }
    }

    /// Asks for what this seat may not have, in the holder's name.
    async fn hostile_request(&mut self) -> anyhow::Result<()> {
        let request = match self.rng.random_range(0..5) {
            0 => Some(Request::Takeover(TakeoverRequest::default())),
            1 => Some(Request::HandBack(HandBackRequest::default())),
            2 => Some(Request::EstopReset(EstopResetRequest { held_ms: self.rng.random_range(0..2_000) })),
            3 => Some(Request::PathAnswer(PathAnswer { question_id: self.rng.random(), ..PathAnswer::default() })),
            _ => None,
        };
        let request = SeatRequest {
            id: self.rng.random_range(0..1_000),
            seat_id: "desk".into(),
            request,
            ..SeatRequest::default()
        };
        self.evil.send_request(&request.encode_to_vec()).await
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

    /// Goes on honestly until the vehicle has counted everything that must have come to its gate.
    async fn settle(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(90);
        let mut before = (0, 0);
        loop {
            for _ in 0..75 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.hold().await?;
            }
            // The honest inputs go on being counted; what else is counted must come to rest.
            let now = (self.outcome.refusals(), self.outcome.retaken);
            if now == before && now.0 > 0 {
                return Ok(());
            }
            before = now;
            if Instant::now() > until {
                bail!("the vehicle's counts do not come to rest: {:?}", self.outcome);
            }
        }
    }
}

/// Whether nothing hostile was acted on and everything was counted.
///
/// # Errors
/// What does not hold.
pub fn check(outcome: &Outcome) -> anyhow::Result<()> {
    ensure!(outcome.states > 50, "only {} states were seen", outcome.states);
    ensure!(outcome.estopped, "an e-stop that came by datagram alone was not latched");
    ensure!(outcome.acted_on == 0, "{} states show something that nobody honest asked for", outcome.acted_on);
    // What came to the gate and was not refused was honest.
    let at_the_gate = |reason: &str| !matches!(reason, "unreadable" | "watch_only" | "not_granted" | "flooded");
    let refused: u64 = outcome.refused.iter().filter(|(reason, _)| at_the_gate(reason)).map(|(_, n)| n).sum();
    let let_through = outcome.heard.saturating_sub(refused);
    let honest = outcome.honest + outcome.retaken + 10;
    ensure!(let_through <= honest, "{let_through} messages passed the gate, {honest} were honest at most");
    let sent = |kind: &str| outcome.sent.get(kind).copied().unwrap_or(0);
    let whole = outcome.hostile() - sent("truncated") - sent("random");
    ensure!(
        outcome.refusals() >= whole,
        "{} refusals counted, {whole} whole hostile messages sent",
        outcome.refusals()
    );
    for reason in [
        "not_in_control",
        "wrong_epoch",
        "out_of_sequence",
        "stale",
        "not_finite",
        "out_of_limits",
        "malformed",
        "unreadable",
        "request_held_by_other",
        "request_not_in_control",
        "flooded",
    ] {
        ensure!(outcome.refused.get(reason).is_some_and(|n| *n > 0), "nothing was refused as {reason}");
    }
    Ok(())
}
