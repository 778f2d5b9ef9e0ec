//! Robots that are not the built-in car, driven from the browser's seat through the real control plane and the real bridge:
//! one in a process of its own, as its users connect it (the Python package's example, a car of a Gymnasium environment), and a
//! delivery robot. Both come with files of their own, which no page and no program knew before.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use prost::Message;
use protocol::{topics, v1};
use recorder::EpisodeReader;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::{CAR, Page, Process, Site, documents, program, python, robot_python, run, wait_for};

/// The size of the picture on the page, and how many of its pixels are yellow: the car, and nothing else.
const LOOK: &str = r"(() => {
    const video = document.querySelector('video');
    const [width, height] = [video.videoWidth, video.videoHeight];
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    const pixels = context.getImageData(0, 0, width, height).data;
    let yellow = 0;
    for (let at = 0; at < pixels.length; at += 4) {
        yellow += pixels[at] > 140 && pixels[at + 1] > 140 && pixels[at + 2] < 100 ? 1 : 0;
    }
    return { width, height, yellow };
})()";

struct Robot {
    process: Process,
    address: String,
}

fn robot(python: &Path, address: &str, log: &Path) -> Robot {
    let mut command = Command::new(python);
    command.arg("-u").arg(documents::root().join("python/examples/gymnasium_robot.py")).arg(address);
    Robot { process: Process::spawn(command, log).unwrap(), address: address.to_owned() }
}

#[test]
fn the_package_holds_its_promises_to_a_bridge_made_of_sockets() {
    let python = robot_python().unwrap();
    let tests = documents::root().join("python/tests");
    let discover = ["-m", "unittest", "discover"];
    let printed = run(Command::new(python).env("PYTHONDONTWRITEBYTECODE", "1").args(discover).arg(tests)).unwrap();
    assert!(printed.contains("OK") && !printed.contains("Ran 0 tests"), "{printed}");
}

#[test]
fn the_example_is_at_most_thirty_lines_and_stands_in_the_readme_word_by_word() {
    let read = |name: &str| std::fs::read_to_string(documents::root().join("python").join(name)).unwrap();
    let (example, readme) = (read("examples/gymnasium_robot.py"), read("README.md"));
    assert!(example.lines().count() <= 30, "{} lines", example.lines().count());
    assert!(readme.contains(&example), "python/README.md shows another example");
}

#[test]
fn real_time_a_gymnasium_car_is_driven_from_the_browser_stopped_and_recorded() {
    let python = robot_python().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let address = format!("unix:{}", site.path("robot.sock"));
    let _bridge = site.bridge_with(&["--robot", "process", "--listen", &address]).unwrap();
    let log = folder.path().join("robot.log");
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    let first = robot(&python, &address, &log);
    site.wait_until("the robot online", |c| c["online"] == true && c["map"] == "racetrack")
        .unwrap_or_else(|error| panic!("{error}\n{}", said()));
    let mut page = Page::open(&format!("{}/seat.html?id={CAR}&seat=marta", site.address)).unwrap();

    // Its camera is seen, in its own size and colours: the car is 27 by 11 pixels large.
    page.wait_until("takeover.driver.connected && takeover.cameras.pictures[0].counts.shown > 20").unwrap();
    let look = page.evaluate(LOOK).unwrap();
    assert!(
        look["width"] == 640
            && look["height"] == 360
            && look["yellow"].as_u64().is_some_and(|pixels| (100..1_000).contains(&pixels)),
        "{look}"
    );

    // It moves as commanded.
    page.press("ShiftLeft").unwrap();
    while page.evaluate("takeover.driver.authority.holder").unwrap() != "me" {
        page.tap("KeyT").unwrap();
        std::thread::sleep(Duration::from_millis(300));
    }
    page.press("KeyW").unwrap();
    let drives = |c: &Value| c["author"] == "operator" && c["speed_mps"].as_f64().is_some_and(|v| v > 2.0);
    site.wait_until("the browser at the wheel", drives).unwrap_or_else(|error| panic!("{error}\n{}", said()));
    page.press("KeyA").unwrap();
    page.wait_until("takeover.driver.vehicle.state.observation[2] > 0.02").unwrap();
    page.release("KeyA").unwrap();

    // An emergency stop stops it.
    page.tap("Space").unwrap();
    page.wait_until("takeover.driver.authority.latest.estop_latched").unwrap();
    let stands = |c: &Value| c["mode"] == "stopped" && c["speed_mps"].as_f64().is_some_and(|v| v.abs() < 0.05);
    site.wait_until("a standing robot", stands).unwrap();
    page.release("KeyW").unwrap();
    page.release("ShiftLeft").unwrap();
    // While the stop is latched, the episode goes on.
    page.press("KeyR").unwrap();
    page.wait_until("!takeover.driver.authority.latest.estop_latched && takeover.driver.estop.phase === 'clear'")
        .unwrap();
    page.release("KeyR").unwrap();

    judge(&site);

    // Its end is said, and another process takes its place.
    drop(first.process);
    page.wait_until("takeover.driver.vehicle.state.faults.includes('robot_not_connected')").unwrap();
    let _second = robot(&python, &first.address, &log);
    page.wait_until("takeover.driver.vehicle.state.faults.length === 0").unwrap();
    assert!(page.console.is_empty(), "{:?}", page.console);
}

