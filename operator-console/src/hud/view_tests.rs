use super::*;
use crate::seat::{Connection, EstopPhase, SeatView};
use bevy_egui::egui::{self, Context, Event, PointerButton, RawInput};
use std::time::Duration;

const SIZE: Vec2 = Vec2::new(1600.0, 900.0);

/// Runs one frame in a window of 1600x900 and returns what was pressed and every text on the screen with its place.
fn frame(context: &Context, state: &HudState, events: Vec<Event>) -> (Clicks, Vec<(String, Rect)>) {
    let input = RawInput { screen_rect: Some(Rect::from_min_size(Pos2::ZERO, SIZE)), events, ..RawInput::default() };
    let mut clicks = Clicks::default();
    let output = context.run_ui(input, |ui| clicks = hud(ui, state));
    let mut texts = Vec::new();
    for clipped in &output.shapes {
        if let egui::Shape::Text(text) = &clipped.shape {
            texts.push((text.galley.text().to_owned(), text.visual_bounding_rect()));
        }
    }
    output.drop_without_applying_deltas();
    (clicks, texts)
}

fn connected() -> SeatView {
    SeatView { connection: Connection::Connected, has_picture: true, ..SeatView::empty("desk") }
}

fn state_of(view: &SeatView) -> HudState {
    HudState::from_view(view, Duration::ZERO)
}

fn place(texts: &[(String, Rect)], part: &str) -> Rect {
    texts.iter().find(|(text, _)| text.contains(part)).unwrap_or_else(|| panic!("no {part:?} in {texts:?}")).1
}

fn press(at: Pos2, pressed: bool) -> Event {
    Event::PointerButton { pos: at, button: PointerButton::Primary, pressed, modifiers: egui::Modifiers::NONE }
}

#[test]
fn every_word_is_inside_the_window() {
    let context = Context::default();
    let view = SeatView {
        estop: EstopPhase::Latched,
        help: Some(protocol::v1::HelpRequest { text: "a lane is blocked by a van ".repeat(6), ..Default::default() }),
        stale_us: Some(2_000_000),
        connection: Connection::Lost("a very long reason that somebody has to be able to read ".repeat(3)),
        ..connected()
    };
    let (_, texts) = frame(&context, &state_of(&view), Vec::new());
    let window = Rect::from_min_size(Pos2::ZERO, SIZE).expand(1.0);
    for (text, rect) in &texts {
        assert!(window.contains_rect(*rect), "{text:?} at {rect:?}");
    }
    place(&texts, "STALE 2000 ms");
    place(&texts, "NOT CONNECTED");
}

#[test]
fn the_emergency_stop_acts_on_the_press_and_release_needs_a_hold() {
    let context = Context::default();
    let state = state_of(&connected());
    let (_, texts) = frame(&context, &state, Vec::new());
    let at = place(&texts, "EMERGENCY STOP").center();
    frame(&context, &state, vec![Event::PointerMoved(at)]);
    let (clicks, _) = frame(&context, &state, vec![press(at, true)]);
    assert_eq!(clicks.actions, [Action::Estop]);
    frame(&context, &state, vec![press(at, false)]);

    let latched = state_of(&SeatView { estop: EstopPhase::Latched, ..connected() });
    frame(&context, &latched, vec![Event::PointerMoved(at)]);
    let (clicks, _) = frame(&context, &latched, vec![press(at, true)]);
    assert_eq!(clicks, Clicks { actions: Vec::new(), reset_held: true });
    let (clicks, _) = frame(&context, &latched, vec![press(at, false)]);
    assert_eq!(clicks, Clicks::default());
}

#[test]
fn a_button_is_pressed_by_pointer_and_never_by_the_space_bar() {
    let context = Context::default();
    let state = state_of(&connected());
    let (_, texts) = frame(&context, &state, Vec::new());
    let at = place(&texts, "Take over (T)").center();
    frame(&context, &state, vec![Event::PointerMoved(at)]);
    let (down, _) = frame(&context, &state, vec![press(at, true)]);
    let (up, _) = frame(&context, &state, vec![press(at, false)]);
    assert_eq!((down.actions, up.actions), (vec![], vec![Action::TakeOver]));
    let key =
        |key| Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers: egui::Modifiers::NONE };
    for _ in 0..8 {
        let (clicks, _) = frame(&context, &state, vec![key(egui::Key::Tab), key(egui::Key::Space)]);
        assert_eq!(clicks, Clicks::default());
    }
}

#[test]
fn a_finger_that_stays_on_the_stop_does_not_release_it() {
    let context = Context::default();
    let (_, texts) = frame(&context, &state_of(&connected()), Vec::new());
    let at = place(&texts, "EMERGENCY STOP").center();
    frame(&context, &state_of(&connected()), vec![Event::PointerMoved(at)]);
    frame(&context, &state_of(&connected()), vec![press(at, true)]);
    let latched = state_of(&SeatView { estop: EstopPhase::Latched, ..connected() });
    for _ in 0..10 {
        let (clicks, _) = frame(&context, &latched, Vec::new());
        assert_eq!(clicks, Clicks::default());
    }
}

#[test]
fn what_is_asked_of_the_robot_stands_apart_in_its_panel() {
    let context = Context::default();
    let robot = protocol::Embodiment::delivery_robot();
    let view = SeatView { robot: Some(robot.into()), asked: vec![-3.0, -1.5], speed_mps: Some(1.5), ..connected() };
    let (_, texts) = frame(&context, &state_of(&view), Vec::new());
    let (asked, device, speed) =
        (place(&texts, "yaw rate -1.50 rad/s"), place(&texts, "keyboard ("), place(&texts, "1.5"));
    assert!(
        !asked.intersects(device) && asked.top() > speed.bottom() && asked.right() < 312.0,
        "{asked} {device} {speed}"
    );
    place(&texts, "m/s");
}

#[test]
fn a_question_shows_its_paths_and_a_click_answers() {
    let context = Context::default();
    let path = |label: &str| protocol::v1::CandidatePath {
        label: label.to_owned(),
        points: vec![protocol::v1::Waypoint { x_m: 1.0, y_m: 0.0 }, protocol::v1::Waypoint { x_m: 20.0, y_m: 3.0 }],
        ..Default::default()
    };
    let question = protocol::v1::PathQuestion {
        text: "Something blocks the lane. Which way?".to_owned(),
        paths: vec![path("pass on the left"), path("wait behind"), path("turn"), path("reverse")],
        ..Default::default()
    };
    let choice = crate::seat::PathChoice {
        question,
        surroundings: None,
        robot: Some(protocol::Embodiment::ackermann_car().into()),
    };
    let state = state_of(&SeatView { question: Some(choice.into()), ..connected() });
    let (_, texts) = frame(&context, &state, Vec::new());
    let window = Rect::from_min_size(Pos2::ZERO, SIZE).expand(1.0);
    assert!(texts.iter().all(|(_, rect)| window.contains_rect(*rect)));
    assert!(place(&texts, "none of these").bottom() < place(&texts, "EMERGENCY STOP").top());
    let at = place(&texts, "2: wait behind").center();
    frame(&context, &state, vec![Event::PointerMoved(at)]);
    frame(&context, &state, vec![press(at, true)]);
    let (clicks, _) = frame(&context, &state, vec![press(at, false)]);
    assert_eq!(clicks.actions, [Action::Path2]);
}
