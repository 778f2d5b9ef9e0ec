//! Painting with sizes that follow the window's.

use crate::tokens;
use bevy_egui::egui::text::{LayoutJob, TextFormat};
use bevy_egui::egui::{Align2, Color32, FontId, Galley, Painter, Pos2, Rect, Vec2, pos2, vec2};
use std::sync::Arc;

/// Laid out for this size; other windows scale.
const DESIGN: Vec2 = Vec2::new(1440.0, 900.0);

/// A painter that knows how large things are.
pub(super) struct Canvas {
    pub painter: Painter,
    scale: f32,
}

impl Canvas {
    pub(super) fn new(painter: Painter, window: Vec2) -> Self {
        let scale = (window.x / DESIGN.x).min(window.y / DESIGN.y).clamp(0.75, 2.5);
        Self { painter, scale }
    }

    pub(super) fn scale(&self) -> f32 {
        self.scale
    }

    pub(super) fn px(&self, size: f32) -> f32 {
        size * self.scale
    }

    pub(super) fn font(&self, size: f32) -> FontId {
        FontId::proportional(self.px(size))
    }

    pub(super) fn mono(&self, size: f32) -> FontId {
        FontId::monospace(self.px(size))
    }

    /// One line of text, cut off with an ellipsis after `width`.
    pub(super) fn line(&self, text: &str, font: FontId, colour: Color32, width: f32) -> Arc<Galley> {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect();
        let mut job = LayoutJob::single_section(text, TextFormat::simple(font, colour));
        job.wrap.max_width = width.max(0.0);
        job.wrap.max_rows = 1;
        job.wrap.break_anywhere = true;
        self.painter.layout_job(job)
    }

    /// Puts text that is `anchor`ed at `at`; returns the place it takes.
    pub(super) fn put(&self, galley: Arc<Galley>, at: Pos2, anchor: Align2) -> Rect {
        let rect = anchor.anchor_size(at, galley.size());
        self.painter.galley(rect.min, galley, tokens::TEXT);
        rect
    }

    pub(super) fn text(&self, at: Pos2, anchor: Align2, text: &str, font: FontId, colour: Color32) -> Rect {
        self.put(self.line(text, font, colour, f32::INFINITY), at, anchor)
    }

    /// A box with rounded corners behind things.
    pub(super) fn card(&self, rect: Rect) {
        self.painter.rect_filled(rect, self.px(5.0), tokens::CARD);
    }

    /// A hint beside the pointer that stays within `within`.
    pub(super) fn hint(&self, at: Pos2, within: Rect, text: &str) {
        let galley = self.painter.layout(text.to_owned(), self.font(13.0), tokens::TEXT, self.px(340.0));
        let size = galley.size() + Vec2::splat(self.px(12.0));
        let left = (at.x - size.x / 2.0).min(within.right() - size.x).max(within.left());
        let rect = Rect::from_min_size(pos2(left, at.y - size.y - self.px(6.0)), size);
        self.painter.rect_filled(rect, self.px(4.0), tokens::HINT);
        self.painter.galley(rect.min + vec2(self.px(6.0), self.px(6.0)), galley, tokens::TEXT);
    }
}
