//! Once its buffers have grown, a control tick allocates nothing, whoever drives.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code
#![allow(unsafe_code)] // an allocator that counts can be had in no other way

mod car;

use car::Car;
use policy::Policy;
use protocol::v1::{
    Author, CommandDatagram, EngageRequest, OperatorInput, SeatRequest, TakeoverRequest, Trajectory, TrajectoryPoint,
    seat_request::Request,
};
use protocol::{Embodiment, PolicyVersion, SeatKind};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use vehicle_core::{CoreConfig, FromSeat, Robot, SeatBody, Tick, VehicleCore};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Bench {
    robot: Car,
    core: VehicleCore,
    tick: Tick,
    inbox: Vec<FromSeat>,
    now_us: u64,
}

impl Bench {
    /// A tick's allocations.
    fn tick(&mut self) -> u64 {
        self.now_us += 20_000;
        let sensors = self.robot.sense(self.now_us);
        let before = COUNT.with(Cell::get);
        self.core.tick(self.now_us, &sensors, &mut self.inbox, &mut self.tick);
        let allocated = COUNT.with(Cell::get) - before;
        self.robot.write(&self.tick.command);
        allocated
    }

    fn receive(&mut self, body: SeatBody) {
        self.inbox.push(FromSeat { seat: "desk".into(), kind: SeatKind::Human, received_us: self.now_us, body });
    }

    fn ask(&mut self, request: Request) {
        self.receive(SeatBody::Request(SeatRequest { request: Some(request), ..SeatRequest::default() }));
        self.tick();
        assert!(self.tick.responses.iter().all(|(_, r)| r.accepted), "{:?}", self.tick.responses);
    }
}

#[test]
fn a_control_tick_allocates_nothing_once_its_buffers_have_grown() {
    let car = Embodiment::ackermann_car();
    let policy = Policy::untrained(&car, PolicyVersion::new("bench").unwrap(), 1).unwrap();
    let config_core = CoreConfig { self_check_us: 100_000, ..CoreConfig::default() };
    let mut bench = Bench {
        robot: Car::default(),
        core: VehicleCore::new(car, config_core, policy, 0).unwrap(),
        tick: Tick::default(),
        inbox: Vec::new(),
        now_us: 0,
    };
    let count = COUNT.with(Cell::get);
    drop(vec![1u8]);
    assert_eq!(COUNT.with(Cell::get), count + 1, "the count does not count");

    let standing: u64 = (0..50).map(|tick| bench.tick() * u64::from(tick >= 20)).sum();
    assert_eq!((standing, bench.tick.authority.author()), (0, Author::Fallback));

    bench.ask(Request::Engage(EngageRequest {}));
    let driven: u64 = (0..60).map(|tick| bench.tick() * u64::from(tick >= 20)).sum();
    assert_eq!((driven, bench.tick.authority.author()), (0, Author::Policy));

    bench.ask(Request::Takeover(TakeoverRequest::default()));
    let epoch = bench.core.authority().epoch();
    let mut steered = 0;
    for sequence in 1..100 {
        let input = OperatorInput {
            sequence,
            epoch,
            seat_us: bench.now_us,
            deadman: true,
            action: vec![0.5, 0.0],
            shown_frame_us: bench.now_us,
            trajectory: None,
        };
        bench.receive(SeatBody::Command(CommandDatagram { inputs: vec![input], ..CommandDatagram::default() }));
        steered += bench.tick() * u64::from(sequence >= 20);
    }
    assert_eq!((steered, bench.tick.authority.author()), (0, Author::Operator));

    let mut followed = 0;
    for sequence in 100..200 {
        let place = bench.robot.pose;
        let point = |i: u64| TrajectoryPoint {
            at_us: bench.now_us + i * 500_000,
            x_m: place.x_m + i as f64 * place.heading_rad.cos(),
            y_m: place.y_m + i as f64 * place.heading_rad.sin(),
            speed_mps: 2.0,
        };
        let input = OperatorInput {
            sequence,
            epoch,
            seat_us: bench.now_us,
            deadman: true,
            action: vec![],
            shown_frame_us: bench.now_us,
            trajectory: Some(Trajectory { points: (0..10).map(point).collect() }),
        };
        bench.receive(SeatBody::Command(CommandDatagram { inputs: vec![input], ..CommandDatagram::default() }));
        followed += bench.tick() * u64::from(sequence >= 120);
    }
    assert_eq!((followed, bench.tick.authority.author()), (0, Author::Operator));

    // The seat falls silent: the manoeuvre itself may announce itself, then nothing is allocated either.
    for _ in 0..20 {
        bench.tick();
    }
    let stopping: u64 = (0..50).map(|_| bench.tick()).sum();
    assert_eq!((stopping, bench.tick.authority.author()), (0, Author::Fallback));
}
