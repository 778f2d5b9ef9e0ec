//! Signals against time, with a cursor at this moment.

use super::canvas::Canvas;
use super::panel::mode_colour;
use crate::player::plots::{Ink, Plot, tenths, time_ticks};
use crate::player::{Intent, Player};
use crate::tokens;
use bevy_egui::egui::{Align2, Color32, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};
use protocol::v1::Mode;

/// Lines as they were thinned for one width: the same from frame to frame.
#[derive(Debug, Default)]
pub struct Lines {
    columns: usize,
    /// By plot, by series: unbroken pieces.
    strips: Vec<Vec<Vec<Vec<[f32; 2]>>>>,
}

impl Lines {
    fn prepare(&mut self, plots: &[Plot], length_s: f32, columns: usize) {
        if self.columns != columns {
            let of_plot = |plot: &Plot| plot.series.iter().map(|s| s.strips(length_s, columns)).collect();
            (self.columns, self.strips) = (columns, plots.iter().map(of_plot).collect());
        }
    }
}

fn ink_colour(ink: Ink) -> Color32 {
    match ink {
        Ink::Vehicle => tokens::TEXT,
        Ink::Operator => tokens::ORANGE,
        Ink::Policy => tokens::SKY,
        Ink::Gate => tokens::GREEN,
        Ink::Alarm => tokens::VERMILLION,
    }
}

/// Seconds to pixels.
struct Across {
    left: f32,
    width: f32,
    length_s: f32,
}

impl Across {
    fn x(&self, at_s: f32) -> f32 {
        self.left + self.width * (at_s / self.length_s).clamp(0.0, 1.0)
    }
}

/// All plots, one above the other, with one time axis.
pub(super) fn draw(
    ui: &Ui,
    canvas: &Canvas,
    rect: Rect,
    player: &Player,
    lines: &mut Lines,
    intents: &mut Vec<Intent>,
) {
    canvas.card(rect);
    let plots = &player.index.signals.plots;
    if plots.is_empty() {
        canvas.text(rect.center(), Align2::CENTER_CENTER, "no signals recorded", canvas.font(16.0), tokens::MUTED);
        return;
    }
    let inner = Rect::from_min_max(
        rect.min + vec2(canvas.px(52.0), canvas.px(6.0)),
        rect.max - vec2(canvas.px(14.0), canvas.px(24.0)),
    );
    let length_s = (player.head.length_s() as f32).max(1e-3);
    let across = Across { left: inner.left(), width: inner.width(), length_s };
    lines.prepare(plots, length_s, inner.width().max(1.0) as usize);
    let height = inner.height() / plots.len() as f32;
    for (number, plot) in plots.iter().enumerate() {
        let top = inner.top() + height * number as f32;
        let place = Rect::from_min_max(pos2(inner.left(), top), pos2(inner.right(), top + height));
        one(canvas, place, plot, &lines.strips[number], &across, player);
    }
    time_axis(canvas, inner, player.head.length_s(), &across);
    seek(ui, inner, player, intents);
}

