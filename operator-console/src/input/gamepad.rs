//! Reads gamepads through `gilrs`; what they mean is in [`super::pad`].

use super::pad::stops_unmapped;
use super::{Action, PadState};
use gilrs::ev::Code;
use gilrs::{Axis, Button, EventType, Gamepad, Gilrs, MappingSource};
use std::collections::HashSet;

/// Every gamepad that is there, whenever it was connected. Works without any: a machine may have no input subsystem at all.
pub struct GamepadReader {
    gilrs: Option<Gilrs>,
}

/// One gamepad as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectedPad {
    /// Its number: the same for one pad while the program runs.
    pub number: usize,
    /// What it calls itself.
    pub name: String,
    /// Its controls.
    pub state: PadState,
}

impl GamepadReader {
    /// Opens the input subsystem; says in the log when there is none.
    #[must_use]
    pub fn new() -> Self {
        Self { gilrs: Gilrs::new().inspect_err(|e| tracing::warn!("no gamepads: {e}; the keyboard drives")).ok() }
    }

    /// Takes what arrived since the last call.
    pub fn read(&mut self) -> Vec<ConnectedPad> {
        let Some(gilrs) = self.gilrs.as_mut() else { return Vec::new() };
        let mut stops = HashSet::new();
        while let Some(event) = gilrs.next_event() {
            if let EventType::ButtonPressed(button, code) = event.event
                && is_stop(gilrs.gamepad(event.id).mapping_source(), button, code)
            {
                stops.insert(event.id);
            }
        }
        let pad = |(id, pad): (gilrs::GamepadId, Gamepad<'_>)| ConnectedPad {
            number: id.into(),
            name: pad.name().to_owned(),
            state: PadState { stop_pressed: stops.contains(&id), ..state_of(&pad) },
        };
        gilrs.gamepads().map(pad).collect()
    }
}

impl Default for GamepadReader {
    fn default() -> Self {
        Self::new()
    }
}

fn is_stop(source: MappingSource, button: Button, code: Code) -> bool {
    match source {
        MappingSource::None => stops_unmapped(place(code.into_u32())),
        _ => Some(button) == button_of(Action::Estop),
    }
}

/// The place of a button among those of a device without a known layout, from the code that the system gives it.
fn place(code: u32) -> u32 {
    // The first button: BTN_JOYSTICK of Linux's input-event-codes.h, HID usage 1 on macOS, index 0 elsewhere.
    let first = if cfg!(target_os = "linux") { 0x120 } else { u32::from(cfg!(target_os = "macos")) };
    (code & 0xffff).wrapping_sub(first)
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
        stop_pressed: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_joysticks_buttons_have_their_places() {
        // EV_KEY in the upper half; BTN_TRIGGER, BTN_THUMB, BTN_THUMB2, BTN_TOP.
        let codes = [0x1_0120, 0x1_0121, 0x1_0122, 0x1_0123];
        assert_eq!(codes.map(place), [0, 1, 2, 3]);
        assert_eq!(codes.map(|code| stops_unmapped(place(code))), [false, true, true, false]);
        assert!(!stops_unmapped(place(0x1_0001)), "a key of a keyboard is none of them");
    }
}
