//! The emergency stop from every key and every gamepad, whatever else is pressed; which device is at the wheel.

use super::Opened;
use serde_json::{Value, json};
use tests::Page;

/// The page of seats without a vehicle: its scripts alone.
fn page() -> Opened {
    let mut opened = Opened::new();
    opened.page.prepare(include_str!("../../pages/pads.js")).unwrap();
    opened.page.go(&format!("{}/seat.html", opened.site.address)).unwrap();
    opened.page.wait_until("document.querySelector('.empty')").unwrap();
    opened
}

fn read(page: &mut Page, steps: &Value) -> Vec<Value> {
    let read = page.evaluate(&format!("readPads({steps})")).unwrap();
    read.as_array().unwrap().clone()
}

/// In which of `steps` the stop was pressed.
fn stops(page: &mut Page, steps: &Value) -> Vec<usize> {
    let read = read(page, steps);
    let stopped = |sample: &Value| sample["pressed"].as_array().unwrap().contains(&json!("estop"));
    read.iter().enumerate().filter(|(_, sample)| stopped(sample)).map(|(step, _)| step).collect()
}

const EAST: u64 = 1;
const SHOULDER: u64 = 4;
const SOUTH: u64 = 0;
const GO: u64 = 7;

#[test]
fn every_pad_stops_whatever_else_is_pressed() {
    let mut opened = page();
    let page = &mut opened.page;
    let idle = |index: u64| json!({ "index": index });
    let down = |index: u64, down: &[u64]| json!({ "index": index, "down": down });

    // The second pad while the first drives, one behind gaps, and each press once.
    let driving = down(0, &[SHOULDER, GO]);
    let steps = json!([
        [idle(0), idle(1)],
        [driving, idle(1)],
        [driving, down(1, &[EAST])],
        [driving, down(1, &[EAST])],
        [driving, idle(1)],
        [driving, down(1, &[EAST, SHOULDER, SOUTH])]
    ]);
    assert_eq!(stops(page, &steps), [2, 5]);
    assert_eq!(stops(page, &json!([[], [idle(3)], [down(3, &[EAST])]])), [2]);
    // One that is connected with the press, beside one that holds its own; one that is unplugged and comes back.
    assert_eq!(stops(page, &json!([[down(0, &[EAST])], [down(0, &[EAST]), down(7, &[EAST])]])), [0, 1]);
    let gone = json!({ "index": 0, "down": [EAST], "gone": true });
    assert_eq!(stops(page, &json!([[down(0, &[EAST])], [gone], [down(0, &[EAST])]])), [0, 2]);
    // The driving pad with everything pressed at once; a button that tells only how far it is pressed.
    let everything: Vec<u64> = (0..17).collect();
    assert_eq!(stops(page, &json!([[idle(0)], [down(0, &everything)]])), [1]);
    assert_eq!(stops(page, &json!([[idle(0)], [{ "index": 0, "travel": { "1": 0.8 } }]])), [1]);

    // A device of no known layout: its second and third button, and nothing else of it counts.
    let unknown = |down: &[u64]| json!({ "index": 1, "down": down, "mapping": "" });
    for (button, stopped) in [(0, false), (1, true), (2, true), (3, false), (9, false)] {
        let steps = json!([[idle(0), unknown(&[])], [idle(0), unknown(&[button])]]);
        assert_eq!(stops(page, &steps) == [1], stopped, "button {button}");
    }
    let samples = read(page, &json!([[unknown(&[])], [unknown(&[SOUTH, SHOULDER, 5, GO])]]));
    assert_eq!(
        (&samples[1]["deadman"], &samples[1]["pressed"], &samples[1]["accelerate"]),
        (&json!(false), &json!([]), &json!(0))
    );
    assert!(page.console.is_empty(), "{:#?}", page.console);
}

