//! The browser's seat: a real Chromium opens the real page, sees the vehicle's camera and drives the vehicle with keys.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

mod faults;
mod policies;
mod stops;
mod truth;

use protocol::v1::{SeatRequest, Waypoint, seat_request::Request};
use serde_json::Value;
use tests::{CAR, Page, Process, Site};

/// A control plane and a browser of its own.
struct Opened {
    // In this order: the browser leaves first.
    page: Page,
    _plane: Process,
    site: Site,
    _folder: tempfile::TempDir,
}

impl Opened {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::new(folder.path()).unwrap();
        let plane = site.control_plane(&[]).unwrap();
        let page = Page::open("about:blank").unwrap();
        Self { page, _plane: plane, site, _folder: folder }
    }

    /// The page at `path`, once the car is online.
    fn with_car(path: &str) -> (Self, Process) {
        let mut opened = Self::new();
        let bridge = opened.site.bridge().unwrap();
        opened.site.wait_until("the car online", |c| c["online"] == true).unwrap();
        opened.page.go(&format!("{}{path}", opened.site.address)).unwrap();
        (opened, bridge)
    }
}

/// Draws thirty pictures whole into a canvas of its own, reads their timecodes, and says by how many ticks each is off
/// the RTP timestamp that the picture came with.
const READ_THIRTY: &str = r"(async () => {
    const timecode = await import('/static/timecode.js');
    const video = document.querySelector('video');
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const pictures = [];
    while (pictures.length < 30) {
        const frame = await new Promise((resolve) => video.requestVideoFrameCallback((now, frame) => resolve(frame)));
        Object.assign(canvas, { width: frame.width, height: frame.height });
        context.drawImage(video, 0, 0);
        const pixels = context.getImageData(0, 0, frame.width, frame.height).data;
        const code = timecode.read(pixels, frame.width, timecode.layout(frame.width, frame.height));
        const off = code && (Math.floor(code.captureUs * 9 / 100) % 2 ** 32) - frame.rtpTimestamp;
        pictures.push({ ...code, off, width: frame.width, height: frame.height });
    }
    return pictures;
})()";

/// The lines of `cases` that the page's deadman takes otherwise.
const RUN_DEADMAN: &str = r"
    const { Deadman } = await import('/static/deadman.js');
    const wrong = [];
    for (const group of cases.split('\n\n')) {
        const deadman = new Deadman();
        for (const line of group.split('\n').filter((l) => l && !l.startsWith('#'))) {
            const [ms, pressed, held] = line.split(' ').map(Number);
            if (deadman.sample(1000 * ms, pressed === 1) !== (held === 1)) wrong.push(line);
        }
    }
    return wrong;";

