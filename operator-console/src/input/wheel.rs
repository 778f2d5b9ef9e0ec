//! Which device is at the wheel.
//!
//! The device whose deadman is pressed while no other's counts takes the wheel and keeps it until it lets go: a second device
//! cannot take it meanwhile, and one that held its deadman all along must press it again. With nothing held, the device
//! whose button was pressed last is the one in use. The same rules as the seat page's (`web/static/wheel.js`).

use super::{Action, Device, Drive, Sample};
use std::collections::HashMap;

/// One device among all that are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum DeviceId {
    /// The window's keyboard.
    #[default]
    Keyboard,
    /// A gamepad, by the number that its reader gives it.
    Pad(usize),
}

/// Joins the samples of all devices to one.
#[derive(Debug, Default)]
pub struct Wheel {
    down: HashMap<DeviceId, bool>,
    holds: Option<DeviceId>,
    in_use: DeviceId,
}

impl Wheel {
    /// The device in use.
    #[must_use]
    pub fn in_use(&self) -> DeviceId {
        self.in_use
    }

    /// What the person does on all devices together: the controls of the one in use, its deadman if it took the wheel with it,
    /// the emergency stop and its release from every device, other buttons from the keyboard and the pad in use.
    pub fn join(&mut self, keyboard: Sample, pads: Vec<(usize, Sample)>) -> Sample {
        let devices: Vec<(DeviceId, Sample)> = std::iter::once((DeviceId::Keyboard, keyboard))
            .chain(pads.into_iter().map(|(number, pad)| (DeviceId::Pad(number), pad)))
            .collect();
        let deadman = self.take(&devices);
        let stop = devices.iter().any(|(_, device)| device.pressed.contains(&Action::Estop));
        let mut joined = Sample { reset_held: devices.iter().any(|(_, d)| d.reset_held), deadman, ..Sample::default() };
        if stop {
            joined.pressed.push(Action::Estop);
        }
        for (id, sample) in devices {
            if id == DeviceId::Keyboard || id == self.in_use {
                let others = sample.pressed.iter().filter(|a| **a != Action::Estop);
                let new: Vec<Action> = others.filter(|a| !joined.pressed.contains(a)).copied().collect();
                joined.pressed.extend(new);
            }
            // The keyboard comes first and stands in for a pad in use that is gone.
            if id == DeviceId::Keyboard || id == self.in_use {
                (joined.device, joined.drive) = controls(id, &sample);
            }
        }
        joined
    }

    /// Whether the device in use holds its deadman.
    fn take(&mut self, devices: &[(DeviceId, Sample)]) -> bool {
        // A deadman that is down when its device appears was not pressed.
        let pressed = devices.iter().find(|(id, d)| d.deadman && self.down.get(id) == Some(&false)).map(|(id, _)| *id);
        self.down = devices.iter().map(|(id, device)| (*id, device.deadman)).collect();
        if let Some(held) = self.holds {
            if self.down.get(&held) == Some(&true) {
                return true;
            }
            // Between two hands the wheel is let go of: whoever takes it is told apart from who had it.
            self.holds = None;
            return false;
        }
        let used = devices.iter().find(|(id, d)| *id != DeviceId::Keyboard && !d.pressed.is_empty()).map(|(id, _)| *id);
        self.in_use = pressed.or(used).unwrap_or(self.in_use);
        self.holds = pressed;
        pressed.is_some()
    }
}

