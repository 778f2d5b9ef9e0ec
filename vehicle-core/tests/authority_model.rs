//! Every state that the authority protocol can reach, explored breadth first: two seats and a vehicle whose messages
//! are lost, delayed, reordered and duplicated, while seats, vehicle and control plane crash and come back.
//!
//! The vehicle is the shipped code: [`Authority`] and the gate's [`Sequence`], not a copy of their rules. Time goes in
//! steps of 500 ms, a message may be under way for ever (the gate's refusal of what is old is left out, as it only helps),
//! and grants, commands and lives are numbered up to a bound. Machines that differ only in what they show to people are
//! one state.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use protocol::SeatKind;
use protocol::v1::{
    Author, EngageRequest, EstopRequest, EstopResetRequest, HandBackRequest, Mode, SeatRequest, TakeoverRequest,
    seat_request::Request,
};
use std::collections::{HashMap, VecDeque};
use vehicle_core::authority::{Authority, EPOCH_RESERVE, FIRST_COMMAND_US, LEASE_US, RequestContext, next_life};
use vehicle_core::gate::admission::{Holder, Sequence};

const STEP_US: u64 = 500_000;
const SEATS: [&str; 2] = ["a", "b"];
/// Messages under way at once.
const UNDER_WAY: usize = 2;
/// Grants and revocations explored within one life of the vehicle.
const GRANTS: u64 = 3;
/// Lives of the vehicle.
const LIVES: u64 = 2;
/// Commands of a seat under one grant.
const COMMANDS: u64 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Ask {
    TakeOver,
    HandBack,
    Engage,
    Estop,
    Reset,
}

/// An operator's input under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Command {
    seat: usize,
    epoch: u64,
    sequence: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Seat {
    /// Alive and connected.
    up: bool,
    epoch: Option<u64>,
    sent: u64,
}

#[derive(Debug, Clone)]
struct State {
    authority: Authority,
    order: Sequence,
    up: bool,
    life: u64,
    seats: [Seat; 2],
    network: Vec<Command>,
    /// Ghosts, for the properties: who wrote under the epoch in force, and whether ever a second seat did, or one under
    /// another epoch.
    writer: Option<usize>,
    two_writers: bool,
}

const STANDING: RequestContext = RequestContext {
    seat_kind: SeatKind::Human,
    speed_mps: 0.0,
    unfit: None,
    policy_ready: true,
    estop_pressed: false,
};

impl State {
    fn start() -> Self {
        let seat = Seat { up: true, ..Seat::default() };
        Self {
            authority: Authority::new(0, 0),
            order: Sequence::default(),
            up: true,
            life: 0,
            seats: [seat.clone(), seat],
            network: Vec::new(),
            writer: None,
            two_writers: false,
        }
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut next = self.clone();
        change(&mut next);
        if next.authority.epoch() != self.authority.epoch() {
            next.writer = None;
        }
        next.network.sort_unstable();
        next
    }

    fn send(&mut self, message: Command) {
        if self.network.len() < UNDER_WAY {
            self.network.push(message);
        }
    }

    /// Everything that may happen next.
    fn successors(&self) -> Vec<Self> {
        let mut next = Vec::new();
        self.network_moves(&mut next);
        #[allow(clippy::needless_range_loop)] // the number is what the model's state keeps
        for seat in 0..SEATS.len() {
            self.seat_moves(seat, &mut next);
        }
        if self.up {
            self.requests(&mut next);
        }
        self.crashes(&mut next);
        next.push(self.with(Self::pass));
        next.retain(|state| state.authority.epoch() <= state.life * EPOCH_RESERVE + GRANTS);
        next
    }

    fn network_moves(&self, next: &mut Vec<Self>) {
        for index in 0..self.network.len() {
            // Lost; delivered in any order; delivered and still under way, to come again.
            next.push(self.with(|s| {
                s.network.remove(index);
            }));
            next.push(self.with(|s| {
                let message = s.network.remove(index);
                s.deliver(message);
            }));
            next.push(self.with(|s| s.deliver(s.network[index])));
        }
    }

    fn seat_moves(&self, seat: usize, next: &mut Vec<Self>) {
        if !self.seats[seat].up {
            // While the control plane is down, this does not happen; sessions that are there outlive it.
            if self.up {
                next.push(self.with(|s| s.seats[seat].up = true));
            }
            return;
        }
        self.commands(seat, next);
    }

