//! What is drawn and what is pressed, without a screen.

use crate::fixture;
use bevy_egui::egui::{self, Context, Event, Key, Modifiers, PointerButton, Pos2, RawInput, Rect, Vec2, vec2};
use operator_console::player::view::{CameraView, Lines, draw};
use operator_console::player::{EpisodeIndex, Intent, Player};
use recorder::EpisodeReader;
use std::sync::Arc;

fn player(cameras: usize) -> Player {
    let folder = tempfile::tempdir().unwrap();
    let reader = EpisodeReader::open(&fixture::episode(folder.path(), cameras)).unwrap();
    Player::new(Arc::new(EpisodeIndex::read(&reader, |_, _| ()).unwrap()))
}

/// Draws one frame and returns what was pressed and every text with its place.
fn frame(context: &Context, player: &Player, size: Vec2, events: Vec<Event>) -> (Vec<Intent>, Vec<(String, Rect)>) {
    let input = RawInput { screen_rect: Some(Rect::from_min_size(Pos2::ZERO, size)), events, ..RawInput::default() };
    let view = |camera: &operator_console::player::CameraTrack| CameraView {
        name: camera.name.clone(),
        note: Some("no picture yet".to_owned()),
        ..CameraView::default()
    };
    let views: Vec<CameraView> = player.index.cameras.iter().map(view).collect();
    let mut intents = Vec::new();
    let mut lines = Lines::default();
    let output = context.run_ui(input, |ui| intents.extend(draw(ui, player, &views, &mut lines)));
    let mut texts = Vec::new();
    for clipped in &output.shapes {
        if let egui::Shape::Text(text) = &clipped.shape {
            texts.push((text.galley.text().to_owned(), text.visual_bounding_rect()));
        }
    }
    output.drop_without_applying_deltas();
    (intents, texts)
}

fn place(texts: &[(String, Rect)], part: &str) -> Rect {
    texts.iter().find(|(text, _)| text.contains(part)).unwrap_or_else(|| panic!("no {part:?} in {texts:?}")).1
}

#[test]
fn no_text_leaves_the_window_or_covers_another() {
    for cameras in [0, 1, 4] {
        let mut player = player(cameras);
        player.act(Intent::Seek(2.2));
        for size in [vec2(1280.0, 800.0), vec2(1920.0, 1080.0), vec2(1440.0, 900.0)] {
            let context = Context::default();
            let (_, texts) = frame(&context, &player, size, Vec::new());
            let window = Rect::from_min_size(Pos2::ZERO, size).expand(1.0);
            for (i, (text, rect)) in texts.iter().enumerate() {
                assert!(window.contains_rect(*rect), "{text:?} at {rect:?} of {size}");
                for (other, place) in texts[..i].iter().filter(|(other, _)| !other.is_empty()) {
                    let both = rect.shrink(1.0).intersect(place.shrink(1.0));
                    assert!(!both.is_positive(), "{text:?} {rect:?} over {other:?} {place:?} at {size}, {cameras}");
                }
            }
            for part in ["sample-1", "DRIVE: operator", "0:02.20 / 0:04.0", "camera_lost", "Speed", "km/h", "takeover"]
            {
                place(&texts, part);
            }
            if cameras > 0 {
                place(&texts, "front");
            }
        }
    }
}

#[test]
fn keys_and_the_timeline_say_where_to_go() {
    let context = Context::default();
    let (player, size) = (player(1), vec2(1440.0, 900.0));
    let key = |key, modifiers| Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
    for (pressed, modifiers, intent) in [
        (Key::Space, Modifiers::NONE, Intent::Toggle),
        (Key::ArrowRight, Modifiers::NONE, Intent::Step { forward: true }),
        (Key::ArrowLeft, Modifiers::SHIFT, Intent::Skip(-1.0)),
        (Key::ArrowUp, Modifiers::NONE, Intent::Speed { faster: true }),
        (Key::L, Modifiers::NONE, Intent::Loop),
    ] {
        let (intents, _) = frame(&context, &player, size, vec![key(pressed, modifiers)]);
        assert_eq!(intents, [intent]);
    }
    let (_, texts) = frame(&context, &player, size, Vec::new());
    // The word stands in the middle of its band, which lasts from 1.5 to 3 s.
    let words: Vec<Rect> = texts.iter().filter(|(text, _)| text == "drive").map(|(_, rect)| *rect).collect();
    let at = words.iter().max_by(|a, b| a.top().total_cmp(&b.top())).unwrap().center();
    let press = |pos, pressed| {
        let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
        Event::PointerButton { pos, button, pressed, modifiers }
    };
    frame(&context, &player, size, vec![Event::PointerMoved(at)]);
    let (intents, _) = frame(&context, &player, size, vec![press(at, true)]);
    let [Intent::Seek(to_s)] = intents[..] else { panic!("{intents:?}") };
    assert!((to_s - 2.25).abs() < 0.02, "{to_s}");
    let (intents, _) = frame(&context, &player, size, vec![Event::PointerMoved(at + vec2(100.0, 0.0))]);
    let [Intent::Seek(dragged_s)] = intents[..] else { panic!("{intents:?}") };
    assert!(dragged_s > to_s + 0.2, "dragging goes on: {dragged_s}");
    frame(&context, &player, size, vec![press(at, false)]);
}
