//! What a gamepad's sticks and buttons mean.
//!
//! Right trigger accelerates, left trigger brakes, left stick steers. Either shoulder button is the deadman. East (B,
//! circle) is the emergency stop, South (A, cross) takes over, North (Y, triangle) hands back, West (X, square)
//! bookmarks, Start engages, Select held 3 s releases the emergency stop. The directional pad answers the vehicle: up, right
//! and left choose its first, second and third way, down none of them.
//!
//! Of a device whose buttons' meaning is not known only the emergency stop is read ([`stops_unmapped`]).

use super::{Action, Device, Drive, Sample};
use std::collections::HashMap;

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
    /// The emergency stop was pressed since the last reading, however short.
    pub stop_pressed: bool,
}

/// Whether a button of a device without a known layout is an emergency stop, by its place among the device's buttons: the
/// second and the third, since east is the one or the other in either numbering in use (Linux and XInput; DirectInput on pads
/// with a circle). Such a device does nothing else here. The seat page (`web/static/pads.js`) has the same rule.
#[must_use]
pub fn stops_unmapped(place: u32) -> bool {
    (1..=2).contains(&place)
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

/// Turns states of one pad into samples; remembers which buttons were down.
#[derive(Debug, Default)]
pub struct PadReader {
    down: Option<[bool; Action::ALL.len()]>,
}

impl PadReader {
    /// The sample of `state`; values that are not numbers count as let go. What is down when a pad appears was not pressed now,
    /// but for the emergency stop.
    pub fn sample(&mut self, state: &PadState) -> Sample {
        let down = self.down.replace(state.buttons);
        let fresh = |action: Action| match down {
            Some(down) => state.buttons[action.index()] && !down[action.index()],
            None => action == Action::Estop && state.buttons[action.index()],
        };
        let stopped = |action: Action| action == Action::Estop && state.stop_pressed;
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
            pressed: Action::ALL.into_iter().filter(|a| fresh(*a) || stopped(*a)).collect(),
        }
    }
}

/// All pads that are there, each with its own memory.
#[derive(Debug, Default)]
pub struct Pads {
    readers: HashMap<usize, PadReader>,
}

impl Pads {
    /// The samples of pads by their numbers; one that is gone is forgotten.
    pub fn sample<'a>(&mut self, pads: impl IntoIterator<Item = (usize, &'a PadState)>) -> Vec<(usize, Sample)> {
        let mut before = std::mem::take(&mut self.readers);
        let mut samples = Vec::new();
        for (number, state) in pads {
            let mut reader = before.remove(&number).unwrap_or_default();
            samples.push((number, reader.sample(state)));
            self.readers.insert(number, reader);
        }
        samples
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
    fn a_stop_counts_when_the_pad_appears_with_it_and_when_it_is_shorter_than_a_tick() {
        let mut pressed = PadState::default();
        pressed.buttons[Action::Estop.index()] = true;
        pressed.buttons[Action::TakeOver.index()] = true;
        assert_eq!(PadReader::default().sample(&pressed).pressed, [Action::Estop]);
        let mut reader = PadReader::default();
        reader.sample(&PadState::default());
        let short = PadState { stop_pressed: true, ..PadState::default() };
        assert_eq!(reader.sample(&short).pressed, [Action::Estop]);
        assert!(reader.sample(&PadState::default()).pressed.is_empty());
    }

    #[test]
    fn each_pad_has_its_own_memory_and_one_that_comes_back_starts_anew() {
        let mut pads = Pads::default();
        let (idle, mut stop) = (PadState::default(), PadState::default());
        stop.buttons[Action::Estop.index()] = true;
        let pressed = |samples: Vec<(usize, Sample)>| -> Vec<usize> {
            samples.into_iter().filter(|(_, s)| s.pressed.contains(&Action::Estop)).map(|(number, _)| number).collect()
        };
        assert_eq!(pressed(pads.sample([(0, &idle), (3, &stop)])), [3]);
        assert_eq!(pressed(pads.sample([(0, &stop), (3, &stop)])), [0], "the other is held, not pressed");
        assert!(pressed(pads.sample([(0, &stop)])).is_empty());
        assert_eq!(pressed(pads.sample([(0, &stop), (3, &stop), (9, &stop)])), [3, 9]);
    }

    #[test]
    fn a_broken_axis_is_let_go() {
        let state = PadState { stick_x: f64::NAN, right_trigger: f64::INFINITY, ..PadState::default() };
        assert!(PadReader::default().sample(&state).drive.is_neutral());
    }
}
