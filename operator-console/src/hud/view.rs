//! Draws a [`HudState`]. Nothing here decides what is said.

use super::{HudState, Mark, Tone};
use crate::input::Action;
use crate::tokens;
use bevy_egui::egui::{
    Align2, Color32, FontId, Painter, Pos2, Rect, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, pos2, vec2,
};

/// What the person pressed on the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clicks {
    /// Buttons.
    pub actions: Vec<Action>,
    /// The release button is held.
    pub reset_held: bool,
}

/// Draws everything over the whole of `ui` and tells what was pressed.
pub fn hud(ui: &mut Ui, state: &HudState) -> Clicks {
    let mut clicks = Clicks::default();
    let screen = ui.max_rect();
    // Laid out for 900 lines; smaller and larger windows scale.
    let hud = Hud { area: screen, scale: (screen.height() / 900.0).clamp(0.6, 2.5) };
    let painter = ui.painter().clone();
    hud.stale(&painter, state);
    let below = hud.banner(&painter, state);
    let below = hud.estop_strip(&painter, state, below);
    let beside = hud.figures(&painter, state, below);
    if let Some(overlay) = &state.overlay {
        hud.overlay(ui, overlay, beside + vec2(0.0, hud.px(12.0)), &mut clicks);
    }
    hud.question(&painter, state, below);
    hud.checklist(&painter, state, below);
    hud.drive(&painter, state);
    hud.keys(&painter, state);
    hud.notices(&painter, state);
    hud.buttons(ui, state, &mut clicks);
    clicks
}

pub(super) struct Hud {
    area: Rect,
    scale: f32,
}

impl Hud {
    pub(super) fn px(&self, size: f32) -> f32 {
        size * self.scale
    }

    pub(super) fn font(&self, size: f32) -> FontId {
        FontId::proportional(self.px(size))
    }

    fn mono(&self, size: f32) -> FontId {
        FontId::monospace(self.px(size))
    }

    fn banner(&self, painter: &Painter, state: &HudState) -> f32 {
        let banner = &state.banner;
        let rect = Rect::from_min_size(self.area.min, vec2(self.area.width(), self.px(60.0)));
        painter.rect_filled(rect, 0.0, banner.colour);
        let ink = tokens::text_on(banner.colour);
        let middle = rect.center().y;
        mark(painter, banner.mark, pos2(rect.left() + self.px(36.0), middle), self.px(18.0), ink);
        let left = rect.left() + self.px(70.0);
        let title = painter.text(pos2(left, middle), Align2::LEFT_CENTER, &banner.title, self.font(30.0), ink);
        let right = rect.right() - self.px(14.0);
        let identity = painter.text(
            pos2(right, rect.top() + self.px(20.0)),
            Align2::RIGHT_CENTER,
            &state.identity,
            self.font(15.0),
            ink,
        );
        let room = identity.left() - title.right() - self.px(40.0);
        let detail = painter.layout(banner.detail.clone(), self.font(17.0), ink, room.max(self.px(120.0)));
        painter.galley(pos2(title.right() + self.px(20.0), middle - detail.size().y / 2.0), detail, ink);
        rect.bottom()
    }

    fn estop_strip(&self, painter: &Painter, state: &HudState, top: f32) -> f32 {
        let text = state.seat_stopped.as_ref().or(state.estop.as_ref());
        let Some(text) = text else { return top };
        let rect = Rect::from_min_size(pos2(self.area.left(), top), vec2(self.area.width(), self.px(36.0)));
        painter.rect_filled(rect, 0.0, Color32::BLACK);
        painter.rect_stroke(rect.shrink(1.0), 0.0, Stroke::new(self.px(3.0), tokens::VERMILLION), StrokeKind::Inside);
        if state.reset_progress > 0.0 {
            let mut done = rect.shrink(self.px(4.0));
            done.set_width(done.width() * state.reset_progress);
            painter.rect_filled(done, 0.0, tokens::BLUE);
        }
        painter.text(rect.center(), Align2::CENTER_CENTER, text, self.font(18.0), Color32::WHITE);
        rect.bottom()
    }

