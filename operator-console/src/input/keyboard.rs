//! The keyboard as a driving device.
//!
//! | key | what it does |
//! | --- | --- |
//! | Shift (either) | deadman, held while driving |
//! | W, Up / S, Down | accelerate / brake |
//! | A, Left / D, Right | steer |
//! | Space, Backspace | emergency stop, one press |
//! | R, held 3 s | release the emergency stop |
//! | T / Y | take over / take over to prevent harm |
//! | H, G, B | hand back, engage, bookmark |
//! | Q | turn Assist on or off |
//! | 1 to 6, X | choose a way that the vehicle offers, or none |

use super::{Action, Device, Drive, Sample};
use std::time::Duration;

/// Keys that count while they are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Accelerate.
    Accelerate,
    /// Brake.
    Brake,
    /// Steer left.
    Left,
    /// Steer right.
    Right,
    /// Deadman.
    Deadman,
    /// Release of the emergency stop.
    Reset,
}

impl Key {
    /// Every key that counts while held.
    pub const ALL: [Self; 6] = [Self::Accelerate, Self::Brake, Self::Left, Self::Right, Self::Deadman, Self::Reset];
}

/// A window that has not reported its keys for this long may be frozen with a key down: nothing counts as held.
pub const KEYS_STALE: Duration = Duration::from_millis(300);

/// What the window last reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keyboard {
    /// Held now, by place in [`Key::ALL`].
    pub held: [bool; Key::ALL.len()],
    /// How often each of [`Action::ALL`] was pressed since the start; a count, so that no press is lost between reads.
    pub presses: [u32; Action::ALL.len()],
    /// The window has the keyboard's focus.
    pub focused: bool,
}

impl Keyboard {
    /// Whether `key` is held.
    #[must_use]
    pub fn holds(&self, key: Key) -> bool {
        self.held[key as usize]
    }

    /// Sets `key`.
    pub fn set(&mut self, key: Key, held: bool) {
        self.held[key as usize] = held;
    }

    /// Counts one press of `action`.
    pub fn press(&mut self, action: Action) {
        let count = &mut self.presses[action.index()];
        *count = count.wrapping_add(1);
    }
}

/// Turns reports into samples; remembers which presses it has told.
#[derive(Debug, Default)]
pub struct KeyboardReader {
    told: Option<[u32; Action::ALL.len()]>,
}

impl KeyboardReader {
    /// The sample of a report that is `age` old. Presses from before the first call do not count, but for the emergency stop.
    pub fn sample(&mut self, keyboard: &Keyboard, age: Duration) -> Sample {
        let told = self.told.replace(keyboard.presses).unwrap_or_else(|| {
            let mut told = keyboard.presses;
            told[Action::Estop.index()] = 0;
            told
        });
        let pressed = Action::ALL.into_iter().filter(|a| told[a.index()] != keyboard.presses[a.index()]).collect();
        if !keyboard.focused || age > KEYS_STALE {
            return Sample { pressed, ..Sample::default() };
        }
        let share = |key| f64::from(u8::from(keyboard.holds(key)));
        Sample {
            device: Device::Keyboard,
            drive: Drive {
                accelerate: share(Key::Accelerate),
                brake: share(Key::Brake),
                steer: share(Key::Left) - share(Key::Right),
            },
            deadman: keyboard.holds(Key::Deadman),
            reset_held: keyboard.holds(Key::Reset),
            pressed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(keys: &[Key]) -> Keyboard {
        let mut keyboard = Keyboard { focused: true, ..Keyboard::default() };
        keys.iter().for_each(|&key| keyboard.set(key, true));
        keyboard
    }

    #[test]
    fn left_and_right_together_steer_straight() {
        let mut reader = KeyboardReader::default();
        let sample = reader.sample(&held(&[Key::Left, Key::Right, Key::Deadman]), Duration::ZERO);
        assert_eq!((sample.drive.steer, sample.deadman), (0.0, true));
        assert_eq!(reader.sample(&held(&[Key::Left]), Duration::ZERO).drive.steer, 1.0);
    }

    #[test]
    fn a_frozen_window_releases_every_key() {
        let keyboard = held(&[Key::Accelerate, Key::Deadman]);
        let mut reader = KeyboardReader::default();
        assert!(reader.sample(&keyboard, Duration::from_millis(299)).deadman);
        let frozen = reader.sample(&keyboard, Duration::from_millis(301));
        assert!(!frozen.deadman && frozen.drive.is_neutral());
    }

    #[test]
    fn a_window_without_focus_holds_nothing() {
        let keyboard = Keyboard { focused: false, ..held(&[Key::Accelerate, Key::Deadman, Key::Reset]) };
        assert_eq!(KeyboardReader::default().sample(&keyboard, Duration::ZERO), Sample::default());
    }

    #[test]
    fn each_press_is_told_once_even_by_a_frozen_window() {
        let mut reader = KeyboardReader::default();
        let mut keyboard = held(&[]);
        keyboard.press(Action::TakeOver);
        assert!(reader.sample(&keyboard, Duration::ZERO).pressed.is_empty(), "pressed before we listened");
        keyboard.press(Action::Estop);
        assert_eq!(reader.sample(&keyboard, Duration::from_secs(9)).pressed, [Action::Estop]);
        assert!(reader.sample(&keyboard, Duration::ZERO).pressed.is_empty());
        assert_eq!(
            KeyboardReader::default().sample(&keyboard, Duration::ZERO).pressed,
            [Action::Estop],
            "no stop is lost"
        );
    }
}