    /// A request carries no number: one that was delayed, reordered or sent twice cannot be told from one sent now. So
    /// any may arrive at any time, from a dead seat too.
    fn requests(&self, next: &mut Vec<Self>) {
        for ask in [Ask::TakeOver, Ask::HandBack, Ask::Engage, Ask::Estop, Ask::Reset] {
            next.push(self.with(|s| s.asked(0, ask)));
        }
        for ask in [Ask::TakeOver, Ask::HandBack] {
            next.push(self.with(|s| s.asked(1, ask)));
        }
    }

    fn commands(&self, seat: usize, next: &mut Vec<Self>) {
        let own = &self.seats[seat];
        // What the vehicle says of its grant may be heard at any time or never; it is believed if it is news.
        let granted = (self.up && self.authority.granted_seat() == Some(SEATS[seat])).then(|| self.authority.epoch());
        if granted.is_some_and(|epoch| own.epoch.is_none_or(|known| known < epoch)) {
            next.push(self.with(|s| s.seats[seat] = Seat { epoch: granted, sent: 0, ..s.seats[seat].clone() }));
        }
        if let Some(epoch) = own.epoch.filter(|_| own.sent < COMMANDS) {
            next.push(self.with(|s| {
                s.seats[seat].sent += 1;
                s.send(Command { seat, epoch, sequence: s.seats[seat].sent });
            }));
        }
    }

    fn crashes(&self, next: &mut Vec<Self>) {
        #[allow(clippy::needless_range_loop)] // the number is what the model's state keeps
        for seat in 0..SEATS.len() {
            if self.seats[seat].up {
                next.push(self.with(|s| s.seats[seat] = Seat::default()));
                // The vehicle may notice at once, or never.
                next.push(self.with(|s| {
                    s.seats[seat] = Seat::default();
                    s.authority.seat_gone(SEATS[seat], &mut Vec::new());
                }));
            }
        }
        if self.up && self.life + 1 < LIVES {
            next.push(self.with(|s| {
                s.up = false;
                // Sessions and what they carry end with the vehicle; what the seats believe does not.
                s.network.clear();
                s.seats.iter_mut().for_each(|seat| seat.up = false);
            }));
        }
        if !self.up {
            next.push(self.with(|s| {
                // The worst power cut: every epoch of the first life is lost from the disk.
                s.up = true;
                s.life += 1;
                s.authority = Authority::new(next_life(0), 0);
                s.order = Sequence::default();
            }));
        }
    }

    fn pass(&mut self) {
        if self.up {
            self.authority.advance(STEP_US);
            self.authority.expire(0, &mut Vec::new());
        }
    }

    fn deliver(&mut self, Command { seat, epoch, sequence }: Command) {
        let holder = Holder { seat: self.authority.granted_seat(), epoch: self.authority.epoch() };
        if self.up && self.order.check(SEATS[seat], epoch, sequence, holder).is_ok() {
            self.authority.valid_command(0, &mut Vec::new());
            let other = self.writer.is_some_and(|writer| writer != seat);
            self.two_writers |= other || epoch != self.authority.epoch();
            self.writer = Some(seat);
        }
    }

    fn asked(&mut self, seat: usize, ask: Ask) {
        let request = match ask {
            Ask::TakeOver => Request::Takeover(TakeoverRequest::default()),
            Ask::HandBack => Request::HandBack(HandBackRequest { mode: Mode::Monitor.into() }),
            Ask::Engage => Request::Engage(EngageRequest {}),
            Ask::Estop => Request::Estop(EstopRequest {}),
            Ask::Reset => Request::EstopReset(EstopResetRequest { held_ms: 3_000 }),
        };
        let request =
            SeatRequest { id: 1, seat_id: SEATS[seat].into(), request: Some(request), ..SeatRequest::default() };
        self.authority.request(0, &request, &STANDING, &mut Vec::new());
    }

    /// What tells states apart.
    fn key(&self) -> Key {
        let shown = self.authority.state(0);
        let holder = self.authority.granted_seat().map(|name| SEATS.iter().position(|s| *s == name).unwrap() as u8);
        Key {
            modes: (shown.mode, shown.author, shown.estop_latched, holder),
            epochs: (shown.epoch, shown.lease_left_ms, self.life),
            up: (self.up, self.two_writers),
            order: self.order,
            seats: self.seats.clone(),
            network: std::array::from_fn(|i| self.network.get(i).copied()),
            writer: self.writer,
        }
    }