/// The first takeover's episode, once the control plane has it.
fn takeover(site: &Site) -> PathBuf {
    let takeover = || {
        let episodes = site.get("episodes")?;
        episodes.as_array()?.iter().rev().find(|e| e["trigger"] == "takeover").cloned()
    };
    let episode = wait_for("the takeover's episode", Duration::from_secs(90), takeover)
        .unwrap_or_else(|error| panic!("{error}\n{}", site.logs()));
    Path::new(&site.path("data/episodes")).join(episode["file"].as_str().unwrap())
}

/// `takeover episode` with these arguments; the JSON that it printed.
fn episode(arguments: &[&Path]) -> Value {
    let printed = run(Command::new(program("takeover").unwrap()).args(["episode", "--json"]).args(arguments)).unwrap();
    serde_json::from_str(&printed).unwrap()
}

/// The takeover is an episode: the seat, the robot's pictures, what it was told, and that it did so.
fn judge(site: &Site) {
    let reader = EpisodeReader::open(&takeover(site)).unwrap();
    let info = reader.info();
    assert_eq!((info.embodiment.as_str(), info.map.as_str(), info.seed), ("racetrack_car", "racetrack", None));
    assert_eq!(reader.embodiment().unwrap().unwrap().length_m(), 5.0);
    let count = |topic: &str| reader.topics().iter().find(|t| t.topic == topic).map_or(0, |t| t.messages);
    assert!(count(topics::CAMERA_FRONT.name) > 10, "{} pictures", count(topics::CAMERA_FRONT.name));
    let states: Vec<v1::VehicleState> = reader
        .select(Some([topics::VEHICLE_STATE.name]), ..)
        .map(|message| v1::VehicleState::decode(message.unwrap().data).unwrap())
        .collect();
    let place = |state: &v1::VehicleState| state.world_from_vehicle.unwrap();
    let (start, end) = (place(states.first().unwrap()), place(states.last().unwrap()));
    let moved_m = (end.x_m - start.x_m).hypot(end.y_m - start.y_m);
    let driven_m = states.last().unwrap().odometer_m - states.first().unwrap().odometer_m;
    assert!(moved_m > 1.0 && driven_m >= moved_m - 0.01, "moved {moved_m} m, drove {driven_m} m");
    // To the left, as the operator steered.
    assert!(end.heading_rad > start.heading_rad, "{start:?} {end:?}");
    let fastest = states.iter().map(|state| state.observation[0]).fold(0.0, f64::max);
    assert!(fastest > 2.0 && states.last().unwrap().observation[0].abs() < fastest, "fastest {fastest} m/s");
    let commands = reader.select(Some([topics::CONTROL_COMMAND.name]), ..);
    let commands: Vec<v1::ControlCommand> =
        commands.map(|message| v1::ControlCommand::decode(message.unwrap().data).unwrap()).collect();
    let by_operator = |command: &&v1::ControlCommand| command.author() == v1::Author::Operator;
    assert!(commands.iter().filter(by_operator).any(|command| command.action[0] > 0.5), "the operator sped it up");
}

