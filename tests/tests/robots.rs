//! A robot in a process of its own, as its users connect one: the Python package's example, a car of a Gymnasium
//! environment, is driven from the browser's seat through the real control plane and the real bridge.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use prost::Message;
use protocol::{topics, v1};
use recorder::EpisodeReader;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::{CAR, Page, Process, Site, documents, robot_python, run, wait_for};

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

/// The takeover is an episode: the seat, the robot's pictures, what it was told, and that it did so.
fn judge(site: &Site) {
    let takeover = || site.get("episodes")?.as_array()?.iter().find(|e| e["trigger"] == "takeover").cloned();
    let episode = wait_for("the takeover's episode", Duration::from_secs(90), takeover)
        .unwrap_or_else(|error| panic!("{error}\n{}", site.logs()));
    let file = site.path("data/episodes");
    let reader = EpisodeReader::open(&Path::new(&file).join(episode["file"].as_str().unwrap())).unwrap();
    let info = reader.info();
    assert_eq!((info.embodiment.as_str(), info.map.as_str(), info.seed), ("ackermann_car", "racetrack", None));
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
