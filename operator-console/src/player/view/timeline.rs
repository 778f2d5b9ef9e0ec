//! The timeline: markers above the bands of mode and author, seconds beneath, a cursor that can be dragged.

use super::canvas::Canvas;
use super::panel::{author_colour, mode_colour};
use crate::hud::{Mark, mark};
use crate::player::plots::{clock_text, time_ticks};
use crate::player::{Intent, Marker, MarkerKind, Player};
use crate::tokens;
use bevy_egui::egui::{Align2, Color32, Pos2, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};
use protocol::Trigger;

/// Rows for the markers' words.
const ROWS: usize = 2;

/// Shape and colour, so that nothing is told by colour alone.
fn look(kind: MarkerKind) -> (Mark, Color32) {
    match kind {
        MarkerKind::Takeover => (Mark::Triangle, tokens::ORANGE),
        MarkerKind::HandBack => (Mark::Circle, tokens::SKY),
        MarkerKind::Trigger(Trigger::Estop | Trigger::Fault) => (Mark::Octagon, tokens::VERMILLION),
        MarkerKind::Trigger(_) => (Mark::Diamond, tokens::YELLOW),
        MarkerKind::Event => (Mark::Square, tokens::SKY),
        MarkerKind::Warning => (Mark::Cross, tokens::YELLOW),
    }
}

/// Draws it and seeks where it is pressed.
pub(super) fn draw(ui: &Ui, canvas: &Canvas, rect: Rect, player: &Player, intents: &mut Vec<Intent>) {
    let length_s = player.head.length_s().max(1e-3);
    let left = rect.left() + canvas.px(4.0);
    let width = rect.width() - canvas.px(8.0);
    let x = |at_s: f64| left + width * (at_s / length_s).clamp(0.0, 1.0) as f32;
    let words = canvas.px(17.0 * ROWS as f32);
    let top = rect.top() + words;
    let modes = Rect::from_min_max(pos2(left, top), pos2(left + width, top + canvas.px(22.0)));
    let authors = Rect::from_min_max(modes.left_bottom(), modes.right_bottom() + vec2(0.0, canvas.px(6.0)));
    bands(canvas, modes, authors, player, &x);
    for (at_s, text) in time_ticks(player.head.length_s(), (width / canvas.px(110.0)) as usize) {
        let at = pos2(x(at_s), authors.bottom());
        canvas.painter.vline(at.x, at.y..=at.y + canvas.px(5.0), Stroke::new(1.0, tokens::MUTED));
        let anchor = if at_s == 0.0 { Align2::LEFT_TOP } else { Align2::CENTER_TOP };
        if at.x + canvas.px(20.0) < rect.right() {
            canvas.text(at + vec2(0.0, canvas.px(6.0)), anchor, &text, canvas.font(12.0), tokens::MUTED);
        }
    }
    markers(canvas, rect, modes, &player.index.markers, &x);
    let here = x(player.head.at_s());
    cursor(canvas, here, modes.top() - canvas.px(3.0), authors.bottom() + canvas.px(3.0));
    let response = ui.interact(rect, ui.id().with("timeline"), Sense::CLICK | Sense::DRAG);
    if let Some(at) = response.interact_pointer_pos() {
        intents.push(Intent::Seek(f64::from((at.x - left) / width) * length_s));
    }
    if let Some(at) = response.hover_pos() {
        hover(canvas, rect, at, player, f64::from((at.x - left) / width) * length_s, &x);
    }
}

fn bands(canvas: &Canvas, modes: Rect, authors: Rect, player: &Player, x: &impl Fn(f64) -> f32) {
    canvas.painter.rect_filled(modes.union(authors), 0.0, tokens::GREY);
    for band in &player.index.bands {
        let across = x(f64::from(band.from_s))..=x(f64::from(band.to_s));
        let place = Rect::from_x_y_ranges(across.clone(), modes.y_range());
        let colour = mode_colour(band.mode);
        canvas.painter.rect_filled(place, 0.0, colour);
        let author = Rect::from_x_y_ranges(across, authors.y_range());
        canvas.painter.rect_filled(author, 0.0, author_colour(band.author));
        let word = canvas.line(band.mode.label(), canvas.font(13.0), tokens::text_on(colour), f32::INFINITY);
        if word.size().x + canvas.px(8.0) < place.width() {
            canvas.put(word, place.center(), Align2::CENTER_CENTER);
        }
    }
}