/// A gamepad that the page sees from now on; `hold` changes what is held on it.
const PAD: &str = r"(() => {
    window.held = { down: [], go: 0, x: 0 };
    const button = (i) => ({ pressed: held.down.includes(i), touched: false, value: i === 7 ? held.go : Number(held.down.includes(i)) });
    const pad = () => ({ index: 0, id: 'a pad', mapping: 'standard', connected: true, timestamp: 0, axes: [held.x, 0, 0, 0], buttons: Array.from({ length: 17 }, (_, i) => button(i)) });
    Object.defineProperty(navigator, 'getGamepads', { configurable: true, value: () => [pad()] });
})()";
const SOUTH: u64 = 0;
const EAST: u64 = 1;
const SHOULDER: u64 = 4;
const SELECT: u64 = 8;

/// Buttons that are held, how far the right trigger is pressed, and where the left stick is: right is positive.
fn hold(page: &mut Page, down: &[u64], go: f64, x: f64) {
    let held = serde_json::json!({ "down": down, "go": go, "x": x });
    page.evaluate(&format!("Object.assign(window.held, {held})")).unwrap();
}

/// A number that the page knows of the vehicle.
fn number(page: &mut Page, of_the_vehicle: &str) -> f64 {
    page.evaluate(&format!("takeover.driver.vehicle.{of_the_vehicle}")).unwrap().as_f64().unwrap()
}

#[test]
fn real_time_a_delivery_robot_is_driven_by_keys_and_gamepad_recorded_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let text = protocol::Embodiment::delivery_robot().source().replacen("delivery_robot", "yard_robot", 1);
    std::fs::write(folder.path().join("yard_robot.toml"), text).unwrap();
    let file = site.path("yard_robot.toml");
    let _bridge = site.bridge_with(&["--embodiment", &file, "--road", "plane"]).unwrap();
    site.wait_until("the robot online", |c| c["online"] == true && c["embodiment"] == "yard_robot").unwrap();
    let mut page = Page::open(&format!("{}/seat.html?id={CAR}&seat=marta", site.address)).unwrap();
    page.wait_until("takeover.driver.connected && takeover.cameras.pictures[0].counts.shown > 20").unwrap();
    page.wait_until("takeover.lidar.scans > 3 && takeover.driver.vehicle.state.observation.length === 3").unwrap();
    let shown =
        "[...document.querySelectorAll('#speed, #speed-unit, #name-steer')].map((e) => e.textContent).join('|')";
    assert_eq!(page.evaluate(shown).unwrap(), "0.0|m/s|yaw rate");
    assert_eq!(
        page.evaluate("document.getElementById('lidar-title').textContent").unwrap(),
        "Lidar from above, rings 2 m apart"
    );

    drive_by_keys(&site, &mut page);
    drive_by_gamepad(&site, &mut page);
    assert!(page.console.is_empty(), "{:?}", page.console);

    export(&takeover(&site), folder.path());
}

/// Turns on the spot and drives; without the deadman the robot stops by itself.
fn drive_by_keys(site: &Site, page: &mut Page) {
    page.press("ShiftLeft").unwrap();
    while page.evaluate("takeover.driver.authority.holder").unwrap() != "me" {
        page.tap("KeyT").unwrap();
        std::thread::sleep(Duration::from_millis(300));
    }
    page.press("KeyA").unwrap();
    page.wait_until("takeover.driver.vehicle.state.observation[2] > 1").unwrap();
    page.wait_until("takeover.driver.vehicle.state.world_from_vehicle.heading_rad > 0.8").unwrap();
    page.wait_until("/^acceleration 0.00\\sm.s²\\nyaw rate 1.\\d\\d\\srad.s$/.test(document.getElementById('channels').textContent)")
        .unwrap();
    assert!(number(page, "state.odometer_m") < 0.05, "it turned on the spot");
    page.release("KeyA").unwrap();
    // Back towards the middle, which is long; the plane is narrow.
    page.press("KeyD").unwrap();
    page.wait_until("takeover.driver.vehicle.state.world_from_vehicle.heading_rad < 0.2").unwrap();
    page.release("KeyD").unwrap();
    page.press("KeyW").unwrap();
    let drives = |c: &Value| c["author"] == "operator" && c["speed_mps"].as_f64().is_some_and(|v| v > 1.0);
    site.wait_until("the keys drive", drives).unwrap();
    page.wait_until("Number(document.getElementById('speed').textContent) > 0.9").unwrap();
    page.release("KeyW").unwrap();

    page.release("ShiftLeft").unwrap();
    let stands = |c: &Value| c["mode"] == "stopped" && c["author"] == "fallback" && c["speed_mps"] == 0.0;
    site.wait_until("a robot that stopped by itself", stands).unwrap();
    page.wait_until("document.getElementById('banner-detail').textContent.includes('the deadman was released')")
        .unwrap();
}

