//! Reads gamepads through `gilrs`; what they mean is in [`super::pad`].

use super::{Action, PadState};
use gilrs::{Axis, Button, Gamepad, GamepadId, Gilrs};

/// The first gamepad that is there, and its name. Works without any: a machine may have no input subsystem at all.
pub struct GamepadReader {
    gilrs: Option<Gilrs>,
    used: Option<GamepadId>,
}

impl GamepadReader {
    /// Opens the input subsystem; says in the log when there is none.
    #[must_use]
    pub fn new() -> Self {
        let gilrs = Gilrs::new().inspect_err(|e| tracing::warn!("no gamepads: {e}; the keyboard drives")).ok();
        Self { gilrs, used: None }
    }

    /// Takes what arrived since the last call; the pad used last stays in use while it is connected.
    pub fn read(&mut self) -> Option<(String, PadState)> {
        let gilrs = self.gilrs.as_mut()?;
        while let Some(event) = gilrs.next_event() {
            if let gilrs::EventType::ButtonPressed(..) = event.event {
                self.used = Some(event.id);
            }
        }
        let pad = self
            .used
            .and_then(|id| gilrs.connected_gamepad(id))
            .or_else(|| gilrs.gamepads().next().map(|(_, pad)| pad))?;
        self.used = Some(pad.id());
        Some((pad.name().to_owned(), state_of(&pad)))
    }
}

impl Default for GamepadReader {
    fn default() -> Self {
        Self::new()
    }
}

fn button_of(action: Action) -> Option<Button> {
    match action {
        Action::Estop => Some(Button::East),
        Action::TakeOver => Some(Button::South),
        Action::HandBack => Some(Button::North),
        Action::Engage => Some(Button::Start),
        Action::Bookmark => Some(Button::West),
        Action::Path1 => Some(Button::DPadUp),
        Action::Path2 => Some(Button::DPadRight),
        Action::Path3 => Some(Button::DPadLeft),
        Action::Decline => Some(Button::DPadDown),
        _ => None,
    }
}

fn state_of(pad: &Gamepad<'_>) -> PadState {
    // Some drivers report triggers as buttons with a value, some as axes from -1 to 1 or 0 to 1.
    let trigger = |button, axis| {
        let as_button = pad.button_data(button).map_or(0.0, |data| f64::from(data.value()));
        as_button.max(f64::from(pad.value(axis)))
    };
    PadState {
        stick_x: f64::from(pad.value(Axis::LeftStickX)),
        right_trigger: trigger(Button::RightTrigger2, Axis::RightZ),
        left_trigger: trigger(Button::LeftTrigger2, Axis::LeftZ),
        shoulder: pad.is_pressed(Button::LeftTrigger) || pad.is_pressed(Button::RightTrigger),
        select: pad.is_pressed(Button::Select),
        buttons: Action::ALL.map(|action| button_of(action).is_some_and(|button| pad.is_pressed(button))),
    }
}