fn one(canvas: &Canvas, place: Rect, plot: &Plot, strips: &[Vec<Vec<[f32; 2]>>], across: &Across, player: &Player) {
    let head = canvas.px(20.0);
    legend(canvas, place.with_max_y(place.top() + head), plot, player.head.at_s());
    let graph = Rect::from_min_max(place.min + vec2(0.0, head), place.max);
    let graph = graph.with_max_y(graph.bottom() - canvas.px(7.0));
    for band in player.index.bands.iter().filter(|band| band.mode == Mode::Drive) {
        let behind = Rect::from_x_y_ranges(across.x(band.from_s)..=across.x(band.to_s), graph.y_range());
        canvas.painter.rect_filled(behind, 0.0, mode_colour(band.mode).gamma_multiply(0.13));
    }
    let y = |value: f32| graph.bottom() - graph.height() * plot.axis.share(value);
    for tick in plot.axis.ticks() {
        let strong = tick.abs() < plot.axis.step / 2.0;
        let colour = if strong { tokens::GRID_ZERO } else { tokens::GRID };
        canvas.painter.hline(graph.x_range(), y(tick), Stroke::new(1.0, colour));
        let at = pos2(graph.left() - canvas.px(6.0), y(tick));
        canvas.text(at, Align2::RIGHT_CENTER, &plot.axis.label(tick), canvas.font(11.5), tokens::MUTED);
    }
    let clipped = canvas.painter.with_clip_rect(graph.expand(1.0));
    for (series, strips) in plot.series.iter().zip(strips) {
        // What was let through is mostly what somebody wanted: it shows as a border behind that line.
        let width = if series.ink == Ink::Gate { 4.0 } else { 1.6 };
        let stroke = Stroke::new(canvas.px(width), ink_colour(series.ink));
        for strip in strips {
            let points: Vec<_> = strip.iter().map(|[t, v]| pos2(across.x(*t), y(*v))).collect();
            match points.as_slice() {
                [alone] => drop(clipped.circle_filled(*alone, stroke.width, stroke.color)),
                _ => drop(clipped.add(Shape::line(points, stroke))),
            }
        }
    }
    let here = across.x(player.head.at_s() as f32);
    canvas.painter.vline(here, graph.y_range(), Stroke::new(canvas.px(1.5), Color32::WHITE));
}

/// Title and unit at the left, names with their values at the right.
fn legend(canvas: &Canvas, place: Rect, plot: &Plot, at_s: f64) {
    let middle = place.center().y;
    let title = pos2(place.left(), middle);
    let title = canvas.text(title, Align2::LEFT_CENTER, &plot.title, canvas.font(13.5), tokens::TEXT);
    let unit = pos2(title.right() + canvas.px(6.0), middle);
    let unit = canvas.text(unit, Align2::LEFT_CENTER, &plot.unit, canvas.font(12.5), tokens::MUTED);
    let mut right = place.right();
    for series in plot.series.iter().rev() {
        let value = series.at(at_s).map_or_else(|| "-".to_owned(), tenths);
        let colour = ink_colour(series.ink);
        let value = canvas.line(&value, canvas.mono(12.5), colour, canvas.px(70.0));
        // As wide for any value, so that names stand still.
        let left = right - value.size().x.max(canvas.px(40.0));
        let name = canvas.line(&series.name, canvas.font(12.5), tokens::MUTED, canvas.px(90.0));
        let swatch = left - canvas.px(6.0) - name.size().x - canvas.px(20.0);
        if swatch < unit.right() + canvas.px(6.0) {
            break;
        }
        canvas.put(value, pos2(right, middle), Align2::RIGHT_CENTER);
        canvas.put(name, pos2(left - canvas.px(6.0), middle), Align2::RIGHT_CENTER);
        let line = swatch..=swatch + canvas.px(14.0);
        canvas.painter.hline(line, middle, Stroke::new(canvas.px(3.0), colour));
        right = swatch - canvas.px(12.0);
    }
}

fn time_axis(canvas: &Canvas, inner: Rect, length_s: f64, across: &Across) {
    for (at_s, text) in time_ticks(length_s, (inner.width() / canvas.px(90.0)) as usize) {
        let x = across.x(at_s as f32);
        canvas.painter.vline(x, inner.bottom()..=inner.bottom() + canvas.px(4.0), Stroke::new(1.0, tokens::MUTED));
        let at = pos2(x, inner.bottom() + canvas.px(5.0));
        canvas.text(at, Align2::CENTER_TOP, &text, canvas.font(11.5), tokens::MUTED);
    }
}

fn seek(ui: &Ui, inner: Rect, player: &Player, intents: &mut Vec<Intent>) {
    let response = ui.interact(inner, ui.id().with("plots"), Sense::CLICK | Sense::DRAG);
    if let Some(at) = response.interact_pointer_pos() {
        let share = f64::from((at.x - inner.left()) / inner.width());
        intents.push(Intent::Seek(share * player.head.length_s()));
    }
}
