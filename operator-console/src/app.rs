//! The window: what it shows comes from the seat's thread, what is pressed in it goes there.

#![allow(clippy::needless_pass_by_value, reason = "the engine hands a system its parameters by value")]

use crate::hud::{HudState, hud};
use crate::input::{Action, Key, Keyboard};
use crate::video::{Slots, VideoPlugin};
use crate::{ConsoleError, Shared, window};
use bevy::app::AppExit;
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::prelude::*;
use bevy::window::PrimaryWindow;
use bevy::winit::{EventLoopProxyWrapper, UpdateMode, WinitSettings, WinitUserEvent};
use bevy_egui::{EguiContexts, EguiPlugin, EguiPrimaryContextPass};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between frames when nothing arrives; a picture or a key wakes the window at once.
const IDLE_FRAME: Duration = Duration::from_micros(16_667);

/// How the window looks and when it closes by itself.
#[derive(Debug, Clone)]
pub struct WindowOptions {
    /// Logical pixels.
    pub size: (u32, u32),
    /// Close after so long, having written `screenshot`.
    pub close_after: Option<Duration>,
    /// Where to write a picture of the window before closing.
    pub screenshot: Option<PathBuf>,
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// When there is no screen or no renderer, or the screenshot cannot be written.
pub fn run(options: WindowOptions, shared: &Arc<Shared>) -> Result<(), ConsoleError> {
    let plugins = window::plugins("takeover", options.size);
    window::run(plugins, |app| build(app, options, shared))
}

#[derive(Resource)]
struct Closing {
    at: Option<Instant>,
    screenshot: Option<PathBuf>,
}

fn build(app: &mut App, options: WindowOptions, shared: &Arc<Shared>) {
    app.add_plugins((EguiPlugin::default(), VideoPlugin))
        .insert_resource(WinitSettings {
            focused_mode: UpdateMode::reactive(IDLE_FRAME),
            unfocused_mode: UpdateMode::reactive_low_power(IDLE_FRAME),
        })
        .insert_resource(Slots(shared.clone()))
        .insert_resource(Closing {
            at: options.close_after.map(|after| Instant::now() + after),
            screenshot: options.screenshot,
        })
        .init_resource::<Keys>()
        .add_systems(PreUpdate, read_keys.after(bevy::input::InputSystems))
        .add_systems(EguiPrimaryContextPass, draw)
        .add_systems(Update, close);
    wake_on_pictures(app, shared);
}

fn wake_on_pictures(app: &App, shared: &Arc<Shared>) {
    if let Some(proxy) = app.world().get_resource::<EventLoopProxyWrapper>() {
        let proxy = Mutex::new((**proxy).clone());
        shared.set_waker(move || {
            let proxy = proxy.lock().unwrap_or_else(PoisonError::into_inner);
            let _window_closed = proxy.send_event(WinitUserEvent::WakeUp);
        });
    }
}

#[derive(Resource, Default)]
struct Keys(Keyboard);

const HELD: [(Key, &[KeyCode]); 6] = [
    (Key::Accelerate, &[KeyCode::KeyW, KeyCode::ArrowUp]),
    (Key::Brake, &[KeyCode::KeyS, KeyCode::ArrowDown]),
    (Key::Left, &[KeyCode::KeyA, KeyCode::ArrowLeft]),
    (Key::Right, &[KeyCode::KeyD, KeyCode::ArrowRight]),
    (Key::Deadman, &[KeyCode::ShiftLeft, KeyCode::ShiftRight]),
    (Key::Reset, &[KeyCode::KeyR]),
];

const PRESSED: [(Action, &[KeyCode]); 14] = [
    (Action::Estop, &[KeyCode::Space, KeyCode::Backspace]),
    (Action::TakeOver, &[KeyCode::KeyT]),
    (Action::TakeOverSafety, &[KeyCode::KeyY]),
    (Action::HandBack, &[KeyCode::KeyH]),
    (Action::Engage, &[KeyCode::KeyG]),
    (Action::Bookmark, &[KeyCode::KeyB]),
    (Action::Assist, &[KeyCode::KeyQ]),
    (Action::Decline, &[KeyCode::KeyX]),
    (Action::Path1, &[KeyCode::Digit1, KeyCode::Numpad1]),
    (Action::Path2, &[KeyCode::Digit2, KeyCode::Numpad2]),
    (Action::Path3, &[KeyCode::Digit3, KeyCode::Numpad3]),
    (Action::Path4, &[KeyCode::Digit4, KeyCode::Numpad4]),
    (Action::Path5, &[KeyCode::Digit5, KeyCode::Numpad5]),
    (Action::Path6, &[KeyCode::Digit6, KeyCode::Numpad6]),
];

fn read_keys(
    input: Res<ButtonInput<KeyCode>>,
    window: Option<Single<&Window, With<PrimaryWindow>>>,
    mut keys: ResMut<Keys>,
    slots: Res<Slots>,
) {
    let keyboard = &mut keys.0;
    keyboard.focused = window.is_some_and(|window| window.focused);
    for (key, codes) in HELD {
        keyboard.set(key, codes.iter().any(|code| input.pressed(*code)));
    }
    for (action, codes) in PRESSED {
        if codes.iter().any(|code| input.just_pressed(*code)) {
            keyboard.press(action);
        }
    }
    slots.0.set_keyboard(*keyboard);
}

fn draw(mut contexts: EguiContexts, slots: Res<Slots>) -> Result {
    let mut ui = window::whole_window(contexts.ctx_mut()?.clone());
    let view = slots.0.view();
    let clicks = hud(&mut ui, &HudState::from_view(&view, view.at.elapsed()));
    for action in clicks.actions {
        slots.0.click(action);
    }
    slots.0.set_reset_held(clicks.reset_held);
    Ok(())
}

fn close(mut commands: Commands, mut closing: ResMut<Closing>, mut exit: MessageWriter<AppExit>) {
    if closing.at.is_none_or(|at| Instant::now() < at) {
        return;
    }
    closing.at = None;
    match closing.screenshot.take() {
        None => {
            exit.write(AppExit::Success);
        }
        Some(path) => window::capture_and_close(&mut commands, path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things() {
        let mut seen: Vec<KeyCode> = Vec::new();
        let codes = HELD.iter().flat_map(|(_, c)| c.iter()).chain(PRESSED.iter().flat_map(|(_, c)| c.iter()));
        for code in codes {
            assert!(!seen.contains(code), "{code:?}");
            seen.push(*code);
        }
    }
}
