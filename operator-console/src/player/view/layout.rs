//! Where things are, for any size of window.

use bevy_egui::egui::{Rect, Vec2, pos2, vec2};

/// Shape of most cameras' pictures, for places that are laid out before the first is there.
const SHAPE: f32 = 16.0 / 9.0;

/// The places of the window's parts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub header: Rect,
    /// The front camera first.
    pub cameras: Vec<Rect>,
    pub panel: Rect,
    /// How many blocks of the panel stand side by side.
    pub panel_columns: usize,
    pub plots: Rect,
    pub transport: Rect,
    pub timeline: Rect,
}

impl Layout {
    pub(super) fn of(area: Rect, scale: f32, cameras: usize) -> Self {
        let px = |size: f32| size * scale;
        let gap = px(8.0);
        let header = Rect::from_min_size(area.min, vec2(area.width(), px(42.0)));
        let timeline = Rect::from_min_max(
            pos2(area.left() + gap, area.bottom() - px(92.0)),
            pos2(area.right() - gap, area.bottom() - px(4.0)),
        );
        let transport = Rect::from_min_max(
            pos2(area.left() + gap, timeline.top() - px(40.0)),
            pos2(area.right() - gap, timeline.top()),
        );
        let body = Rect::from_min_max(
            pos2(area.left() + gap, header.bottom() + gap),
            pos2(area.right() - gap, transport.top() - px(2.0)),
        );
        let share = if cameras > 0 { 0.58 } else { 0.27 };
        let middle = body.left() + body.width() * share;
        let left = Rect::from_min_max(body.min, pos2(middle - gap / 2.0, body.bottom()));
        let plots = Rect::from_min_max(pos2(middle + gap / 2.0, body.top()), body.max);
        if cameras == 0 {
            return Self { header, cameras: Vec::new(), panel: left, panel_columns: 1, plots, transport, timeline };
        }
        let panel = Rect::from_min_max(pos2(left.left(), left.bottom() - px(172.0)), left.max);
        let pictures = Rect::from_min_max(left.min, pos2(left.right(), panel.top() - gap));
        let cameras = grid(pictures, cameras, gap);
        // What the pictures leave goes to the panel.
        let bottom = cameras.iter().map(Rect::bottom).fold(pictures.top(), f32::max);
        let panel = panel.with_min_y(bottom + gap);
        Self { header, cameras, panel, panel_columns: 3, plots, transport, timeline }
    }
}

/// The first large on top, the others in rows beneath.
fn grid(area: Rect, count: usize, gap: f32) -> Vec<Rect> {
    let others = count.saturating_sub(1);
    let across = others.clamp(1, 4);
    let rows = others.div_ceil(across);
    let width = (area.width() - gap * (across - 1) as f32) / across.max(3) as f32;
    let small = vec2(width, width / SHAPE);
    let strip = if others == 0 { 0.0 } else { rows as f32 * (small.y + gap) };
    let large = fit(vec2(area.width(), (area.height() - strip).max(0.0)));
    let top = pos2(area.center().x - large.x / 2.0, area.top());
    let mut places = vec![Rect::from_min_size(top, large)];
    for other in 0..others {
        let (row, column) = (other / across, other % across);
        let in_row = if row + 1 == rows { others - row * across } else { across };
        let whole = in_row as f32 * (small.x + gap) - gap;
        let left = area.center().x - whole / 2.0 + column as f32 * (small.x + gap);
        let top = area.top() + large.y + gap + row as f32 * (small.y + gap);
        places.push(Rect::from_min_size(pos2(left, top), small));
    }
    places
}

fn fit(room: Vec2) -> Vec2 {
    let width = room.x.min(room.y * SHAPE);
    vec2(width, width / SHAPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_covers_anything_in_any_window_with_any_number_of_cameras() {
        for size in [vec2(1280.0, 800.0), vec2(1920.0, 1080.0), vec2(1000.0, 700.0), vec2(2560.0, 1440.0)] {
            let scale = (size.x / 1440.0).min(size.y / 900.0).clamp(0.75, 2.5);
            for cameras in 0..=9 {
                let area = Rect::from_min_size(pos2(0.0, 0.0), size);
                let layout = Layout::of(area, scale, cameras);
                assert_eq!(layout.cameras.len(), cameras);
                let mut places = layout.cameras.clone();
                places.extend([layout.header, layout.panel, layout.plots, layout.transport, layout.timeline]);
                for (i, place) in places.iter().enumerate() {
                    assert!(area.contains_rect(*place), "{size} {cameras} {layout:?}");
                    assert!(place.width() > 30.0 && place.height() > 20.0, "{size} {cameras} {layout:?}");
                    for other in &places[..i] {
                        let both = place.shrink(0.01).intersect(*other);
                        assert!(!both.is_positive(), "{size} {cameras} {place} {other}");
                    }
                }
            }
        }
    }
}