/// Takes over, drives a bend, stops at once and releases the stop, all on a gamepad.
fn drive_by_gamepad(site: &Site, page: &mut Page) {
    page.evaluate(PAD).unwrap();
    // The pad is seen before its deadman is pressed.
    page.wait_until("takeover.driver.sample.pad === 'a pad'").unwrap();
    hold(page, &[SHOULDER], 0.0, 0.0);
    page.wait_until("takeover.driver.sample.deadman").unwrap();
    while page.evaluate("takeover.driver.authority.holder").unwrap() != "me" {
        hold(page, &[SHOULDER, SOUTH], 0.0, 0.0);
        std::thread::sleep(Duration::from_millis(150));
        hold(page, &[SHOULDER], 0.0, 0.0);
        std::thread::sleep(Duration::from_millis(150));
    }
    hold(page, &[SHOULDER], 1.0, 0.7);
    page.wait_until("takeover.driver.vehicle.state.observation[2] < -0.15 && takeover.driver.speed > 0.5").unwrap();
    hold(page, &[SHOULDER, EAST], 1.0, 0.7);
    page.wait_until("takeover.driver.authority.latest.estop_latched").unwrap();
    let stands = |c: &Value| c["mode"] == "stopped" && c["speed_mps"] == 0.0;
    site.wait_until("a standing robot", stands).unwrap();
    let turns = number(page, "state.observation[2]");
    assert!(turns.abs() < 0.02, "it stands and turns by {turns} rad/s");
    hold(page, &[SELECT], 0.0, 0.0);
    page.wait_until("!takeover.driver.authority.latest.estop_latched && takeover.driver.estop.phase === 'clear'")
        .unwrap();
    hold(page, &[], 0.0, 0.0);
}

/// The episode is sound, and its data set has this robot's names and the values that were recorded.
fn export(file: &Path, folder: &Path) {
    let sound = episode(&[Path::new("verify"), file]);
    assert_eq!(sound[0]["verdict"]["problems"], serde_json::json!([]), "{sound}");
    let reader = EpisodeReader::open(file).unwrap();
    assert_eq!((reader.info().embodiment.as_str(), reader.info().map.as_str()), ("yard_robot", "plane"));
    let robot = reader.embodiment().unwrap().unwrap();
    let dataset = folder.join("dataset");
    let lerobot = ["export", "--format", "lerobot", "--output"].map(Path::new);
    let told = episode(&[&lerobot[..], &[&dataset, file]].concat());
    assert!(told["exported"]["interventions"].as_u64().is_some_and(|rows| rows > 20), "{told}");
    let script = documents::root().join("tests/peers/lerobot_judge.py");
    let judged = run(Command::new(python().unwrap()).arg(script).arg(&dataset).arg(file)).unwrap();
    let judged: Value = serde_json::from_str(&judged).unwrap();
    assert_eq!(judged["frames"], told["exported"]["frames"], "{judged}");
    let info = std::fs::read_to_string(dataset.join("meta/info.json")).unwrap();
    let info: Value = serde_json::from_str(&info).unwrap();
    let names = |channels: &[protocol::Channel]| channels.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    assert_eq!(info["robot_type"], "yard_robot");
    assert_eq!(info["features"]["observation.state"]["names"], serde_json::json!(names(&robot.observation)));
    assert_eq!(info["features"]["action"]["names"], serde_json::json!(["acceleration_mps2", "yaw_rate_radps"]));
}
