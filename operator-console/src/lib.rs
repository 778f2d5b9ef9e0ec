//! The desktop seat: video, overlays, gamepad, keyboard
