//! Sizes of pictures and of the place they are shown in.

use video::DecodedPicture;

/// Whether the planes are as large as the picture says: a texture of any other size cannot be filled from them.
#[must_use]
pub fn fits(picture: &DecodedPicture) -> bool {
    let quarter = (picture.width / 2) * (picture.height / 2);
    quarter > 0
        && picture.width.checked_mul(picture.height) == Some(picture.y.len())
        && picture.u.len() == quarter
        && picture.v.len() == quarter
}

/// The largest size with the shape of `picture` inside `window`, in the window's units.
#[must_use]
pub fn letterbox(picture: (usize, usize), window: (f32, f32)) -> (f32, f32) {
    let (width, height) = (picture.0.max(1) as f32, picture.1.max(1) as f32);
    let scale = (window.0 / width).min(window.1 / height).max(0.0);
    (width * scale, height * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_keeps_its_shape_in_any_window() {
        assert_eq!(letterbox((1280, 720), (1600.0, 900.0)), (1600.0, 900.0));
        assert_eq!(letterbox((1280, 720), (1280.0, 1024.0)), (1280.0, 720.0));
        assert_eq!(letterbox((640, 480), (1600.0, 900.0)), (1200.0, 900.0));
        assert_eq!(letterbox((1280, 720), (0.0, 0.0)), (0.0, 0.0));
    }

    #[test]
    fn a_picture_with_a_short_plane_is_left_out() {
        let mut picture =
            DecodedPicture { width: 4, height: 2, y: vec![0; 8], u: vec![0; 2], v: vec![0; 2], ..Default::default() };
        assert!(fits(&picture));
        picture.v.pop();
        assert!(!fits(&picture));
        assert!(!fits(&DecodedPicture::default()));
    }
}