#[test]
fn real_time_chromium_sees_the_vehicles_clock_in_the_picture_and_drives_it() {
    let (mut opened, _bridge) = Opened::with_car(&format!("/seat.html?id={CAR}&seat=marta"));
    let page = &mut opened.page;
    page.wait_until("takeover.driver.connected && takeover.cameras.pictures[0].counts.shown > 30").unwrap();

    // What the pixels say is what the packets say. A busy browser may draw a picture newer than the one it told of, which
    // it may, but never an older one.
    let pictures = page.evaluate(READ_THIRTY).unwrap();
    let pictures = pictures.as_array().unwrap();
    let off: Vec<i64> = pictures.iter().map(|p| p["off"].as_i64().unwrap_or_else(|| panic!("{pictures:?}"))).collect();
    assert!(off.iter().filter(|ticks| **ticks == 0).count() >= 10, "{off:?}");
    assert!(off.iter().all(|ticks| (0..90_000).contains(ticks)), "{off:?}");
    assert!(pictures.iter().all(|p| p["width"] == 1280 && p["height"] == 720), "{pictures:?}");
    let sequences: Vec<_> = pictures.iter().map(|p| p["sequence"].as_u64().unwrap()).collect();
    assert!(sequences.is_sorted() && sequences.first() < sequences.last(), "{sequences:?}");
    // By the clock estimate no picture comes from the future, and a live one is younger than two seconds.
    let age = "[takeover.cameras.pictures[0].age(), takeover.session.clock().uncertaintyUs]";
    let age: Vec<f64> = serde_json::from_value(page.evaluate(age).unwrap()).unwrap();
    assert!(age[0] > -age[1] && age[0] < 2e6, "{age:?}");
    let stages = "takeover.cameras.pictures[0].latencyBreakdown().stages.reduce((sum, s) => sum + s.mean_ms, 0) \
                  / takeover.cameras.pictures[0].latencyBreakdown().mean";
    let told = page.evaluate(stages).unwrap().as_f64().unwrap();
    assert!((0.95..1.05).contains(&told), "the stages are {told} of the whole");

    // Each beam of the lidar came through the compact form, within the sensor's reach.
    page.wait_until("takeover.lidar.scans > 5").unwrap();
    let beams =
        "(({ ranges }) => [ranges.length, ranges.filter((r) => r > 0 && r <= 80.01).length])(takeover.lidar.scan)";
    assert_eq!(page.evaluate(beams).unwrap(), serde_json::json!([240, 240]));

    // The page's deadman follows the rules of every other seat's.
    let rules =
        format!("(async (cases) => {{ {RUN_DEADMAN} }})({:?})", include_str!("../../../web/static/deadman.txt"));
    assert_eq!(page.evaluate(&rules).unwrap(), serde_json::json!([]));

    // Without the deadman nothing is asked; with it the takeover is granted as soon as the vehicle's self-check is over.
    page.tap("KeyT").unwrap();
    page.wait_until("document.body.innerText.includes('cannot take over')").unwrap();
    page.press("ShiftLeft").unwrap();
    while page.evaluate("takeover.driver.authority.holder").unwrap() != "me" {
        page.tap("KeyT").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    page.press("KeyW").unwrap();
    let drives = |c: &Value| c["author"] == "operator" && c["speed_mps"].as_f64().is_some_and(|v| v > 2.0);
    opened.site.wait_until("the browser at the wheel", drives).unwrap();
    page.wait_until("takeover.driver.vehicle.link.command_age_ms > 0").unwrap();
    page.wait_until("document.getElementById('banner-title').innerText === 'YOU DRIVE'").unwrap();

    // A page that loses the focus lets go of everything, and the vehicle stops.
    page.evaluate("window.dispatchEvent(new Event('blur'))").unwrap();
    opened.site.wait_until("a stopped car", |c| c["mode"] == "stopped" && c["speed_mps"] == 0.0).unwrap();
    page.wait_until("takeover.driver.authority.latest.author === 3").unwrap();
    let reason = page.evaluate("document.getElementById('banner-detail').innerText").unwrap();
    assert!(reason.as_str().unwrap().contains("the deadman was released"), "{reason}");

    // The emergency stop latches until somebody holds its release.
    page.release("ShiftLeft").unwrap();
    page.tap("Space").unwrap();
    page.wait_until("takeover.driver.authority.latest.estop_latched && takeover.driver.estop.phase === 'latched'")
        .unwrap();
    page.press("KeyR").unwrap();
    page.wait_until("!takeover.driver.authority.latest.estop_latched && takeover.driver.estop.phase === 'clear'")
        .unwrap();
    assert!(page.console.is_empty(), "{:?}", page.console);
}

#[test]
fn real_time_an_old_picture_is_never_shown_as_live() {
    let (mut opened, bridge) = Opened::with_car(&format!("/vehicle.html?id={CAR}"));
    let page = &mut opened.page;
    let live = "document.querySelector('.picture') && !document.querySelector('.picture.stale, .picture.blank')";
    page.wait_until(live).unwrap();
    bridge.signal("STOP").unwrap();
    page.wait_until("document.querySelector('.picture.stale')?.innerText.includes('STALE')").unwrap();
    assert_eq!(page.evaluate("getComputedStyle(document.querySelector('.veil')).opacity").unwrap(), "1");
    bridge.signal("CONT").unwrap();
    page.wait_until(live).unwrap();
    // The veil falls by itself: a script that hangs does not keep an old picture looking live.
    let hung = "(() => { const veil = document.querySelector('.veil').getAnimations()[0]; \
                const effect = veil.effect.getComputedTiming(); return effect.delay <= 300 && effect.fill === 'both'; })()";
    assert_eq!(page.evaluate(hung).unwrap(), true);
    assert!(page.console.is_empty(), "{:?}", page.console);
}

#[test]
fn real_time_the_page_lists_vehicles_and_says_what_is_wrong() {
    let (mut opened, _bridge) = Opened::with_car("/seat.html");
    let page = &mut opened.page;
    page.wait_until(&format!("document.body.innerText.includes('{CAR}') && document.querySelector('a.primary')"))
        .unwrap();
    page.evaluate("document.querySelector('a.primary').click()").unwrap();
    page.wait_until("takeover.driver.connected").unwrap();
    let nobody = format!("{}/seat.html?id=nobody", opened.site.address);
    page.call("Page.navigate", &serde_json::json!({ "url": nobody })).unwrap();
    page.wait_until("document.getElementById('banner-detail').innerText.includes('offline')").unwrap();
}

/// Shows the page a question as the vehicle would ask it, and catches what the page answers.
const ASK: &str = r"(() => {
    const way = (id, label, side) => ({ id, label, points: [0, 10, 20, 30].map((x_m) => ({ x_m, y_m: x_m % 30 ? side : 0 })) });
    const question = { id: 7, text: 'a car stands in the lane 24 m ahead: which way?', paths: [way(1, 'left', 3), way(2, 'right', -3)] };
    window.sent = [];
    takeover.session.request = (request) => window.sent.push(request);
    // An epoch beyond all that the vehicle grants: its own statements are older from now on.
    const authority = { epoch: 1e9, monotonic_us: 1, mode: 3, author: 1, seat_id: '', lease_left_ms: 0, reason: 1, estop_latched: false, question };
    takeover.driver.onState(performance.now() * 1000, { authority });
})()";

