//! What breaks on the way.

use protocol::Embodiment;
use protocol::v1::ControlCommand;
use vehicle_core::Sensors;

/// What comes between core, robot and seat. By default nothing does. Times are the vehicle's, of the tick concerned.
pub trait LoopFaults {
    /// Makes of `command` what the actuators make of it, as it is in force up to the next tick.
    fn actuate(&mut self, embodiment: &Embodiment, command: &mut ControlCommand) {
        let _ = (embodiment, command);
    }

    /// Leaves of what the robot truly senses what is left of it.
    fn sense(&mut self, now_us: u64, sensors: &mut Sensors) {
        let _ = (now_us, sensors);
    }

    /// Whether the vehicle's control loop stalls: the command in force stays so, what arrives waits.
    fn core_stalls(&self, now_us: u64) -> bool {
        let _ = now_us;
        false
    }

    /// Whether the seat stalls: what arrives there waits.
    fn seat_stalls(&self, now_us: u64) -> bool {
        let _ = now_us;
        false
    }

    /// How far the seat's clock is off what it would show, microseconds.
    fn seat_clock_error_us(&self, now_us: u64) -> i64 {
        let _ = now_us;
        0
    }
}

/// Everything works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFaults;

impl LoopFaults for NoFaults {}
