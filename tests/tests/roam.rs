//! Seat and vehicle between network namespaces: one of them with another address again and again, both without any IPv4
//! address.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use link::netem::PathSpec;
use serde_json::Value;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use takeover::netem::namespaces::{Side, check_rights};
use takeover::netem::router::Router;
use takeover::netem::sys::in_namespace;
use tests::{CAR, Page, Process, RawSeat, Site, program, run, wait_for};

#[test]
fn a_machine_that_changes_its_network_keeps_its_session() {
    if let Err(error) = takeover::netem::namespaces::check_rights() {
        eprintln!("not run here: {error}");
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    for case in ["roam", "roam-vehicle"] {
        let mut report = Command::new(tests::program("takeover").unwrap());
        report.args(["link-report", "--case", case, "--seed", "5", "--seconds", "24", "--json"]).arg(file.path());
        println!("{}", tests::run(&mut report).unwrap());
        let figures: Vec<Value> = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
        let value = |metric: &str| figures.iter().find(|f| f["metric"] == metric).and_then(|f| f["value"].as_f64());
        // A picture that never came would count with all the time that was left.
        assert!(value("picture_after_roam_p95").unwrap() < 6.0, "{case}");
    }
}

/// Control plane and vehicle on the left, seats on the right.
struct Pair<'a> {
    router: Router,
    folder: &'a Path,
}

impl Pair<'_> {
    fn command(&self, side: Side, words: &[&str]) -> Command {
        let mut command = self.router.namespaces.command(side, program("takeover").unwrap().as_os_str());
        command.args(words).stdin(Stdio::null());
        command
    }

    fn start(&self, name: &str, side: Side, words: &[&str]) -> Process {
        Process::spawn(self.command(side, words), &self.log(name)).unwrap()
    }

    fn log(&self, name: &str) -> std::path::PathBuf {
        self.folder.join(name).with_extension("log")
    }

    fn says(&self, name: &str, words: &str) {
        let look = || std::fs::read_to_string(self.log(name)).ok().filter(|text| text.contains(words));
        let said = wait_for(words, Duration::from_secs(60), look);
        said.unwrap_or_else(|e| panic!("{name}: {e}: {:?}", std::fs::read_to_string(self.log(name))));
    }

    fn on_the_right<T: Send>(&self, body: impl FnOnce() -> anyhow::Result<T> + Send) -> T {
        let path = self.router.namespaces.path(Side::Right);
        in_namespace(&path, || body().map_err(|e| io::Error::other(format!("{e:#}")))).unwrap()
    }
}

#[test]
fn real_time_machines_that_have_ipv6_only_see_and_drive_each_other() {
    if let Err(error) = check_rights() {
        eprintln!("not run here: {error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let router = Router::start(&[PathSpec::clean()], 1).unwrap();
    router.only_ipv6().unwrap();
    let pair = Pair { router, folder: folder.path() };
    let data = |name: &str| folder.path().join(name).to_string_lossy().into_owned();

    let _plane = pair.start("web", Side::Left, &["web", "--addr", "[::]:0", "--data", &data("data")]);
    pair.says("web", "http://[::]:");
    let text = std::fs::read_to_string(pair.log("web")).unwrap();
    let port = text.lines().find_map(|line| line.strip_prefix("http://[::]:")).unwrap().to_owned();
    let plane = format!("http://[{}]:{port}", Router::ipv6_address(Side::Left, 0));
    let bridge = ["bridge", "--control-plane", &plane, "--vehicle", CAR, "--data", &data("car")];
    let _bridge = pair.start("bridge", Side::Left, &bridge);
    pair.says("bridge", "registered at the control plane");

    // A native seat's status says that pictures came.
    let seat = ["seat", "--headless", "--control-plane", &plane, "--seconds", "8"];
    println!("{}", run(&mut pair.command(Side::Right, &seat)).unwrap());
    // One that names its interface.
    let seat = [&seat[..], &["--seat", "named", "--interface", "path0"]].concat();
    println!("{}", run(&mut pair.command(Side::Right, &seat)).unwrap());

    let operator = pair.start("operator", Side::Right, &["operator", "--control-plane", &plane]);
    pair.says("operator", "connected");
    drop(operator);

    let states = pair.on_the_right(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let seat = RawSeat::connect(&plane, "raw", CAR).await?;
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok(std::mem::take(&mut seat.heard().states).len())
        })
    });
    assert!(states > 10, "{states} states");

    // A browser, which there has no way but the control plane's STUN to learn an address that it may tell.
    pair.on_the_right(|| {
        let mut page = Page::open(&format!("{plane}/seat.html?id={CAR}&seat=marta"))?;
        page.wait_until("takeover.driver.connected && takeover.cameras.pictures[0].counts.shown > 30")
    });

    // The demo on such a machine.
    let demo = ["demo", "--port", "0", "--no-live-car", "--data", &data("demo")];
    let demo = pair.start("demo", Side::Left, &demo);
    pair.says("demo", "http://[::1]:");
    drop(demo);
}

#[test]
fn real_time_a_host_by_name_or_in_brackets_is_as_good_as_any() {
    for host in ["[::1]", "localhost"] {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::at(host, folder.path()).unwrap();
        let _plane = site.control_plane(&[]).unwrap();
        let _bridge = site.bridge_with(&["--source", "synthetic"]).unwrap();
        wait_for("the bridge", Duration::from_secs(30), || site.logs().contains("registered").then_some(())).unwrap();
        let words = ["seat", "--headless", "--seconds", "5", "--control-plane", &site.address];
        println!("{host}: {}", run(Command::new(program("takeover").unwrap()).args(words)).unwrap());
    }
}
