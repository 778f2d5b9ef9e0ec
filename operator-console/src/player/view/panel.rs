//! What is written: the header and the panel.

use super::canvas::Canvas;
use crate::hud::{Line, Tone};
use crate::player::plots::clock_text;
use crate::player::{Facts, Player};
use crate::tokens;
use bevy_egui::egui::{Align2, Color32, Rect, pos2, vec2};
use protocol::v1::{Author, Mode};

const ROW: f32 = 19.0;
/// How the blocks share the width: names are longer than numbers.
const SHARES: [f32; 3] = [0.37, 0.35, 0.28];

/// A mode's colour.
pub(super) fn mode_colour(mode: Mode) -> Color32 {
    match mode {
        Mode::Unspecified => tokens::GREY,
        Mode::Stopped => tokens::YELLOW,
        Mode::Monitor => tokens::BLUE,
        Mode::Assist => tokens::SKY,
        Mode::Drive => tokens::ORANGE,
    }
}

/// An author's colour.
pub(super) fn author_colour(author: Author) -> Color32 {
    match author {
        Author::Unspecified => tokens::GREY,
        Author::Policy => tokens::BLUE,
        Author::Operator => tokens::ORANGE,
        Author::Fallback => tokens::VERMILLION,
    }
}

/// Mode, identity, time.
pub(super) fn header(canvas: &Canvas, rect: Rect, player: &Player, facts: &Facts) {
    let (mode, author) = facts.driving;
    canvas.painter.rect_filled(rect, 0.0, tokens::CARD);
    let colour = if author == Author::Fallback { tokens::VERMILLION } else { mode_colour(mode) };
    let ink = tokens::text_on(colour);
    let words = match (mode, author) {
        (Mode::Unspecified, Author::Unspecified) => "NO AUTHORITY RECORDED".to_owned(),
        (mode, author) => format!("{}: {}", mode.label().to_uppercase(), author.label()),
    };
    let words = canvas.line(&words, canvas.font(19.0), ink, canvas.px(320.0));
    let width = words.size().x.max(canvas.px(190.0)) + canvas.px(28.0);
    let badge = Rect::from_min_size(rect.min, vec2(width, rect.height()));
    canvas.painter.rect_filled(badge, 0.0, colour);
    canvas.put(words, badge.center(), Align2::CENTER_CENTER);
    let middle = rect.center().y;
    let head = &player.head;
    let right = pos2(rect.right() - canvas.px(14.0), middle);
    let time = format!("{} / {}", clock_text(head.at_s(), 2), clock_text(head.length_s(), 1));
    let time = canvas.text(right, Align2::RIGHT_CENTER, &time, canvas.mono(18.0), tokens::TEXT);
    let info = &player.index.info;
    let id = pos2(badge.right() + canvas.px(16.0), middle);
    let room = time.left() - id.x - canvas.px(24.0);
    let galley = canvas.line(info.id.as_str(), canvas.font(19.0), tokens::TEXT, room);
    let id = canvas.put(galley, id, Align2::LEFT_CENTER);
    let cause = info.cause.replace('_', " ");
    let more = [info.vehicle.as_str(), info.policy.as_str(), cause.as_str()];
    let more: Vec<&str> = more.into_iter().filter(|text| !text.is_empty()).collect();
    let at = pos2(id.right() + canvas.px(18.0), middle + canvas.px(1.0));
    let room = time.left() - at.x - canvas.px(24.0);
    if room > canvas.px(40.0) {
        let galley = canvas.line(&more.join("  ·  "), canvas.font(15.0), tokens::MUTED, room);
        canvas.put(galley, at, Align2::LEFT_CENTER);
    }
}

/// Three blocks of lines, beside or under each other.
pub(super) fn draw(canvas: &Canvas, rect: Rect, columns: usize, facts: &Facts) {
    canvas.card(rect);
    let blocks = [("EPISODE", &facts.episode), ("AT THIS MOMENT", &facts.now), ("VALUES", &facts.values)];
    let inner = rect.shrink(canvas.px(10.0));
    if columns > 1 {
        let mut left = inner.left();
        for ((title, lines), share) in blocks.into_iter().zip(SHARES) {
            let width = inner.width() * share;
            let size = vec2(width - canvas.px(10.0), inner.height());
            block(canvas, Rect::from_min_size(pos2(left, inner.top()), size), title, lines);
            left += width;
        }
        return;
    }
    let mut left = inner;
    for (title, lines) in blocks {
        left.set_top(block(canvas, left, title, lines) + canvas.px(16.0));
    }
}

/// Returns where it ends below. Lines for which there is no room are left out.
fn block(canvas: &Canvas, rect: Rect, title: &str, lines: &[Line]) -> f32 {
    let row = canvas.px(ROW);
    if rect.height() < row {
        return rect.bottom();
    }
    canvas.text(rect.min, Align2::LEFT_TOP, title, canvas.font(12.0), tokens::MUTED);
    let label_width = canvas.px(92.0);
    let mut middle = rect.top() + row * 1.5;
    for line in lines {
        if middle + row / 2.0 > rect.bottom() + 1.0 {
            break;
        }
        let muted = if line.tone == Tone::Normal { tokens::MUTED } else { line.tone.colour() };
        let label = canvas.line(line.label, canvas.font(14.0), muted, label_width);
        canvas.put(label, pos2(rect.left(), middle), Align2::LEFT_CENTER);
        let text = format!("{}{}", line.tone.sign(), line.value);
        let room = rect.width() - label_width - canvas.px(4.0);
        let value = canvas.line(&text, canvas.font(14.0), line.tone.colour(), room);
        canvas.put(value, pos2(rect.left() + label_width + canvas.px(4.0), middle), Align2::LEFT_CENTER);
        middle += row;
    }
    middle - row / 2.0
}