#[test]
fn the_pad_that_took_the_wheel_keeps_it_and_it_never_jumps() {
    let mut opened = page();
    let page = &mut opened.page;
    let pad = |index: u64, shoulder: bool, go: f64| json!({ "index": index, "down": if shoulder { vec![SHOULDER] } else { vec![] }, "travel": { "7": go } });
    let steps = json!([
        [pad(0, false, 0.5), pad(1, false, 1.0)],
        // The second takes it, the first holds on in vain, also after the second let go.
        [pad(0, false, 0.5), pad(1, true, 1.0)],
        [pad(0, true, 0.5), pad(1, true, 1.0)],
        [pad(0, true, 0.5), pad(1, false, 1.0)],
        [pad(0, true, 0.5), pad(1, false, 1.0)],
        [pad(0, false, 0.5), pad(1, false, 1.0)],
        [pad(0, true, 0.5), pad(1, false, 1.0)],
        // It is unplugged with the deadman held, and comes back so.
        [pad(1, false, 1.0)],
        [pad(0, true, 0.5), pad(1, false, 1.0)],
    ]);
    let samples = read(page, &steps);
    let held: Vec<bool> = samples.iter().map(|s| s["deadman"].as_bool().unwrap()).collect();
    assert_eq!(held, [false, true, true, false, false, false, true, false, false]);
    let names: Vec<_> = samples.iter().filter(|s| s["deadman"] == true).map(|s| s["pad"].as_str().unwrap()).collect();
    assert_eq!(names, ["pad 1", "pad 1", "pad 0"]);
    assert_eq!(samples[2]["accelerate"], 1);
    assert!(samples[6]["accelerate"].as_f64().unwrap() < 0.6);
    assert!(page.console.is_empty(), "{:#?}", page.console);
}

#[test]
fn the_stops_keys_count_whatever_has_the_focus_and_whatever_is_held() {
    let mut opened = page();
    let page = &mut opened.page;
    page.evaluate("hearKeys()").unwrap();
    let fields = ["input", "textarea", "select", "button", "div contenteditable", "body"];
    for field in fields {
        let name = field.split(' ').next().unwrap();
        let focus = format!(
            "(() => {{ const field = document.body.appendChild(document.createElement('{name}')); \
             if ('{field}'.includes(' ')) field.contentEditable = 'true'; field.name = 'field'; field.tabIndex = 0; field.focus(); \
             window.clicked = 0; field.addEventListener('click', () => window.clicked++); }})()"
        );
        page.evaluate(&focus).unwrap();
        // Alt, Control, Meta, Shift, all of them; and a key whose first press went elsewhere.
        for (modifiers, repeats) in [(0, false), (1, false), (2, false), (4, false), (8, false), (15, false), (0, true)]
        {
            for key in ["Space", "Backspace"] {
                page.tap_with(key, modifiers, repeats).unwrap();
                let pressed = page.evaluate("pressedKeys()").unwrap();
                assert_eq!(
                    pressed,
                    json!(["estop"]),
                    "{key} in a {field} with modifiers {modifiers}, repeats {repeats}"
                );
            }
        }
        assert_eq!(page.evaluate("window.clicked").unwrap(), 0, "the stop's key presses no {field}");
    }
    // While the person drives by keys; held, it is one press, and no other key is text in a field for the car.
    page.evaluate("document.activeElement.blur()").unwrap();
    page.press("ShiftLeft").unwrap();
    page.press("KeyW").unwrap();
    page.press("Space").unwrap();
    assert_eq!(page.evaluate("pressedKeys()").unwrap(), json!(["estop"]));
    let again = json!({ "type": "rawKeyDown", "code": "Space", "key": " ", "autoRepeat": true });
    page.call("Input.dispatchKeyEvent", &again).unwrap();
    assert_eq!(page.evaluate("pressedKeys()").unwrap(), json!([]));
    page.evaluate("document.querySelector('input').focus()").unwrap();
    page.tap("KeyT").unwrap();
    assert_eq!(page.evaluate("pressedKeys()").unwrap(), json!([]));
    assert!(page.console.is_empty(), "{:#?}", page.console);
}
