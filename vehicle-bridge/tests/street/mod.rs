//! A car on an empty road that keeps its lane by its policy.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use closed_loop::sim_robot::SimRobot;
use policy::{FEATURES, HIDDEN, Layer, Manifest, Network, Policy};
use protocol::v1::{EngageRequest, Pose2, Reason, SeatRequest, seat_request::Request};
use protocol::{Embodiment, PolicyVersion, SeatKind};
use sim::road::RoadNetwork;
use sim::world::{World, WorldConfig};
use std::sync::Arc;
use vehicle_core::ControlRate;
use vehicle_core::geofence::Geofence;
use vehicle_core::{CoreConfig, FromSeat, SeatBody, Sensors, Tick, VehicleCore};

/// Steers by pure pursuit and keeps the speed that the road allows.
fn lane_keeper() -> Policy {
    let (pursuit, allowed) = (7, 37);
    let layer = |inputs: usize, outputs: usize, weights: Vec<f32>, biases: Vec<f32>| {
        Layer::new(inputs, outputs, weights, biases).unwrap()
    };
    let zero = |inputs: usize, outputs: usize| layer(inputs, outputs, vec![0.0; inputs * outputs], vec![0.0; outputs]);
    let mut weights = vec![0.0; 3 * FEATURES];
    weights[allowed] = 1.5;
    weights[FEATURES + pursuit] = 2.0;
    let skip = layer(FEATURES, 3, weights, vec![0.0, 0.0, 5.0]);
    let network = Network::new([zero(FEATURES, HIDDEN[0]), zero(HIDDEN[0], HIDDEN[1])], zero(HIDDEN[1], 3), skip);
    let manifest = Manifest::new(PolicyVersion::new("lane-keeper").unwrap(), None, 1);
    Policy::new(&Embodiment::ackermann_car(), manifest, network.unwrap()).unwrap()
}

/// The car, driven by its policy from the first second on.
pub struct Street {
    pub rate: ControlRate,
    pub robot: SimRobot,
    pub core: VehicleCore,
    pub tick: Tick,
    pub now_us: u64,
    pub sensors: Sensors,
}

fn world() -> World {
    let network = Arc::new(RoadNetwork::built_in("soderleden").unwrap());
    let config = WorldConfig {
        seed: 5,
        traffic_per_km: 0.0,
        scenario_events: Vec::new(),
        scenario_event_spacing_m: 500.0,
        cruise_cap_mps: 12.0,
        target_length_m: 1_000.0,
    };
    World::new(network, config).unwrap()
}

/// Where the car always starts.
pub fn start() -> (f64, f64) {
    let world = world();
    (world.ego().x_m, world.ego().y_m)
}

impl Street {
    pub fn new(rate: ControlRate, geofence: Option<Geofence>) -> Self {
        let config =
            CoreConfig { rate_hz: rate.hz() as f64, self_check_us: 100_000, geofence, ..CoreConfig::default() };
        let mut robot = SimRobot::controlled_at(world(), rate);
        let sensors = robot.look(0);
        let core = VehicleCore::new(Embodiment::ackermann_car(), config, lane_keeper(), 0).unwrap();
        let mut street = Self { rate, robot, core, tick: Tick::default(), now_us: 0, sensors };
        (0..rate.hz() / 4).for_each(|_| street.step(Vec::new()));
        street.ask(Request::Engage(EngageRequest {}));
        street
    }

    /// A tick in which `bodies` arrive from the desk.
    pub fn step(&mut self, bodies: Vec<SeatBody>) {
        self.robot.advance(self.rate.period_us() as f64 * 1e-6, &self.tick.command);
        self.now_us += self.rate.period_us();
        self.sensors = self.robot.look(self.now_us);
        let (kind, received_us) = (SeatKind::Human, self.now_us);
        let arrived = bodies.into_iter().map(|body| FromSeat { seat: "desk".into(), kind, received_us, body });
        self.core.tick(self.now_us, &self.sensors, &mut arrived.collect(), &mut self.tick);
    }

    /// Asks for something, which is granted.
    pub fn ask(&mut self, request: Request) {
        let request = SeatRequest { id: 1, request: Some(request), ..SeatRequest::default() };
        self.step(vec![SeatBody::Request(request)]);
        assert_eq!(self.tick.responses[0].1.reason(), Reason::Ok);
    }

    pub fn pose(&self) -> Pose2 {
        self.sensors.state.world_from_vehicle.unwrap()
    }

    pub fn speed_mps(&self) -> f64 {
        self.sensors.state.observation[0]
    }

    /// How far it is from a place.
    pub fn distance_m(&self, (x_m, y_m): (f64, f64)) -> f64 {
        (self.pose().x_m - x_m).hypot(self.pose().y_m - y_m)
    }
}