    /// What must hold in every state.
    fn check(&self) -> Result<(), &'static str> {
        if self.two_writers {
            return Err("two seats wrote under one epoch, or one under an epoch that was over");
        }
        let holder = self.authority.granted_seat();
        if self.authority.author() == Author::Operator && holder.is_none() {
            return Err("an operator drives whom nobody granted it");
        }
        if self.authority.estop_latched() && self.authority.author() != Author::Fallback {
            return Err("somebody drives in spite of the e-stop");
        }
        // Nothing but time is needed; what the dead seat has sent may still arrive, which is a state of its own.
        let dead = (0..SEATS.len()).find(|seat| !self.seats[*seat].up && holder == Some(SEATS[*seat]));
        if let Some(seat) = dead.filter(|_| self.up) {
            let mut later = self.clone();
            (0..LEASE_US.div_ceil(STEP_US)).for_each(|_| later.pass());
            later.asked(1 - seat, Ask::TakeOver);
            if later.authority.granted_seat() != Some(SEATS[1 - seat]) {
                return Err("the other seat must wait for one that is dead");
            }
            let mut later = self.clone();
            (0..=FIRST_COMMAND_US / STEP_US).for_each(|_| later.pass());
            if later.authority.granted_seat().is_some() {
                return Err("the lease of a dead seat did not end");
            }
        }
        Ok(())
    }

    /// Somebody drives by right, in a vehicle that runs.
    fn is_good(&self) -> bool {
        self.up && matches!(self.authority.author(), Author::Policy | Author::Operator)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    modes: (i32, i32, bool, Option<u8>),
    epochs: (u64, u64, u64),
    up: (bool, bool),
    order: Sequence,
    seats: [Seat; 2],
    network: [Option<Command>; UNDER_WAY],
    writer: Option<usize>,
}

struct Exploration {
    states: Vec<State>,
    /// Predecessors, for the search backwards.
    before: Vec<Vec<u32>>,
    steps: usize,
}

fn explore(most: usize) -> Exploration {
    let mut known = HashMap::from([(State::start().key(), 0u32)]);
    let mut all = Exploration { states: vec![State::start()], before: vec![Vec::new()], steps: 0 };
    let mut open = VecDeque::from([0u32]);
    while let Some(from) = open.pop_front() {
        for next in all.states[from as usize].successors() {
            all.steps += 1;
            next.check().unwrap_or_else(|why| panic!("{why}: {:#?} then {next:#?}", all.states[from as usize]));
            let index = *known.entry(next.key()).or_insert_with(|| {
                let index = all.states.len() as u32;
                all.states.push(next);
                all.before.push(Vec::new());
                open.push_back(index);
                index
            });
            all.before[index as usize].push(from);
        }
        assert!(all.states.len() <= most, "more than {most} states: the bounds do not bound");
    }
    all
}

#[test]
fn there_are_never_two_writers_a_dead_seat_loses_its_lease_and_nothing_gets_stuck() {
    let all = explore(1_500_000);
    println!("{} states, {} steps", all.states.len(), all.steps);
    // From every state, somebody can get to drive again: the good ones are reached backwards from everywhere. States at
    // the bound of grants are let off, as what follows them is cut away.
    let mut reaches = vec![false; all.states.len()];
    let at_bound = |s: &State| s.authority.epoch() >= s.life * EPOCH_RESERVE + GRANTS;
    let mut open: Vec<u32> = (0..all.states.len() as u32)
        .filter(|i| all.states[*i as usize].is_good() || at_bound(&all.states[*i as usize]))
        .collect();
    open.iter().for_each(|i| reaches[*i as usize] = true);
    while let Some(index) = open.pop() {
        for before in &all.before[index as usize] {
            if !std::mem::replace(&mut reaches[*before as usize], true) {
                open.push(*before);
            }
        }
    }
    let stuck = reaches.iter().position(|r| !r);
    assert!(stuck.is_none(), "nobody can drive again after {:#?}", stuck.map(|i| &all.states[i]));
    let seen = |mode, author| all.states.iter().any(|s| s.authority.mode() == mode && s.authority.author() == author);
    assert!(seen(Mode::Drive, Author::Operator) && seen(Mode::Monitor, Author::Policy));
    assert!(all.states.iter().any(|s| s.writer == Some(1) && s.authority.epoch() > 2));
    let late = |s: &State| s.life == 1 && s.writer.is_some() && s.authority.epoch() > EPOCH_RESERVE;
    assert!(all.states.iter().any(late));
}
