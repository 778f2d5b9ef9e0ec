//! What a person does with their hands, whatever the device: a [`Drive`], a deadman and presses of an [`Action`].
//!
//! Reading devices ([`GamepadReader`], the window's keyboard) is apart from what they mean ([`keyboard`], [`pad`]) and from
//! which of them counts ([`Wheel`]). An emergency stop counts from all of them.

mod gamepad;
pub mod keyboard;
mod mapping;
pub mod pad;
mod ramp;
mod wheel;

pub use gamepad::GamepadReader;
pub use keyboard::{Key, Keyboard};
pub use mapping::Mapping;
pub use pad::PadState;
pub use ramp::{Ramp, Rates};
pub use wheel::{DeviceId, Wheel};

/// What the person asks of the car's body, before any robot's limits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Drive {
    /// Accelerator, 0 to 1.
    pub accelerate: f64,
    /// Brake, 0 to 1.
    pub brake: f64,
    /// Steering, -1 (right) to 1 (left).
    pub steer: f64,
}

/// Share of full travel below which a pedal or stick counts as let go.
const NEUTRAL: f64 = 0.05;

impl Drive {
    /// Nothing pressed, nothing turned.
    #[must_use]
    pub fn is_neutral(&self) -> bool {
        self.accelerate < NEUTRAL && self.brake < NEUTRAL && self.steer.abs() < NEUTRAL
    }
}

/// One press that asks something of the vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Emergency stop.
    Estop,
    /// Take over; the cause is worked out from what the vehicle does.
    TakeOver,
    /// Take over to prevent harm.
    TakeOverSafety,
    /// Hand back to the policy.
    HandBack,
    /// Leave standstill: the policy starts to drive.
    Engage,
    /// Mark this moment in the recording.
    Bookmark,
    /// Turn Assist on or off: the policy drives and may ask which way.
    Assist,
    /// None of the ways that the vehicle offers: it waits.
    Decline,
    /// The first of the ways that the vehicle offers.
    Path1,
    /// The second.
    Path2,
    /// The third.
    Path3,
    /// The fourth.
    Path4,
    /// The fifth.
    Path5,
    /// The sixth.
    Path6,
}

impl Action {
    /// Every action, in the order of [`Action::index`].
    pub const ALL: [Self; 14] = [
        Self::Estop,
        Self::TakeOver,
        Self::TakeOverSafety,
        Self::HandBack,
        Self::Engage,
        Self::Bookmark,
        Self::Assist,
        Self::Decline,
        Self::Path1,
        Self::Path2,
        Self::Path3,
        Self::Path4,
        Self::Path5,
        Self::Path6,
    ];

    /// The ways of a question, in the order in which the vehicle names them.
    pub const PATHS: [Self; 6] = [Self::Path1, Self::Path2, Self::Path3, Self::Path4, Self::Path5, Self::Path6];

    /// Place in [`Action::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The word people see.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Estop => "emergency stop",
            Self::TakeOver => "take over",
            Self::TakeOverSafety => "take over (safety)",
            Self::HandBack => "hand back",
            Self::Engage => "engage",
            Self::Bookmark => "bookmark",
            Self::Assist => "assist",
            Self::Decline => "none of the ways",
            Self::Path1 => "way 1",
            Self::Path2 => "way 2",
            Self::Path3 => "way 3",
            Self::Path4 => "way 4",
            Self::Path5 => "way 5",
            Self::Path6 => "way 6",
        }
    }
}

/// Which device a sample came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// The window's keyboard.
    #[default]
    Keyboard,
    /// A gamepad.
    Gamepad,
}

/// One reading of all devices.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Where `drive` comes from.
    pub device: Device,
    /// Where pedals and stick stand now.
    pub drive: Drive,
    /// Held by the person.
    pub deadman: bool,
    /// Held to release the emergency stop.
    pub reset_held: bool,
    /// Pressed since the last sample.
    pub pressed: Vec<Action>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_know_their_place() {
        for (place, action) in Action::ALL.iter().enumerate() {
            assert_eq!(action.index(), place);
        }
    }
}
