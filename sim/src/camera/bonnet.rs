//! The car's own bonnet at the lower edge of the picture: a fixed reference for the eye.

use super::{air::Air, canvas::Canvas, tone::Tone, view::Polygon};

const PAINT: Tone = Tone::rgb(0x39485A);

/// Draws the bonnet; it is fixed to the camera.
pub(super) fn draw(air: &Air, canvas: &mut Canvas) {
    let (width, height) = (canvas.picture.width as f64, canvas.picture.height as f64);
    for (top, light) in [(0.935, 1.35), (0.9405, 1.0), (0.975, 0.86)] {
        let mut outline = Polygon::EMPTY;
        outline.push(-1.0, height + 1.0);
        for step in 0..=10 {
            let across = f64::from(step) / 10.0;
            // Flat in the middle, falling off towards the wings.
            let fall = 0.065 * (2.0 * across - 1.0).powi(4);
            outline.push(across * (width + 2.0) - 1.0, height * (top + fall));
        }
        outline.push(width + 1.0, height + 1.0);
        canvas.fill(&outline, air.seen(PAINT.lit(light), 0.0));
    }
}
