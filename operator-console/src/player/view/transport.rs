//! The buttons and what the keys do.

use super::canvas::Canvas;
use super::panel::mode_colour;
use crate::player::{Intent, Player};
use crate::tokens;
use bevy_egui::egui::{Align2, Color32, Pos2, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};
use protocol::v1::Mode;

const KEYS: &str =
    "Space: play    left, right: picture    Shift: second    up, down: speed    PgUp, PgDn: marker    L: loop";

/// What is painted on a button.
#[derive(Clone, Copy)]
enum Sign {
    Play,
    Pause,
    /// One picture: a bar and a triangle.
    Step(f32),
    /// A marker: two triangles.
    Jump(f32),
    Word(&'static str),
}

/// The row of buttons, and the keys where there is room.
pub(super) fn draw(ui: &Ui, canvas: &Canvas, rect: Rect, player: &Player, intents: &mut Vec<Intent>) {
    let head = &player.head;
    let play = if head.playing { Sign::Pause } else { Sign::Play };
    let row = [
        (Sign::Jump(-1.0), 34.0, Intent::Marker { forward: false }, false),
        (Sign::Step(-1.0), 34.0, Intent::Step { forward: false }, false),
        (play, 52.0, Intent::Toggle, true),
        (Sign::Step(1.0), 34.0, Intent::Step { forward: true }, false),
        (Sign::Jump(1.0), 34.0, Intent::Marker { forward: true }, false),
        (Sign::Word("slower"), 62.0, Intent::Speed { faster: false }, false),
        (Sign::Word("faster"), 62.0, Intent::Speed { faster: true }, false),
        (Sign::Word("loop"), 52.0, Intent::Loop, head.again),
    ];
    let height = canvas.px(30.0);
    let top = rect.center().y - height / 2.0;
    let mut left = rect.left();
    for (number, (sign, width, intent, lit)) in row.into_iter().enumerate() {
        let place = Rect::from_min_size(pos2(left, top), vec2(canvas.px(width), height));
        if button(ui, canvas, place, number, sign, lit) {
            intents.push(intent);
        }
        left = place.right() + canvas.px(5.0);
        // The speed stands between the buttons that change it.
        if number == 5 {
            let place = Rect::from_min_size(pos2(left, top), vec2(canvas.px(54.0), height));
            let text = format!("{}x", head.speed());
            canvas.text(place.center(), Align2::CENTER_CENTER, &text, canvas.mono(15.0), tokens::TEXT);
            left = place.right() + canvas.px(5.0);
        }
    }
    let keys = canvas.line(KEYS, canvas.font(13.0), tokens::MUTED, f32::INFINITY);
    let mut right = rect.right();
    if left + canvas.px(20.0) + keys.size().x <= right {
        right = canvas.put(keys, pos2(right, rect.center().y), Align2::RIGHT_CENTER).left();
    }
    legend(canvas, Rect::from_x_y_ranges(left + canvas.px(14.0)..=right - canvas.px(20.0), rect.y_range()));
}

/// The modes' colours, as far as there is room.
fn legend(canvas: &Canvas, rect: Rect) {
    let mut left = rect.left();
    for mode in [Mode::Monitor, Mode::Assist, Mode::Drive, Mode::Stopped] {
        let word = canvas.line(mode.label(), canvas.font(13.0), tokens::MUTED, f32::INFINITY);
        let square = Rect::from_center_size(
            pos2(left + canvas.px(6.0), rect.center().y),
            vec2(canvas.px(11.0), canvas.px(11.0)),
        );
        let words = pos2(square.right() + canvas.px(5.0), rect.center().y);
        if words.x + word.size().x > rect.right() {
            break;
        }
        canvas.painter.rect_filled(square, canvas.px(2.0), mode_colour(mode));
        left = canvas.put(word, words, Align2::LEFT_CENTER).right() + canvas.px(12.0);
    }
}

/// A button that never takes the keyboard's focus: Space plays, whatever was clicked before.
fn button(ui: &Ui, canvas: &Canvas, rect: Rect, number: usize, sign: Sign, lit: bool) -> bool {
    let response = ui.interact(rect, ui.id().with(("transport", number)), Sense::CLICK);
    let base = if lit { tokens::BLUE } else { tokens::BUTTON };
    let fill = if response.is_pointer_button_down_on() {
        base.gamma_multiply(0.6)
    } else if response.hovered() {
        base.gamma_multiply(0.8)
    } else {
        base
    };
    canvas.painter.rect_filled(rect, canvas.px(4.0), fill);
    paint(canvas, rect.center(), sign);
    response.clicked()
}

fn paint(canvas: &Canvas, centre: Pos2, sign: Sign) {
    let size = canvas.px(7.0);
    let white = tokens::TEXT;
    let bar = |x: f32, width: f32| {
        let rect = Rect::from_center_size(centre + vec2(x * size, 0.0), vec2(width * size, 2.0 * size));
        canvas.painter.rect_filled(rect, 0.0, white);
    };
    match sign {
        Sign::Play => triangle(canvas, centre, size * 1.2, 1.0, white),
        Sign::Pause => [-0.6, 0.6].into_iter().for_each(|x| bar(x, 0.6)),
        Sign::Step(way) => {
            triangle(canvas, centre + vec2(0.35 * way * size, 0.0), size, way, white);
            bar(-0.95 * way, 0.35);
        }
        Sign::Jump(way) => {
            for x in [-0.6, 0.5] {
                triangle(canvas, centre + vec2(x * way * size, 0.0), size * 0.9, way, white);
            }
        }
        Sign::Word(word) => drop(canvas.text(centre, Align2::CENTER_CENTER, word, canvas.font(14.0), white)),
    }
}

/// Pointing right, or left when `way` is negative.
fn triangle(canvas: &Canvas, centre: Pos2, size: f32, way: f32, colour: Color32) {
    let corners = [vec2(0.7 * way, 0.0), vec2(-0.6 * way, -1.0), vec2(-0.6 * way, 1.0)];
    let corners = corners.map(|corner| centre + corner * size).to_vec();
    canvas.painter.add(Shape::convex_polygon(corners, colour, Stroke::NONE));
}
