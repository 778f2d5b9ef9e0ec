//! Draws the player. Nothing here decides what is said; what was pressed comes out as [`Intent`]s.

mod cameras;
mod canvas;
mod layout;
mod panel;
mod plot;
mod timeline;
mod transport;

pub use cameras::CameraView;
pub use plot::Lines;

use super::{Facts, Intent, Player};
use bevy_egui::egui::{Key, Modifiers, Ui};
use canvas::Canvas;
use layout::Layout;

/// Draws everything over the whole of `ui` and tells what was pressed. `cameras` are those of the episode, in its order.
pub fn draw(ui: &mut Ui, player: &Player, cameras: &[CameraView], lines: &mut Lines) -> Vec<Intent> {
    let area = ui.max_rect();
    let canvas = Canvas::new(ui.painter().clone(), area.size());
    let layout = Layout::of(area, canvas.scale(), cameras.len());
    let facts = Facts::of(&player.index, player.head.at_s());
    let mut intents = Vec::new();
    keys(ui, &mut intents);
    panel::header(&canvas, layout.header, player, &facts);
    cameras::draw(&canvas, &layout.cameras, cameras);
    panel::draw(&canvas, layout.panel, layout.panel_columns, &facts);
    plot::draw(ui, &canvas, layout.plots, player, lines, &mut intents);
    transport::draw(ui, &canvas, layout.transport, player, &mut intents);
    timeline::draw(ui, &canvas, layout.timeline, player, &mut intents);
    intents
}

/// What the keyboard says. Keys that are held repeat.
fn keys(ui: &Ui, intents: &mut Vec<Intent>) {
    let plain = [
        (Key::Space, Intent::Toggle),
        (Key::ArrowRight, Intent::Step { forward: true }),
        (Key::ArrowLeft, Intent::Step { forward: false }),
        (Key::ArrowUp, Intent::Speed { faster: true }),
        (Key::ArrowDown, Intent::Speed { faster: false }),
        (Key::PageDown, Intent::Marker { forward: true }),
        (Key::PageUp, Intent::Marker { forward: false }),
        (Key::Home, Intent::Seek(0.0)),
        (Key::End, Intent::Seek(f64::MAX)),
        (Key::L, Intent::Loop),
    ];
    let shifted = [(Key::ArrowRight, Intent::Skip(1.0)), (Key::ArrowLeft, Intent::Skip(-1.0))];
    ui.input_mut(|input| {
        for (modifiers, bound) in [(Modifiers::SHIFT, &shifted[..]), (Modifiers::NONE, &plain[..])] {
            for (key, intent) in bound {
                let count = input.count_and_consume_key(modifiers, *key);
                intents.extend(std::iter::repeat_n(*intent, count));
            }
        }
    });
}
