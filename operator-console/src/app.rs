//! The window: what it shows comes from the seat's thread, what is pressed in it goes there.

#![allow(clippy::needless_pass_by_value, reason = "the engine hands a system its parameters by value")]

use crate::hud::{HudState, hud};
use crate::input::{Action, Key, Keyboard};
use crate::video::{Slots, VideoPlugin};
use crate::{ConsoleError, Shared};
use bevy::app::{AppExit, PluginGroup};
use bevy::input::ButtonInput;
use bevy::input::keyboard::KeyCode;
use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};
use bevy::window::{PresentMode, PrimaryWindow, WindowPlugin, WindowResolution};
use bevy::winit::{EventLoopProxyWrapper, UpdateMode, WinitSettings, WinitUserEvent};
use bevy_egui::egui::{self, UiBuilder};
use bevy_egui::{EguiContexts, EguiPlugin, EguiPrimaryContextPass};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    if cfg!(target_os = "linux") && ["DISPLAY", "WAYLAND_DISPLAY"].iter().all(|v| std::env::var_os(v).is_none()) {
        return Err(ConsoleError::NoDisplay);
    }
    let outcome = Outcome::default();
    let mut app = set_up(options, shared, outcome.clone())?;
    let exit = app.run();
    if let Some((path, reason)) = outcome.lock().take() {
        return Err(ConsoleError::Screenshot { path, reason });
    }
    match exit {
        AppExit::Success => Ok(()),
        AppExit::Error(code) => {
            Err(ConsoleError::Window { reason: format!("the window ended with code {code}"), hint: "" })
        }
    }
}

/// Path and reason of a screenshot that failed.
#[derive(Resource, Clone, Default)]
struct Outcome(Arc<Mutex<Option<(String, String)>>>);

impl Outcome {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Resource)]
struct Closing {
    at: Option<Instant>,
    screenshot: Option<PathBuf>,
}

/// The engine panics where there is no screen or graphics driver to be had; here that becomes an error that says what
/// to do.
fn set_up(options: WindowOptions, shared: &Arc<Shared>, outcome: Outcome) -> Result<App, ConsoleError> {
    let message = Arc::new(Mutex::new(None));
    let heard = message.clone();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload_as_str().unwrap_or("unknown reason").to_owned();
        heard.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }));
    let built = catch_unwind(AssertUnwindSafe(|| build(options, shared, outcome)));
    std::panic::set_hook(before);
    built.map_err(|_| {
        let reason = message.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        let reason = reason.lines().next().unwrap_or_default().to_owned();
        ConsoleError::Window { hint: hint(&reason), reason }
    })
}

/// What to do about a failure to open the window.
fn hint(reason: &str) -> &'static str {
    if reason.contains("GPU") || reason.contains("adapter") {
        "; install a Vulkan driver (Debian: `apt install mesa-vulkan-drivers`, which also renders in software)"
    } else if reason.contains("xkbcommon") {
        "; install libxkbcommon-x11 (Debian: `apt install libxkbcommon-x11-0`)"
    } else if reason.contains("event loop") {
        "; check that DISPLAY or WAYLAND_DISPLAY names a screen that runs, or use `xvfb-run`"
    } else {
        ""
    }
}

fn build(options: WindowOptions, shared: &Arc<Shared>, outcome: Outcome) -> App {
    let window = Window {
        title: "takeover".into(),
        resolution: WindowResolution::new(options.size.0, options.size.1),
        // The newest finished frame is shown, none waits for its turn.
        present_mode: PresentMode::Mailbox,
        desired_maximum_frame_latency: NonZero::new(1),
        ..Window::default()
    };
    let plugins = DefaultPlugins
        .build()
        // It renders one frame behind.
        .disable::<PipelinedRenderingPlugin>()
        .set(WindowPlugin { primary_window: Some(window), ..WindowPlugin::default() })
        .set(LogPlugin {
            filter: "warn,operator_console=info,link=info,wgpu=error,bevy_render=error".into(),
            ..LogPlugin::default()
        });
    let mut app = App::new();
    app.add_plugins(plugins)
        .add_plugins((EguiPlugin::default(), VideoPlugin))
        .insert_resource(WinitSettings {
            focused_mode: UpdateMode::reactive(IDLE_FRAME),
            unfocused_mode: UpdateMode::reactive_low_power(IDLE_FRAME),
        })
        .insert_resource(Slots(shared.clone()))
        .insert_resource(outcome)
        .insert_resource(Closing {
            at: options.close_after.map(|after| Instant::now() + after),
            screenshot: options.screenshot,
        })
        .init_resource::<Keys>()
        .add_systems(PreUpdate, read_keys.after(bevy::input::InputSystems))
        .add_systems(EguiPrimaryContextPass, draw)
        .add_systems(Update, close);
    wake_on_pictures(&app, shared);
    app
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
    let context = contexts.ctx_mut()?.clone();
    let builder = UiBuilder::new().layer_id(egui::LayerId::background()).max_rect(context.viewport_rect());
    let mut ui = egui::Ui::new(context, "hud".into(), builder);
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
        Some(path) => {
            commands.spawn(Screenshot::primary_window()).observe(
                move |captured: On<ScreenshotCaptured>, outcome: Res<Outcome>, mut exit: MessageWriter<AppExit>| {
                    if let Err(reason) = save(&captured.image, &path) {
                        *outcome.lock() = Some((path.display().to_string(), reason));
                    }
                    exit.write(AppExit::Success);
                },
            );
        }
    }
}

fn save(image: &Image, path: &std::path::Path) -> Result<(), String> {
    let picture = image.clone().try_into_dynamic().map_err(|e| e.to_string())?;
    picture.to_rgb8().save(path).map_err(|e| e.to_string())
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

    #[test]
    fn a_missing_driver_is_named_with_its_package() {
        assert!(
            hint("Unable to find a GPU! Make sure you have installed required drivers!")
                .contains("mesa-vulkan-drivers")
        );
        assert!(hint("Failed to build event loop: Os(...)").contains("xvfb-run"));
        assert!(hint("Library libxkbcommon-x11.so could not be loaded.").contains("libxkbcommon-x11-0"));
        assert_eq!(hint("something else"), "");
    }
}