    fn stale(&self, painter: &Painter, state: &HudState) {
        if let Some(text) = &state.no_picture {
            painter.text(self.area.center(), Align2::CENTER_CENTER, text, self.font(30.0), tokens::MUTED);
            return;
        }
        let Some(text) = &state.stale else { return };
        painter.rect_filled(self.area, 0.0, Color32::from_black_alpha(110));
        let frame = Stroke::new(self.px(10.0), tokens::VERMILLION);
        painter.rect_stroke(self.area, 0.0, frame, StrokeKind::Inside);
        let galley = painter.layout_no_wrap(text.clone(), self.font(64.0), Color32::WHITE);
        let rect = Rect::from_center_size(self.area.center(), galley.size() + vec2(self.px(60.0), self.px(24.0)));
        painter.rect_filled(rect, 0.0, tokens::VERMILLION);
        painter.galley(rect.center() - galley.size() / 2.0, galley, Color32::WHITE);
    }

    /// Returns its lower right corner.
    fn figures(&self, painter: &Painter, state: &HudState, top: f32) -> Pos2 {
        let row = self.px(23.0);
        let size = vec2(self.px(300.0), row * state.lines.len() as f32 + self.px(16.0));
        let min = pos2(self.area.right() - size.x - self.px(12.0), top + self.px(12.0));
        let rect = Rect::from_min_size(min, size);
        painter.rect_filled(rect, self.px(6.0), tokens::PANEL);
        for (i, line) in state.lines.iter().enumerate() {
            let y = rect.top() + self.px(8.0) + row * (i as f32 + 0.5);
            let label = format!("{}{}", line.tone.sign(), line.label);
            let muted = if line.tone == Tone::Normal { tokens::MUTED } else { line.tone.colour() };
            painter.text(pos2(rect.left() + self.px(10.0), y), Align2::LEFT_CENTER, label, self.font(15.0), muted);
            let end = pos2(rect.right() - self.px(10.0), y);
            painter.text(end, Align2::RIGHT_CENTER, &line.value, self.mono(14.0), line.tone.colour());
        }
        rect.max
    }

    fn question(&self, painter: &Painter, state: &HudState, top: f32) {
        let Some(text) = &state.help else { return };
        let width = self.area.width() * 0.5;
        let galley = painter.layout(text.clone(), self.font(22.0), Color32::BLACK, width);
        let size = galley.size() + Vec2::splat(self.px(24.0));
        let min = pos2(self.area.center().x - size.x / 2.0, top + self.px(12.0));
        painter.rect_filled(Rect::from_min_size(min, size), self.px(6.0), tokens::YELLOW);
        painter.galley(min + Vec2::splat(self.px(12.0)), galley, Color32::BLACK);
    }

    fn checklist(&self, painter: &Painter, state: &HudState, top: f32) {
        if state.checklist.is_empty() {
            return;
        }
        let row = self.px(22.0);
        let size = vec2(self.px(360.0), row * (state.checklist.len() + 1) as f32 + self.px(16.0));
        let rect = Rect::from_min_size(pos2(self.area.left() + self.px(12.0), top + self.px(12.0)), size);
        painter.rect_filled(rect, self.px(6.0), tokens::PANEL);
        let at = |i: usize| pos2(rect.left() + self.px(12.0), rect.top() + self.px(8.0) + row * (i as f32 + 0.5));
        painter.text(at(0), Align2::LEFT_CENTER, "Before taking over", self.font(15.0), tokens::MUTED);
        for (i, check) in state.checklist.iter().enumerate() {
            let colour = if check.passed { tokens::GREEN } else { tokens::YELLOW };
            let shape = if check.passed { Mark::Circle } else { Mark::Cross };
            mark(painter, shape, at(i + 1) + vec2(self.px(6.0), 0.0), self.px(6.0), colour);
            let text = if check.passed { tokens::TEXT } else { tokens::YELLOW };
            let start = at(i + 1) + vec2(self.px(22.0), 0.0);
            painter.text(start, Align2::LEFT_CENTER, &check.text, self.font(15.0), text);
        }
    }

