//! The cameras' pictures.

use super::canvas::Canvas;
use crate::tokens;
use crate::video::letterbox;
use bevy_egui::egui::{Align2, Color32, Rect, TextureId, pos2, vec2};

/// A camera as it is shown now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CameraView {
    /// For people.
    pub name: String,
    /// The picture and its size in pixels; the last good one while there is a note.
    pub picture: Option<(TextureId, [usize; 2])>,
    /// Why there is no picture of this moment.
    pub note: Option<String>,
}

pub(super) fn draw(canvas: &Canvas, places: &[Rect], cameras: &[CameraView]) {
    for (place, camera) in places.iter().zip(cameras) {
        canvas.painter.rect_filled(*place, 0.0, Color32::BLACK);
        if let Some((texture, [width, height])) = camera.picture {
            let (width, height) = letterbox((width, height), (place.width(), place.height()));
            let rect = Rect::from_center_size(place.center(), vec2(width, height));
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            // An old picture must not be taken for that of this moment.
            let tint = if camera.note.is_some() { Color32::from_gray(90) } else { Color32::WHITE };
            canvas.painter.image(texture, rect, whole, tint);
        }
        let margin = canvas.px(6.0);
        let name = canvas.line(&camera.name, canvas.font(13.0), tokens::TEXT, place.width() - 4.0 * margin);
        // Below, where no timecode is.
        let size = name.size() + vec2(canvas.px(10.0), canvas.px(4.0));
        let behind = Rect::from_min_size(place.left_bottom() + vec2(margin, -margin - size.y), size);
        canvas.painter.rect_filled(behind, canvas.px(3.0), tokens::PANEL);
        canvas.put(name, behind.center(), Align2::CENTER_CENTER);
        if let Some(note) = &camera.note {
            let text = canvas.line(note, canvas.font(14.0), tokens::YELLOW, place.width() - 2.0 * margin);
            canvas.put(text, place.center(), Align2::CENTER_CENTER);
        }
    }
}
