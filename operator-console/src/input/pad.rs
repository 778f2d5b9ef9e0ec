//! What a gamepad's sticks and buttons mean.
//!
//! Right trigger accelerates, left trigger brakes, left stick steers. Either shoulder button is the deadman. East (B,
//! circle) is the emergency stop, South (A, cross) takes over, North (Y, triangle) hands back, West (X, square)
//! bookmarks, Start engages, Select held 3 s releases the emergency stop. The directional pad answers the vehicle: up, right
//! and left choose its first, second and third way, down none of them.

use super::{Action, Device, Drive, Sample};

/// A gamepad's controls as they stand; independent of any library.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PadState {
    /// Left stick, -1 (left) to 1 (right) as pads report it.
    pub stick_x: f64,
    /// Right trigger, 0 to 1.
    pub right_trigger: f64,
    /// Left trigger, 0 to 1.
    pub left_trigger: f64,
    /// Either shoulder button.
    pub shoulder: bool,
    /// Select.
    pub select: bool,
    /// Face buttons and Start that mean an action, held now, by place in [`Action::ALL`].
    pub buttons: [bool; Action::ALL.len()],
}

/// Travel around the centre that is noise.
const DEAD_ZONE: f64 = 0.08;

/// A stick's travel as a steering share: dead around the centre, gentle near it, full at the stop.
#[must_use]
pub fn steering_curve(travel: f64) -> f64 {
    let beyond = ((travel.abs() - DEAD_ZONE) / (1.0 - DEAD_ZONE)).clamp(0.0, 1.0);
    travel.signum() * (0.5 * beyond + 0.5 * beyond.powi(3))
}

/// A trigger's travel as a pedal share.
#[must_use]
pub fn pedal_curve(travel: f64) -> f64 {
    ((travel - DEAD_ZONE) / (1.0 - DEAD_ZONE)).clamp(0.0, 1.0)
}

/// Turns states into samples; remembers which buttons were down.
#[derive(Debug, Default)]
pub struct PadReader {
    down: [bool; Action::ALL.len()],
}

impl PadReader {
    /// The sample of `state`; values that are not numbers count as let go.
    pub fn sample(&mut self, state: &PadState) -> Sample {
        let down = std::mem::replace(&mut self.down, state.buttons);
        let finite = |v: f64| if v.is_finite() { v } else { 0.0 };
        Sample {
            device: Device::Gamepad,
            drive: Drive {
                accelerate: pedal_curve(finite(state.right_trigger)),
                brake: pedal_curve(finite(state.left_trigger)),
                steer: -steering_curve(finite(state.stick_x)),
            },
            deadman: state.shoulder,
            reset_held: state.select,
            pressed: Action::ALL.into_iter().filter(|a| state.buttons[a.index()] && !down[a.index()]).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drifting_stick_is_neutral_and_a_full_one_is_full() {
        assert_eq!(steering_curve(0.07), 0.0);
        assert_eq!(steering_curve(1.0), 1.0);
        assert_eq!(steering_curve(-1.0), -1.0);
        assert!(steering_curve(0.3) < 0.15, "gentle near the centre");
        assert_eq!(pedal_curve(-1.0), 0.0);
    }

    #[test]
    fn stick_to_the_left_steers_left() {
        let state = PadState { stick_x: -1.0, shoulder: true, ..PadState::default() };
        let sample = PadReader::default().sample(&state);
        assert_eq!((sample.drive.steer, sample.deadman), (1.0, true));
    }

    #[test]
    fn a_button_held_down_is_one_press() {
        let mut reader = PadReader::default();
        let mut state = PadState::default();
        state.buttons[Action::Estop.index()] = true;
        assert_eq!(reader.sample(&state).pressed, [Action::Estop]);
        assert!(reader.sample(&state).pressed.is_empty());
        assert!(reader.sample(&PadState::default()).pressed.is_empty());
        assert_eq!(reader.sample(&state).pressed, [Action::Estop]);
    }

    #[test]
    fn a_broken_axis_is_let_go() {
        let state = PadState { stick_x: f64::NAN, right_trigger: f64::INFINITY, ..PadState::default() };
        assert!(PadReader::default().sample(&state).drive.is_neutral());
    }
}
