//! The player's window: time and pictures go into [`Player`], what was pressed too, and what it says is drawn.

#![allow(clippy::needless_pass_by_value, reason = "the engine hands a system its parameters by value")]

use super::view::{self, CameraView, Lines};
use super::{Decoders, EpisodeIndex, Player};
use crate::{ConsoleError, window};
use bevy::camera::Camera3d;
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::winit::{UpdateMode, WinitSettings};
use bevy_egui::egui::{self, TextureHandle, TextureOptions};
use bevy_egui::{EguiContexts, EguiPlugin, EguiPrimaryContextPass};
use indicatif::ProgressBar;
use recorder::EpisodeReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between frames while it plays or a picture is awaited.
const FRAME: Duration = Duration::from_micros(16_667);
/// Between frames while nothing moves; the mouse and the keys wake the window at once.
const STILL: Duration = Duration::from_millis(250);
/// Time that passed while the window did not draw is not played.
const LONGEST_FRAME: Duration = Duration::from_millis(250);
/// Frames from the last picture's arrival to the screenshot: the renderer needs them.
const SETTLE_FRAMES: u32 = 8;
/// A screenshot is taken after so long whatever is missing.
const SETTLE_AT_MOST: Duration = Duration::from_secs(60);

/// How to begin.
#[derive(Debug, Clone)]
pub struct PlayOptions {
    /// Logical pixels.
    pub size: (u32, u32),
    /// Where to begin, seconds since the episode's start.
    pub at_s: f64,
    /// How many times faster than it was.
    pub speed: f64,
    /// Start again at the end.
    pub again: bool,
    /// Stand at first.
    pub paused: bool,
    /// Write a picture of the window here and close.
    pub screenshot: Option<PathBuf>,
}

/// Reads an episode, opens a window and returns when it is closed.
///
/// # Errors
/// Those of reading the file, before any window; [`ConsoleError::Place`]; those of opening the window.
pub fn play(path: &Path, options: PlayOptions) -> Result<(), ConsoleError> {
    let reader = EpisodeReader::open(path)?;
    let bar = ProgressBar::new(reader.message_count()).with_message("reading");
    let index = EpisodeIndex::read(&reader, |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let index = Arc::new(index?);
    if !(0.0..=index.length_s).contains(&options.at_s) {
        return Err(ConsoleError::Place { at_s: options.at_s, length_s: index.length_s });
    }
    let decoders = Decoders::start(&reader, &index.cameras)?;
    let title = format!("takeover: {}", index.info.id);
    // The first frame is whole: nothing appears bit by bit, and a screenshot lacks nothing.
    let render = RenderPlugin { synchronous_pipeline_compilation: true, ..RenderPlugin::default() };
    let plugins = window::plugins(&title, options.size).set(render);
    window::run(plugins, |app| build(app, options, index, decoders))
}

fn build(app: &mut App, options: PlayOptions, index: Arc<EpisodeIndex>, decoders: Decoders) {
    let mut player = Player::new(index);
    player.head.seek(options.at_s);
    player.head.set_speed(options.speed);
    player.head.again = options.again;
    player.head.playing = !options.paused && options.screenshot.is_none();
    app.add_plugins(EguiPlugin::default())
        .insert_resource(ClearColor(Color::srgb(0.05, 0.06, 0.07)))
        .insert_resource(Stage::new(player, decoders))
        .insert_resource(PendingScreenshot { path: options.screenshot, since: Instant::now(), frames: 0 })
        .add_systems(Startup, set_up)
        .add_systems(EguiPrimaryContextPass, draw)
        .add_systems(Update, (pace, pending_screenshot));
}

/// What is played, and the pictures on the screen.
#[derive(Resource)]
struct Stage {
    player: Player,
    decoders: Decoders,
    cameras: Vec<OnScreen>,
    lines: Lines,
}

#[derive(Default)]
struct OnScreen {
    view: CameraView,
    texture: Option<TextureHandle>,
    frame: Option<usize>,
    waits: bool,
}

/// The screenshot to come.
#[derive(Resource)]
struct PendingScreenshot {
    path: Option<PathBuf>,
    since: Instant,
    frames: u32,
}

impl Stage {
    fn new(player: Player, decoders: Decoders) -> Self {
        let named = |name: &String| OnScreen {
            view: CameraView { name: name.clone(), ..CameraView::default() },
            waits: true,
            ..OnScreen::default()
        };
        let cameras = player.index.cameras.iter().map(|camera| named(&camera.name)).collect();
        Self { player, decoders, cameras, lines: Lines::default() }
    }

    /// Asks for the pictures of this moment and shows those that have come.
    fn fetch(&mut self, context: &egui::Context) {
        let wanted = self.player.wanted();
        for (camera, (screen, wanted)) in self.cameras.iter_mut().zip(wanted).enumerate() {
            if let Some(frame) = wanted {
                self.decoders.want(camera, frame);
            }
            if let Some(shown) = self.decoders.take(camera) {
                screen.frame = Some(shown.frame);
                screen.show(context, shown.picture);
            }
            screen.waits = wanted.is_some() && screen.frame != wanted;
            if wanted.is_none() {
                screen.view.note = Some("no picture yet".to_owned());
                screen.frame = None;
            }
        }
    }

    fn waits(&self) -> bool {
        self.cameras.iter().any(|screen| screen.waits)
    }
}

impl OnScreen {
    fn show(&mut self, context: &egui::Context, picture: super::Picture) {
        match picture {
            Err(reason) => self.view.note = Some(reason),
            Ok(picture) => {
                let size = picture.size;
                let texture = match &mut self.texture {
                    Some(texture) => {
                        texture.set(picture, TextureOptions::LINEAR);
                        texture
                    }
                    none => none.insert(context.load_texture(&self.view.name, picture, TextureOptions::LINEAR)),
                };
                (self.view.picture, self.view.note) = (Some((texture.id(), size)), None);
            }
        }
    }
}

fn set_up(mut commands: Commands) {
    commands.spawn((Camera3d::default(), Msaa::Off, Tonemapping::None));
}

fn draw(mut contexts: EguiContexts, mut stage: ResMut<Stage>, time: Res<Time<Real>>) -> Result {
    let mut ui = window::whole_window(contexts.ctx_mut()?.clone());
    let stage = &mut *stage;
    stage.player.advance(time.delta().min(LONGEST_FRAME));
    stage.fetch(ui.ctx());
    let views: Vec<CameraView> = stage.cameras.iter().map(|screen| screen.view.clone()).collect();
    for intent in view::draw(&mut ui, &stage.player, &views, &mut stage.lines) {
        stage.player.act(intent);
    }
    Ok(())
}

/// Draws often while something moves, and seldom otherwise.
fn pace(stage: Res<Stage>, pending_screenshot: Res<PendingScreenshot>, mut settings: ResMut<WinitSettings>) {
    let moves = stage.player.head.playing || stage.waits() || pending_screenshot.path.is_some();
    let mode = UpdateMode::reactive(if moves { FRAME } else { STILL });
    if settings.focused_mode != mode {
        *settings = WinitSettings { focused_mode: mode, unfocused_mode: mode };
    }
}

fn pending_screenshot(mut commands: Commands, stage: Res<Stage>, mut pending_screenshot: ResMut<PendingScreenshot>) {
    pending_screenshot.frames = if stage.waits() { 0 } else { pending_screenshot.frames + 1 };
    if (pending_screenshot.frames >= SETTLE_FRAMES || pending_screenshot.since.elapsed() > SETTLE_AT_MOST)
        && let Some(path) = pending_screenshot.path.take()
    {
        window::capture_and_close(&mut commands, path);
    }
}
