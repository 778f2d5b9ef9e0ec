//! What every window of this program needs: a screen, a renderer, pictures of itself.

#![allow(clippy::needless_pass_by_value, reason = "the engine hands a system its parameters by value")]

use crate::ConsoleError;
use bevy::app::{AppExit, PluginGroup, PluginGroupBuilder};
use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};
use bevy::window::{PresentMode, WindowPlugin, WindowResolution};
use bevy_egui::egui::{self, UiBuilder};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Path and reason of a screenshot that failed.
#[derive(Resource, Clone, Default)]
pub(crate) struct Outcome(Arc<Mutex<Option<(String, String)>>>);

impl Outcome {
    fn lock(&self) -> MutexGuard<'_, Option<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets a window up and runs it until it is closed. `build` adds to an app that has `plugins`.
///
/// # Errors
/// When there is no screen or no renderer, or a screenshot cannot be written.
pub(crate) fn run(plugins: PluginGroupBuilder, build: impl FnOnce(&mut App)) -> Result<(), ConsoleError> {
    if cfg!(target_os = "linux") && ["DISPLAY", "WAYLAND_DISPLAY"].iter().all(|v| std::env::var_os(v).is_none()) {
        return Err(ConsoleError::NoDisplay);
    }
    let outcome = Outcome::default();
    let mut app = set_up(|| {
        let mut app = App::new();
        app.add_plugins(plugins).insert_resource(outcome.clone());
        build(&mut app);
        app
    })?;
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

/// The engine panics where there is no screen or graphics driver to be had; here that becomes an error that says what
/// to do.
fn set_up(build: impl FnOnce() -> App) -> Result<App, ConsoleError> {
    let message = Arc::new(Mutex::new(None));
    let heard = message.clone();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload_as_str().unwrap_or("unknown reason").to_owned();
        heard.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }));
    let built = catch_unwind(AssertUnwindSafe(build));
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

/// The engine's plugins, for a window of this size in logical pixels.
pub(crate) fn plugins(title: &str, size: (u32, u32)) -> PluginGroupBuilder {
    let window = Window {
        title: title.into(),
        resolution: WindowResolution::new(size.0, size.1),
        // The newest finished frame is shown, none waits for its turn.
        present_mode: PresentMode::Mailbox,
        desired_maximum_frame_latency: NonZero::new(1),
        ..Window::default()
    };
    DefaultPlugins
        .build()
        // It renders one frame behind.
        .disable::<PipelinedRenderingPlugin>()
        .set(WindowPlugin { primary_window: Some(window), ..WindowPlugin::default() })
        .set(LogPlugin {
            filter: "warn,operator_console=info,link=info,wgpu=error,bevy_render=error".into(),
            ..LogPlugin::default()
        })
}

/// A place to draw on that covers the window.
pub(crate) fn whole_window(context: egui::Context) -> egui::Ui {
    let builder = UiBuilder::new().layer_id(egui::LayerId::background()).max_rect(context.viewport_rect());
    egui::Ui::new(context, "window".into(), builder)
}

/// Writes a picture of the window and closes it.
pub(crate) fn capture_and_close(commands: &mut Commands, path: PathBuf) {
    commands.spawn(Screenshot::primary_window()).observe(
        move |captured: On<ScreenshotCaptured>, outcome: Res<Outcome>, mut exit: MessageWriter<AppExit>| {
            if let Err(reason) = save(&captured.image, &path) {
                *outcome.lock() = Some((path.display().to_string(), reason));
            }
            exit.write(AppExit::Success);
        },
    );
}

fn save(image: &Image, path: &Path) -> Result<(), String> {
    let picture = image.clone().try_into_dynamic().map_err(|e| e.to_string())?;
    picture.to_rgb8().save(path).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

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