fn markers(canvas: &Canvas, rect: Rect, modes: Rect, markers: &[Marker], x: &impl Fn(f64) -> f32) {
    let words: Vec<_> =
        markers.iter().map(|m| canvas.line(&m.label, canvas.font(12.5), look(m.kind).1, canvas.px(170.0))).collect();
    let radius = canvas.px(5.0);
    let spans: Vec<(f32, f32)> =
        markers.iter().zip(&words).map(|(m, word)| (x(m.at_s), word.size().x + 2.0 * radius)).collect();
    let rows = lay_out(&spans, rect.right(), canvas.px(14.0));
    for ((marker, word), row) in markers.iter().zip(words).zip(rows) {
        let (shape, colour) = look(marker.kind);
        let row_height = canvas.px(17.0);
        // Without words it sits on the band, where it covers no others.
        let rows_up = row.map_or(-0.35, |row| row as f32 + 0.5);
        let at = pos2(x(marker.at_s), modes.top() - row_height * rows_up);
        // Not through the bands' words.
        canvas.painter.vline(at.x, at.y..=modes.top() + canvas.px(4.0), Stroke::new(canvas.px(1.2), colour));
        if row.is_none() {
            canvas.painter.circle_filled(at, radius * 1.5, Color32::BLACK);
        }
        mark(&canvas.painter, shape, at, radius, colour);
        if row.is_some() {
            canvas.put(word, at + vec2(radius + canvas.px(3.0), 0.0), Align2::LEFT_CENTER);
        }
    }
}

/// The row, from below, in which each marker's words fit; `None` where they fit in none. `spans` are places and widths.
/// A marker's stem goes down to the bands and must not cross words either.
fn lay_out(spans: &[(f32, f32)], right: f32, gap: f32) -> Vec<Option<usize>> {
    let mut ends = [f32::NEG_INFINITY; ROWS];
    let mut rows = Vec::with_capacity(spans.len());
    for (number, (place, width)) in spans.iter().enumerate() {
        let end = place + width + gap;
        let followed = spans.get(number + 1).is_some_and(|(next, _)| *next < end);
        let free = |row: usize| end - gap <= right && ends[..=row].iter().all(|end| end <= place);
        // Words above those of the next marker leave room for it.
        let order = if followed { [1, 0] } else { [0, 1] };
        let row = order.into_iter().find(|row| free(*row));
        if let Some(row) = row {
            ends[row] = end;
        }
        rows.push(row);
    }
    rows
}

fn cursor(canvas: &Canvas, x: f32, top: f32, bottom: f32) {
    canvas.painter.vline(x, top..=bottom, Stroke::new(canvas.px(2.0), Color32::WHITE));
    let size = canvas.px(6.0);
    let corners =
        vec![pos2(x, bottom - size), pos2(x + size, bottom + size * 0.6), pos2(x - size, bottom + size * 0.6)];
    canvas.painter.add(Shape::convex_polygon(corners, Color32::WHITE, Stroke::NONE));
}

/// The time under the pointer, or what is said of the marker there.
fn hover(canvas: &Canvas, rect: Rect, at: Pos2, player: &Player, at_s: f64, x: &impl Fn(f64) -> f32) {
    let near = |marker: &&Marker| (x(marker.at_s) - at.x).abs() < canvas.px(7.0);
    let text = match player.index.markers.iter().find(near) {
        None => {
            let time = clock_text(at_s.clamp(0.0, player.head.length_s()), 1);
            let driving = player.index.authority.at(at_s);
            driving.map_or_else(|| time.clone(), |a| format!("{time}  {}: {}", a.mode.label(), a.author.label()))
        }
        Some(marker) => {
            let time = clock_text(marker.at_s, 1);
            format!("{time}  {}\n{}", marker.label, marker.detail).trim_end().to_owned()
        }
    };
    canvas.hint(pos2(at.x, rect.top()), rect, &text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_never_cover_each_other() {
        let rows = |spans: &[(f32, f32)]| lay_out(spans, 500.0, 5.0);
        assert_eq!(rows(&[(10.0, 50.0), (70.0, 50.0)]), [Some(0), Some(0)]);
        assert_eq!(rows(&[(10.0, 50.0), (20.0, 50.0), (90.0, 50.0)]), [Some(1), Some(0), Some(0)]);
        // The third would cross the second's words.
        assert_eq!(rows(&[(10.0, 50.0), (20.0, 50.0), (30.0, 50.0)]), [Some(1), Some(0), None]);
        assert_eq!(rows(&[(480.0, 50.0)]), [None], "it would reach beyond the edge");
    }
}