fn controls(id: DeviceId, sample: &Sample) -> (Device, Drive) {
    let device = if id == DeviceId::Keyboard { Device::Keyboard } else { Device::Gamepad };
    (device, sample.drive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle() -> Sample {
        Sample::default()
    }

    fn accelerating(share: f64, deadman: bool) -> Sample {
        Sample { drive: Drive { accelerate: share, ..Drive::default() }, deadman, ..Sample::default() }
    }

    fn pressing(action: Action) -> Sample {
        Sample { pressed: vec![action], ..Sample::default() }
    }

    /// Three devices that are there and let go.
    fn wheel_device() -> Wheel {
        let mut wheel = Wheel::default();
        wheel.join(idle(), vec![(0, idle()), (1, idle())]);
        wheel
    }

    #[test]
    fn the_device_that_takes_the_wheel_keeps_it_until_it_lets_go() {
        let mut wheel = wheel_device();
        let first = wheel.join(idle(), vec![(0, idle()), (1, accelerating(0.4, true))]);
        assert_eq!((first.device, first.deadman, first.drive.accelerate), (Device::Gamepad, true, 0.4));
        // Neither another pad nor the keyboard takes it meanwhile.
        let both =
            wheel.join(accelerating(1.0, true), vec![(0, accelerating(0.9, true)), (1, accelerating(0.5, true))]);
        assert_eq!((wheel.in_use(), both.deadman, both.drive.accelerate), (DeviceId::Pad(1), true, 0.5));
        // Let go of, it does not jump to those that held on: they press again.
        let others = || (accelerating(1.0, true), vec![(0, accelerating(0.9, true)), (1, accelerating(0.5, false))]);
        for _ in 0..3 {
            let (keys, pads) = others();
            assert!(!wheel.join(keys, pads).deadman);
        }
        wheel.join(idle(), vec![(0, accelerating(0.9, true)), (1, idle())]);
        let keys = wheel.join(accelerating(1.0, true), vec![(0, accelerating(0.9, true)), (1, idle())]);
        assert_eq!((keys.device, keys.deadman, keys.drive.accelerate), (Device::Keyboard, true, 1.0));
    }

    #[test]
    fn a_pad_that_is_unplugged_at_the_wheel_lets_go_of_it() {
        let mut wheel = wheel_device();
        assert!(wheel.join(idle(), vec![(0, accelerating(0.4, true)), (1, accelerating(0.9, false))]).deadman);
        let gone = wheel.join(idle(), vec![(1, accelerating(0.9, false))]);
        assert_eq!((gone.deadman, gone.device, gone.drive), (false, Device::Keyboard, Drive::default()));
        // It comes back with the deadman tied down: that is no press.
        assert!(!wheel.join(idle(), vec![(0, accelerating(0.4, true)), (1, idle())]).deadman);
        assert!(!wheel.join(idle(), vec![(0, accelerating(0.4, true)), (1, idle())]).deadman);
    }

    #[test]
    fn an_emergency_stop_counts_from_every_device_whatever_else_is_pressed_and_once() {
        let mut wheel = wheel_device();
        let stopping = |deadman| Sample { pressed: vec![Action::Estop], deadman, ..accelerating(1.0, false) };
        // Another pad drives, the keyboard drives, nobody drives, all of them stop.
        let other = wheel.join(idle(), vec![(0, accelerating(0.4, true)), (1, stopping(false))]);
        assert_eq!(
            (other.pressed.as_slice(), other.deadman, wheel.in_use()),
            (&[Action::Estop][..], true, DeviceId::Pad(0))
        );
        let mut wheel = wheel_device();
        let keys = wheel.join(accelerating(0.4, true), vec![(0, idle()), (1, stopping(true))]);
        assert_eq!((keys.pressed.as_slice(), keys.device), (&[Action::Estop][..], Device::Keyboard));
        let all = wheel.join(stopping(true), vec![(0, stopping(true)), (1, stopping(false)), (7, stopping(false))]);
        assert_eq!(all.pressed, [Action::Estop]);
    }

    #[test]
    fn other_buttons_count_on_the_keyboard_and_on_the_pad_in_use() {
        let mut wheel = wheel_device();
        wheel.join(idle(), vec![(0, accelerating(0.0, true)), (1, idle())]);
        let two = vec![(0, accelerating(0.0, true)), (1, pressing(Action::HandBack))];
        assert_eq!(wheel.join(pressing(Action::Bookmark), two).pressed, [Action::Bookmark]);
        wheel.join(idle(), vec![(0, idle()), (1, idle())]);
        // With nothing held, the pad whose button was pressed is in use.
        let joined = wheel.join(idle(), vec![(0, idle()), (1, pressing(Action::Engage))]);
        assert_eq!((joined.pressed.as_slice(), wheel.in_use()), (&[Action::Engage][..], DeviceId::Pad(1)));
        let reset = Sample { reset_held: true, ..Sample::default() };
        assert!(wheel.join(idle(), vec![(0, reset), (1, idle())]).reset_held);
    }
}