#[test]
fn real_time_a_question_is_drawn_and_answered_by_a_key_or_by_dragged_waypoints() {
    let (mut opened, _bridge) = Opened::with_car(&format!("/seat.html?id={CAR}&seat=marta"));
    let page = &mut opened.page;
    page.wait_until("takeover.driver.connected && takeover.driver.vehicle.surroundings").unwrap();
    page.evaluate(ASK).unwrap();
    page.wait_until("document.querySelectorAll('#assist:not([hidden]) polyline.way').length === 2").unwrap();
    page.wait_until("document.getElementById('assist').innerText.includes('which way?')").unwrap();
    page.tap("Digit2").unwrap();
    page.wait_until("window.sent.length === 1").unwrap();
    assert_eq!(page.evaluate("window.sent[0].path_answer.path_id").unwrap(), 2);
    page.evaluate("takeover.driver.requests.forget()").unwrap();

    // A waypoint is dragged; what is sent reads in the vehicle's language as what was drawn.
    page.evaluate("takeover.driver.assist.drag(1, 10.5, 2.25)").unwrap();
    page.wait_until("!document.querySelector('.own-way').hidden").unwrap();
    page.tap("KeyF").unwrap();
    page.wait_until("window.sent.length === 2").unwrap();
    let bytes = "import('/static/messages.js').then((m) => Array.from(m.writeRequest(window.sent[1])))";
    let bytes: Vec<u8> = serde_json::from_value(page.evaluate(bytes).unwrap()).unwrap();
    let request = <SeatRequest as prost::Message>::decode(&bytes[..]).unwrap();
    let Some(Request::PathAnswer(answer)) = request.request else { panic!("{request:?}") };
    assert_eq!((answer.question_id, answer.declined, answer.waypoints.len()), (7, false, 4));
    assert_eq!(answer.waypoints[1], Waypoint { x_m: 10.5, y_m: 2.25 });
    page.evaluate("takeover.driver.requests.forget()").unwrap();

    page.tap("KeyX").unwrap();
    page.wait_until("window.sent.length === 3 && window.sent[2].path_answer.declined").unwrap();
    assert!(page.console.is_empty(), "{:?}", page.console);
}

#[test]
fn real_time_people_at_the_page_and_at_the_vehicle_hear_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let heard = folder.path().join("heard.wav");
    let mut bridge = site.bridge_with(&["--audio", "tone", "--audio-out", heard.to_str().unwrap()]).unwrap();
    site.wait_until("the car online", |c| c["online"] == true).unwrap();
    // Chromium's own microphone for tests beeps.
    let microphone = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
    let mut page = Page::open_with(&format!("{}/seat.html?id={CAR}&seat=marta", site.address), &microphone).unwrap();
    page.wait_until("takeover.driver.connected && takeover.session.voice()").unwrap();
    page.press("KeyM").unwrap();
    page.wait_until("takeover.voice.talking && takeover.voice.hearing").unwrap();
    let loudness = "takeover.session.peer.getStats().then((all) => [...all.values()].some((s) => \
                    s.type === 'inbound-rtp' && s.kind === 'audio' && s.totalAudioEnergy > 0.001))";
    page.wait_until(loudness).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(3));
    page.release("KeyM").unwrap();
    page.wait_until("!takeover.voice.talking").unwrap();
    assert!(page.console.is_empty(), "{:?}", page.console);
    drop(page);
    bridge.signal("TERM").unwrap();
    tests::wait_for("the bridge's end", std::time::Duration::from_secs(20), || bridge.has_ended()).unwrap();
    let sound = std::fs::read(&heard).unwrap();
    let samples = sound[44..].chunks_exact(2).map(|b| i64::from(i16::from_le_bytes([b[0], b[1]])));
    let loud = samples.filter(|sample| sample.abs() > 500).count();
    assert!(loud > 1_000, "{loud} loud samples of {}", sound.len() / 2);
}
