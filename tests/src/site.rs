//! A control plane and one vehicle as processes of their own.

use crate::{FakeClock, Process, free_port, program, wait_for};
use anyhow::Context;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use vehicle_bridge::audit::chain::{Record, read};

/// Where the processes of one test run: their folder and the control plane's address.
pub struct Site {
    folder: PathBuf,
    /// `http://host:port` of the control plane.
    pub address: String,
}

/// The name of the vehicle.
pub const CAR: &str = "car-1";

impl Site {
    /// A site on a free port; data and logs go to `folder`.
    ///
    /// # Errors
    /// When no port is free.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self { folder: folder.to_owned(), address: format!("http://127.0.0.1:{}", free_port()?) })
    }

    fn start(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        Process::takeover(&arguments, &self.folder.join(format!("{name}.log")))
    }

    /// Starts the control plane with further `options` and waits until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn control_plane(&self, options: &[&str]) -> anyhow::Result<Process> {
        self.control_plane_with(options, &[])
    }

    /// As [`Self::control_plane`], with further variables of the environment.
    ///
    /// # Errors
    /// When it does not start.
    pub fn control_plane_with(&self, options: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Process> {
        let addr = self.address.trim_start_matches("http://");
        let mut command = Command::new(program("takeover")?);
        command.args(["web", "--addr", addr, "--data", &self.path("data")]).args(options);
        command.envs(environment.iter().copied());
        let plane = Process::spawn(command, &self.folder.join("web.log"))?;
        wait_for("the control plane", Duration::from_secs(20), || self.get("vehicles"))?;
        Ok(plane)
    }

    /// Starts the vehicle's bridge.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn bridge(&self) -> anyhow::Result<Process> {
        self.bridge_with(&[])
    }

    /// Starts the vehicle's bridge with further `options`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn bridge_with(&self, options: &[&str]) -> anyhow::Result<Process> {
        let data = self.path("car");
        let who = ["--control-plane", &self.address, "--vehicle", CAR];
        self.start("bridge", &[&["bridge", "--data", &data], &who[..], options].concat())
    }

    /// Starts the vehicle's bridge with another wall clock than the machine's.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn bridge_with_clock(&self, clock: &FakeClock) -> anyhow::Result<Process> {
        let mut command = Command::new(program("takeover")?);
        command.args(["bridge", "--data", &self.path("car"), "--control-plane", &self.address, "--vehicle", CAR]);
        command.envs(clock.environment());
        Process::spawn(command, &self.folder.join("bridge.log"))
    }

    /// Starts a scripted operator that keeps the wheel for so long once it has it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn keeping_operator(&self, keep: Duration) -> anyhow::Result<Process> {
        let seconds = keep.as_secs().to_string();
        let who = ["operator", "--control-plane", &self.address, "--vehicle", CAR];
        self.start("operator", &[&who[..], &["--keep-wheel", &seconds]].concat())
    }

    /// What one process wrote: `web`, `bridge` or `operator`.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default()
    }

    /// Starts the scripted operator.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn operator(&self) -> anyhow::Result<Process> {
        self.start("operator", &["operator", "--control-plane", &self.address, "--vehicle", CAR])
    }

    /// Starts the scripted operator at another address of the control plane, ready to rehearse faults.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn rehearsing_operator(&self, address: &str) -> anyhow::Result<Process> {
        self.start("operator", &["operator", "--rehearse", "--control-plane", address, "--vehicle", CAR])
    }

    /// The records of the vehicle's audit log, in order; a line that is being written is left out.
    #[must_use]
    pub fn audit(&self) -> Vec<Record> {
        let files = vehicle_bridge::audit::file::files(&self.folder.join("car/audit")).unwrap_or_default();
        let texts = files.iter().map(|file| std::fs::read(file).unwrap_or_default());
        texts
            .flat_map(|text| {
                text.split(|b| *b == b'\n').filter_map(|line| Some(read(line).ok()?.0)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// A path in the site's folder.
    #[must_use]
    pub fn path(&self, below: &str) -> String {
        self.folder.join(below).to_string_lossy().into_owned()
    }

    /// The control plane's answer, if any.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Value> {
        ureq::get(format!("{}/api/v1/{path}", self.address)).call().ok()?.body_mut().read_json().ok()
    }

    /// What the control plane knows of the vehicle.
    #[must_use]
    pub fn car(&self) -> Option<Value> {
        let vehicles = self.get("vehicles")?;
        vehicles.as_array()?.iter().find(|v| v["vehicle"] == CAR).cloned()
    }

    /// Waits until `holds` of the vehicle.
    ///
    /// # Errors
    /// When it never does, with the vehicle's state and the logs.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        wait_for(what, Duration::from_secs(90), || self.car().filter(&holds))
            .with_context(|| format!("{:?}\n{}", self.car(), self.logs()))
    }

    /// What the processes wrote.
    #[must_use]
    pub fn logs(&self) -> String {
        let log = |name: &str| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        ["web.log", "bridge.log", "operator.log", "turn.log"].map(log).join("\n")
    }
}