    fn drive(&self, painter: &Painter, state: &HudState) {
        let size = vec2(self.px(300.0), self.px(204.0));
        let bottom = self.area.bottom() - self.px(44.0);
        let rect = Rect::from_min_size(pos2(self.area.left() + self.px(12.0), bottom - size.y), size);
        painter.rect_filled(rect, self.px(6.0), tokens::PANEL);
        let colour = if state.too_fast { tokens::YELLOW } else { tokens::TEXT };
        let base = pos2(rect.left() + self.px(150.0), rect.top() + self.px(82.0));
        painter.text(base, Align2::RIGHT_BOTTOM, &state.speed, self.font(72.0), colour);
        let unit = base + vec2(self.px(8.0), -self.px(12.0));
        painter.text(unit, Align2::LEFT_BOTTOM, state.speed_unit, self.font(16.0), tokens::MUTED);
        if let Some(limit) = &state.limit {
            let centre = pos2(rect.right() - self.px(44.0), rect.top() + self.px(44.0));
            painter.circle(
                centre,
                self.px(30.0),
                Color32::WHITE,
                Stroke::new(self.px(6.0), Color32::from_rgb(200, 30, 30)),
            );
            painter.text(centre, Align2::CENTER_CENTER, limit, self.font(24.0), Color32::BLACK);
        }
        let [accelerate, brake, steer] = state.controls;
        let bar = |row: f32| {
            Rect::from_min_size(
                pos2(rect.left() + self.px(80.0), rect.top() + self.px(88.0) + self.px(18.0) * row),
                vec2(rect.width() - self.px(92.0), self.px(11.0)),
            )
        };
        for (row, name, from, to) in [
            (0.0, "throttle", 0.0, accelerate),
            (1.0, "brake", 0.0, brake),
            // Left on the screen is left on the road.
            (2.0, state.turning.as_str(), 0.5, 0.5 - steer / 2.0),
        ] {
            let bar = bar(row);
            painter.rect_filled(bar, 2.0, tokens::GREY);
            let x = |share: f32| bar.left() + bar.width() * share.clamp(0.0, 1.0);
            let filled = Rect::from_two_pos(pos2(x(from), bar.top()), pos2(x(to), bar.bottom()));
            painter.rect_filled(filled, 2.0, if name == "brake" { tokens::VERMILLION } else { tokens::SKY });
            let label = pos2(rect.left() + self.px(10.0), bar.center().y);
            painter.text(label, Align2::LEFT_CENTER, name, self.font(13.0), tokens::MUTED);
        }
        if !state.asked.is_empty() {
            let asked = pos2(rect.left() + self.px(10.0), rect.bottom() - self.px(25.0));
            painter.text(asked, Align2::LEFT_BOTTOM, &state.asked, self.font(13.0), tokens::TEXT);
        }
        let device = pos2(rect.left() + self.px(10.0), rect.bottom() - self.px(12.0));
        painter.text(device, Align2::LEFT_CENTER, &state.device, self.font(13.0), tokens::TEXT);
    }

    fn keys(&self, painter: &Painter, state: &HudState) {
        let height = self.px(32.0);
        let rect = Rect::from_min_max(pos2(self.area.left(), self.area.bottom() - height), self.area.max);
        painter.rect_filled(rect, 0.0, tokens::PANEL);
        painter.text(rect.center(), Align2::CENTER_CENTER, state.keys, self.font(15.0), tokens::TEXT);
    }

    fn notices(&self, painter: &Painter, state: &HudState) {
        let mut bottom = self.area.bottom() - self.px(110.0);
        for (text, tone) in &state.notices {
            let colour = match tone {
                Tone::Normal => tokens::PANEL,
                other => other.colour(),
            };
            let ink = if *tone == Tone::Normal { tokens::TEXT } else { tokens::text_on(colour) };
            let words = format!("{}{text}", tone.sign());
            let galley = painter.layout(words, self.font(18.0), ink, self.area.width() * 0.5);
            let size = galley.size() + vec2(self.px(24.0), self.px(12.0));
            let min = pos2(self.area.center().x - size.x / 2.0, bottom - size.y);
            painter.rect_filled(Rect::from_min_size(min, size), self.px(5.0), colour);
            painter.galley(min + vec2(self.px(12.0), self.px(6.0)), galley, ink);
            bottom = min.y - self.px(6.0);
        }
    }

