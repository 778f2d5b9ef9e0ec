//! Colours and sizes of the interface, in one place.
//!
//! Colours are those of Okabe and Ito (2008), which people with any common colour vision tell apart; every colour comes
//! with a word and a shape.

use bevy_egui::egui::Color32;

/// Orange: the operator drives.
pub const ORANGE: Color32 = Color32::from_rgb(0xE6, 0x9F, 0x00);
/// Sky blue: information.
pub const SKY: Color32 = Color32::from_rgb(0x56, 0xB4, 0xE9);
/// Bluish green: in order.
pub const GREEN: Color32 = Color32::from_rgb(0x00, 0x9E, 0x73);
/// Yellow: attention.
pub const YELLOW: Color32 = Color32::from_rgb(0xF0, 0xE4, 0x42);
/// Blue: the policy drives.
pub const BLUE: Color32 = Color32::from_rgb(0x00, 0x72, 0xB2);
/// Vermillion: alarm.
pub const VERMILLION: Color32 = Color32::from_rgb(0xD5, 0x5E, 0x00);
/// Reddish purple: another seat drives.
pub const PURPLE: Color32 = Color32::from_rgb(0xCC, 0x79, 0xA7);
/// Grey: nothing is known.
pub const GREY: Color32 = Color32::from_rgb(0x5A, 0x5F, 0x66);
/// Behind text.
pub const PANEL: Color32 = Color32::from_black_alpha(212);
/// Text.
pub const TEXT: Color32 = Color32::from_rgb(0xEE, 0xEE, 0xEE);
/// Text of lesser weight.
pub const MUTED: Color32 = Color32::from_rgb(0xA8, 0xAC, 0xB2);

/// Behind text and plots beside the pictures.
pub const CARD: Color32 = Color32::from_rgb(0x17, 0x1A, 0x1E);
/// Behind a hint at the pointer.
pub const HINT: Color32 = Color32::from_rgb(0x33, 0x38, 0x3F);
/// A button that is neither on nor an alarm.
pub const BUTTON: Color32 = Color32::from_rgb(0x33, 0x38, 0x3F);
/// Lines of a plot's grid.
pub const GRID: Color32 = Color32::from_rgb(0x2A, 0x2F, 0x36);
/// The grid's line at zero.
pub const GRID_ZERO: Color32 = Color32::from_rgb(0x55, 0x5B, 0x64);

/// Black or white, whichever reads better on `background` (relative luminance of WCAG 2).
#[must_use]
pub fn text_on(background: Color32) -> Color32 {
    let linear = |c: u8| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = 0.2126 * linear(background.r()) + 0.7152 * linear(background.g()) + 0.0722 * linear(background.b());
    if luminance > 0.179 { Color32::BLACK } else { Color32::WHITE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_contrasts_with_every_background() {
        assert_eq!(text_on(YELLOW), Color32::BLACK);
        assert_eq!(text_on(ORANGE), Color32::BLACK);
        assert_eq!(text_on(GREY), Color32::WHITE);
        assert_eq!(text_on(BLUE), Color32::WHITE);
    }
}
