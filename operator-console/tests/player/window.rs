//! The real window, under a virtual screen with a software renderer.

use crate::fixture;
use crate::screen::{is_installed, load};
use bevy::color::ColorToPacked;
use std::process::Command;

#[test]
fn the_window_shows_the_pictures_of_the_moment() {
    if !is_installed("xvfb-run") {
        eprintln!("left out: xvfb-run is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (episode, picture) = (fixture::episode(folder.path(), 4), folder.path().join("player.png"));
    let output = Command::new("xvfb-run")
        .args(["-a", "-s", "-screen 0 1280x800x24", env!("CARGO_BIN_EXE_takeover-console"), "play"])
        .args(["--size", "1280x800", "--at", "2.5", "--screenshot"])
        .args([&picture, &episode])
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let image = load(&picture);
    assert_eq!((image.width(), image.height()), (1280, 800));
    let mut counts = [0_u32; 4];
    for (x, y) in (0..1280).step_by(4).flat_map(|x| (0..800).step_by(4).map(move |y| (x, y))) {
        let [r, g, b, _] = image.get_color_at(x, y).unwrap().to_srgba().to_u8_array();
        for (camera, count) in counts.iter_mut().enumerate() {
            let colour = fixture::colour(camera, 2);
            *count += u32::from([r, g, b].iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 30));
        }
    }
    // Of 64,000 places; the front camera's picture is the largest, and white is also the colour of text.
    assert!(counts[0] > 4_000 && counts[1..].iter().all(|count| *count > 500), "{counts:?}");
    assert!(counts[0] > 2 * counts[1], "{counts:?}");
}

#[test]
fn a_broken_file_is_an_error_and_no_window() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.mcap");
    std::fs::write(&path, b"no episode at all, and that is a fact").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_takeover-console")).arg("play").arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("broken.mcap"), "{said}");
    let whole = fixture::episode(folder.path(), 0);
    let output =
        Command::new(env!("CARGO_BIN_EXE_takeover-console")).args(["play", "--at", "99"]).arg(whole).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("99") && said.contains("4.0 s"), "{said}");
}
