//! What an adapter does for the run loop, and one turn of that loop.

use crate::camera::CameraModel;
use crate::{FromSeat, Sensors, Tick, VehicleCore};
use protocol::foxglove::LocationFix;
use protocol::v1::ControlCommand;

/// A robot: real, simulated or on a test stand. Nothing here may wait: the run loop calls it from its control thread.
pub trait Robot {
    /// What the sensors say at `now_us` by the vehicle's clock.
    fn sense(&mut self, now_us: u64) -> Sensors;

    /// Hands `command` to the actuators. It stays in force until the next one is written.
    fn write(&mut self, command: &ControlCommand);

    /// Its cameras, in the order of their streams.
    fn cameras(&self) -> &[CameraModel] {
        &[]
    }

    /// What a satellite receiver says now; `None` without one.
    fn fix(&self) -> Option<LocationFix> {
        None
    }

    /// Least distance of the body to the edge of the lane, metres, negative outside of it; `None` where that is not known.
    fn lane_margin_m(&self) -> Option<f64> {
        None
    }

    /// Whether the body has struck something since this was last asked: what a bumper says, or a simulator.
    fn take_collision(&mut self) -> bool {
        false
    }
}

/// One control tick at `now_us`: senses, hands the sensors to `prepare`, decides, and writes what was decided before it
/// returns. `prepare` may add to what the sensors say (the shell's own faults), put messages of seats into `inbox` and
/// hand results to the core. `inbox` is emptied; `out` is cleared and filled.
pub fn control_tick<R: Robot + ?Sized>(
    robot: &mut R,
    core: &mut VehicleCore,
    now_us: u64,
    inbox: &mut Vec<FromSeat>,
    out: &mut Tick,
    prepare: impl FnOnce(&mut Sensors, &mut VehicleCore, &mut Vec<FromSeat>),
) -> Sensors {
    let mut sensors = robot.sense(now_us);
    prepare(&mut sensors, core, inbox);
    core.tick(now_us, &sensors, inbox, out);
    robot.write(&out.command);
    sensors
}
