//! The real window, under a virtual screen with a software renderer.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

mod screen;

use bevy::color::ColorToPacked;
use screen::{is_installed, load};
use std::net::TcpListener;
use std::process::Command;

/// A port where nothing listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn without_a_control_plane_the_window_opens_and_waits() {
    if !is_installed("xvfb-run") {
        eprintln!("left out: xvfb-run is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("window.png");
    let output = Command::new("xvfb-run")
        .args(["-a", "-s", "-screen 0 1280x720x24", env!("CARGO_BIN_EXE_takeover-console")])
        .args(["--size", "1280x720", "--seconds", "4", "--screenshot"])
        .arg(&path)
        .args(["--control-plane", &format!("http://127.0.0.1:{}", closed_port())])
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let image = load(&path);
    assert_eq!((image.width(), image.height()), (1280, 720));
    let colour = |x, y| image.get_color_at(x, y).unwrap().to_srgba().to_u8_array();
    // The banner is grey without a session; the key help lies at the bottom; nothing covers the middle of the left side.
    assert_eq!(colour(4, 4)[..3], [0x5A, 0x5F, 0x66]);
    let [r, g, b, _] = colour(500, 250);
    assert!(r < 40 && g < 40 && b < 40, "the background is dark: {r} {g} {b}");
}

#[test]
fn no_screen_is_an_error_that_says_what_to_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_takeover-console"))
        .args(["--seconds", "1"])
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("xvfb-run"), "{said}");
}