    fn buttons(&self, ui: &mut Ui, state: &HudState, clicks: &mut Clicks) {
        let bottom = self.area.bottom() - self.px(44.0);
        let size = vec2(self.px(190.0), self.px(76.0));
        let stop = Rect::from_min_size(pos2(self.area.right() - size.x - self.px(12.0), bottom - size.y), size);
        let latched = state.estop.as_deref().is_some_and(|text| !text.contains("SENT") && !text.contains("PRESSED"));
        let (text, colour) =
            if latched { ("HOLD TO RELEASE", tokens::BLUE) } else { ("EMERGENCY STOP", tokens::VERMILLION) };
        // Acts on the press, not on letting go.
        if self.button(ui, stop, text, colour, 19.0).is_pointer_button_down_on() {
            if latched {
                clicks.reset_held = true;
            } else {
                clicks.actions.push(Action::Estop);
            }
        }
        let small = vec2(self.px(128.0), self.px(44.0));
        let row = [
            (Action::TakeOver, "Take over (T)"),
            (Action::HandBack, "Hand back (H)"),
            (Action::Engage, "Engage (G)"),
            (Action::Bookmark, "Bookmark (B)"),
        ];
        let gap = self.px(8.0);
        let width = row.len() as f32 * (small.x + gap) - gap;
        let mut min = pos2(self.area.center().x - width / 2.0, bottom - small.y);
        for (action, text) in row {
            if self.button(ui, Rect::from_min_size(min, small), text, tokens::GREY, 15.0).clicked() {
                clicks.actions.push(action);
            }
            min.x += small.x + gap;
        }
    }

    /// A button that never takes the keyboard's focus: a space meant for the emergency stop must not press it.
    pub(super) fn button(
        &self,
        ui: &Ui,
        rect: Rect,
        text: &str,
        colour: Color32,
        size: f32,
    ) -> bevy_egui::egui::Response {
        let response = ui.interact(rect, ui.id().with(text), Sense::CLICK);
        let fill = if response.is_pointer_button_down_on() {
            colour.gamma_multiply(0.6)
        } else if response.hovered() {
            colour.gamma_multiply(0.85)
        } else {
            colour
        };
        let painter = ui.painter();
        painter.rect(rect, self.px(6.0), fill, Stroke::new(1.0, tokens::TEXT), StrokeKind::Inside);
        painter.text(rect.center(), Align2::CENTER_CENTER, text, self.font(size), tokens::text_on(colour));
        response
    }
}

fn regular(centre: Pos2, radius: f32, corners: usize, first_rad: f32) -> Vec<Pos2> {
    let step = std::f32::consts::TAU / corners as f32;
    (0..corners).map(|i| centre + radius * Vec2::angled(first_rad + step * i as f32)).collect()
}

pub(crate) fn mark(painter: &Painter, mark: Mark, centre: Pos2, radius: f32, colour: Color32) {
    use std::f32::consts::{FRAC_PI_2, FRAC_PI_4, FRAC_PI_8};
    let polygon = |corners, first| {
        painter.add(Shape::convex_polygon(regular(centre, radius, corners, first), colour, Stroke::NONE));
    };
    match mark {
        Mark::Circle => drop(painter.circle_filled(centre, radius, colour)),
        Mark::Triangle => polygon(3, -FRAC_PI_2),
        Mark::Diamond => polygon(4, 0.0),
        Mark::Square => polygon(4, FRAC_PI_4),
        Mark::Octagon => polygon(8, FRAC_PI_8),
        Mark::Bars => {
            for side in [-0.5, 0.5] {
                let bar = Rect::from_center_size(centre + vec2(radius * side, 0.0), vec2(radius * 0.6, radius * 2.0));
                painter.rect_filled(bar, 0.0, colour);
            }
        }
        Mark::Cross => {
            let stroke = Stroke::new(radius * 0.4, colour);
            for (x, y) in [(1.0, 1.0), (1.0, -1.0)] {
                let arm = vec2(x, y) * radius * 0.8;
                painter.line_segment([centre - arm, centre + arm], stroke);
            }
        }
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
