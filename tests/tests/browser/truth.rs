//! Every page, in every state of a live car, says what is so; the browser has nothing to complain of.

use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tests::{CAR, Page, Process, Site, wait_for};

/// The pages by the names that `pages/truth.js` gives them, and where they are.
const PAGES: [(&str, &str); 5] = [
    ("index", "/"),
    ("episodes", "/episodes.html"),
    ("vehicle", "/vehicle.html?id=car-1"),
    ("list", "/seat.html"),
    ("seat", "/seat.html?id=car-1&seat=marta"),
];
/// The scripted operator keeps the wheel for long enough.
const KEEPS: Duration = Duration::from_secs(600);
/// How long a page may take to be right: a poll, a session, and a state that does not change meanwhile.
const TIMEOUT: Duration = Duration::from_secs(60);

struct Browser {
    page: Page,
    address: String,
    /// Whether the car's emergency stop is latched.
    latched: bool,
}

impl Browser {
    fn open(site: &Site) -> Self {
        let mut page = Page::open("about:blank").unwrap();
        page.prepare(include_str!("../../pages/truth.js")).unwrap();
        Self { page, address: site.address.clone(), latched: false }
    }

    fn go(&mut self, name: &str) {
        let (_, path) = PAGES.iter().find(|(page, _)| *page == name).unwrap();
        self.page.go(&format!("{}{path}", self.address)).unwrap();
    }

    /// Waits until the page is right about the car while `holds` of it.
    fn is_true(&mut self, name: &str, state: &str, holds: impl Fn(&Value) -> bool) {
        let until = Instant::now() + TIMEOUT;
        loop {
            let told = self
                .page
                .evaluate(&format!("untrue('{name}', '{CAR}', {})", self.latched))
                .unwrap_or_else(|e| json!({ "wrong": [format!("{e:#}")] }));
            if told["wrong"] == json!([]) && holds(&told["car"]) {
                break;
            }
            if Instant::now() > until {
                let shown = self.page.evaluate("document.body.innerText").unwrap();
                panic!("{name}, {state}: {told}\nthe page shows {shown}\nconsole: {:?}", self.page.console);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        if let Some(folder) = std::env::var_os("TAKEOVER_TEST_PICTURES") {
            self.page.screenshot(&PathBuf::from(folder).join(format!("{state}-{name}.png"))).unwrap();
        }
        assert!(self.page.console.is_empty(), "{name}, {state}: {:#?}", self.page.console);
    }

    /// Opens every page.
    fn visit(&mut self, state: &str, holds: impl Fn(&Value) -> bool) {
        for (name, _) in PAGES {
            self.go(name);
            self.is_true(name, state, &holds);
        }
    }
}

fn is(mode: &'static str, author: &'static str) -> impl Fn(&Value) -> bool {
    move |car| car["mode"] == mode && car["author"] == author
}

fn stands(car: &Value) -> bool {
    car["mode"] == "stopped" && car["speed_mps"] == 0.0
}

fn answers(site: &Site) -> Process {
    site.control_plane(&[]).unwrap()
}

#[test]
fn real_time_every_page_tells_the_truth_of_a_car_that_stands_drives_assists_stops_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let plane = answers(&site);
    let bridge = site.bridge().unwrap();
    site.wait_until("the car online", |c| c["online"] == true && c["mode"].is_string()).unwrap();
    // One dashboard stays open through everything; the other pages are opened in each state.
    let mut dashboard = Browser::open(&site);
    dashboard.go("index");
    let mut browser = Browser::open(&site);
    browser.visit("standing", stands);

    let operator = site.keeping_operator(KEEPS).unwrap();
    browser.visit("driven", is("drive", "operator"));
    operator.kill().unwrap();
    let operator = site.assisting_operator().unwrap();
    browser.visit("assist", is("assist", "policy"));
    dashboard.is_true("index", "open since the start", |c| c["online"] == true);

    // The seat that only watches stops the car on a gamepad that is not the first and of no known kind.
    browser.go("seat");
    browser.page.wait_until("takeover.driver.connected").unwrap();
    browser.page.evaluate(SECOND_PAD).unwrap();
    browser.page.wait_until("document.getElementById('banner-title').innerText === 'EMERGENCY STOP'").unwrap();
    operator.kill().unwrap();
    let stopped = |c: &Value| stands(c);
    site.wait_until("a stopped car", stopped).unwrap();
    browser.latched = true;
    browser.visit("stopped", stopped);
    assert_eq!(browser.page.evaluate("fetch('/api/v1/vehicles').then((a) => a.status)").unwrap(), 200);

    bridge.kill().unwrap();
    let gone = |c: &Value| c["online"] == false;
    site.wait_until("the car offline", gone).unwrap();
    browser.latched = false;
    browser.visit("offline", gone);
    dashboard.is_true("index", "offline, open since the start", gone);

    // Now it is so that the control plane does not answer, and until it does again.
    plane.kill().unwrap();
    let told = "document.getElementById('freshness').innerText.startsWith('The control plane does not answer')";
    dashboard.page.wait_until(told).unwrap();
    assert_eq!(dashboard.page.evaluate("document.querySelector('.faults')").unwrap(), Value::Null);
    dashboard.page.console.clear();
    let _plane = answers(&site);
    dashboard
        .page
        .wait_until("document.getElementById('freshness').innerText === 'Up to date, every 2 seconds'")
        .unwrap();
    wait_for("a quiet console", TIMEOUT, || {
        dashboard.page.evaluate("1").unwrap();
        std::mem::take(&mut dashboard.page.console)
            .iter()
            .all(|line| line.contains("ERR_CONNECTION_REFUSED"))
            .then_some(())
    })
    .unwrap();
    dashboard.is_true("index", "the control plane again", gone);
}

/// A pad of no known layout behind two gaps of the list, on which the second button is pressed.
const SECOND_PAD: &str = r"(() => {
    const button = (pressed) => ({ pressed, touched: pressed, value: Number(pressed) });
    const pad = { index: 2, id: 'a second pad', mapping: '', connected: true, timestamp: 0, axes: [0, 0], buttons: [button(false), button(true), button(false)] };
    Object.defineProperty(navigator, 'getGamepads', { configurable: true, value: () => [null, null, pad] });
})()";
