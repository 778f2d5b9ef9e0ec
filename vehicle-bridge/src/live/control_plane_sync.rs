//! What the vehicle and the control plane tell each other, on a thread of its own: registration, miles,
//! disengagements, status, and policy updates (episodes go another way: [`crate::upload`]). Everything is repeated until
//! it is answered; nothing here can hold up the control thread.

use super::geofence_orders::GeofenceReceiver;
use super::journal::Journal;
use super::wall_clock::VehicleWallClock;
use crate::upload::uploader::SharedProgress;
use control_plane_client::{ControlPlaneAddress, ControlPlaneClient, Retry};
use crossbeam_channel::RecvTimeoutError;
use policy::Policy;
use protocol::api::{self, Disengagement, Mileage, VehicleRegistration, VehicleStatus};
use protocol::{Embodiment, PolicyVersion, VehicleId};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use vehicle_core::geofence::Geofence;
use vehicle_core::mileage::Metres;

/// Figures and status go out this often, and an update is looked for every second time.
const ROUND: Duration = Duration::from_secs(1);
/// The vehicle is registered again in every so many rounds, for a control plane that was given an empty database.
const REGISTER_EVERY: u32 = 10;
/// How soon a stop is noticed.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// The newest figures from the control thread.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Metres by policy version.
    pub metres: BTreeMap<PolicyVersion, Metres>,
    /// For people.
    pub status: Option<VehicleStatus>,
}

/// What the control thread and the synchronization share; every lock is held for a copy only.
#[derive(Debug, Default)]
pub struct SharedStatus {
    /// Latest figures.
    pub figures: Mutex<Figures>,
    /// How the uploads are.
    pub uploads: Option<Arc<SharedProgress>>,
    /// How the wall clock stands to the control plane's.
    pub clock: VehicleWallClock,
    /// Ends the synchronization.
    pub stop: AtomicBool,
}

/// What the control thread takes into use.
pub enum Update {
    /// A policy.
    Policy(Box<Policy>),
    /// Where the vehicle may drive; without one, everywhere.
    Geofence(Option<Geofence>),
}

/// Settings of the synchronization.
#[derive(Debug, Clone)]
pub struct ControlPlaneSyncConfig {
    /// Whom to synchronize with.
    pub control_plane: ControlPlaneAddress,
    /// The vehicle's description.
    pub vehicle: VehicleRegistration,
    /// Where fetched policies are kept.
    pub policies_dir: PathBuf,
    /// The robot that policies must be for.
    pub embodiment: Embodiment,
}

/// See the module.
pub struct ControlPlaneSync {
    config: ControlPlaneSyncConfig,
    client: ControlPlaneClient,
    /// Disengagements that the control plane has not confirmed, oldest first.
    outbox: VecDeque<Disengagement>,
    confirmed: BTreeMap<PolicyVersion, Metres>,
    /// Why the vehicle was not registered last, as it was told.
    refusal: Option<String>,
    current: PolicyVersion,
}

impl ControlPlaneSync {
    /// One that repeats what earlier runs may not have delivered: all `disengagements` on disk.
    #[must_use]
    pub fn new(config: ControlPlaneSyncConfig, disengagements: Vec<Disengagement>, current: PolicyVersion) -> Self {
        // The rounds repeat what fails.
        let client = ControlPlaneClient::new(&config.control_plane, Retry::Never);
        let (outbox, confirmed) = (disengagements.into(), BTreeMap::new());
        Self { config, client, outbox, confirmed, refusal: None, current }
    }

    /// Works until `shared` says stop, then once more. `disengagements` brings new ones; `updates` takes policies and what
    /// `geofence` makes of orders to the control thread.
    pub fn run(
        mut self,
        shared: &SharedStatus,
        mut geofence: GeofenceReceiver,
        disengagements: &crossbeam_channel::Receiver<Disengagement>,
        updates: &crossbeam_channel::Sender<Update>,
    ) {
        let mut registered = false;
        let mut round = 0u32;
        loop {
            let last = shared.stop.load(Ordering::Relaxed);
            self.outbox.extend(disengagements.try_iter());
            registered = (registered && !round.is_multiple_of(REGISTER_EVERY)) || self.register();
            if registered {
                let named = self.send_figures(shared, geofence.serial());
                if let Some(changed) = named.and_then(|serial| geofence.look(&self.client, serial)) {
                    let _ = updates.send(Update::Geofence(changed));
                }
                self.send_outbox();
                if !last && round.is_multiple_of(2) {
                    self.look_for_update(updates);
                }
            }
            // Also while nobody answers: the vehicle's clock may be set meanwhile.
            shared.clock.tell();
            if last {
                return;
            }
            round = round.wrapping_add(1);
            self.wait(shared, disengagements, registered);
        }
    }

    /// Until the next round, unless it is stopped. A takeover's entry goes out as it comes.
    fn wait(
        &mut self,
        shared: &SharedStatus,
        disengagements: &crossbeam_channel::Receiver<Disengagement>,
        registered: bool,
    ) {
        let until = Instant::now() + ROUND;
        while Instant::now() < until && !shared.stop.load(Ordering::Relaxed) {
            match disengagements.recv_timeout(STOP_CHECK.min(until.saturating_duration_since(Instant::now()))) {
                Ok(disengagement) => {
                    self.outbox.push_back(disengagement);
                    if registered {
                        self.send_outbox();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(STOP_CHECK),
            }
        }
    }

    fn register(&mut self) -> bool {
        let Err(error) = self.client.register(&self.config.vehicle) else {
            self.refusal = None;
            return true;
        };
        // Signalling tells people of a control plane that is away; why it refuses is only told here, once.
        let refusal = error.status().is_some().then(|| error.to_string());
        if let Some(refusal) = refusal.filter(|refusal| self.refusal.as_ref() != Some(refusal)) {
            tracing::warn!(%refusal, "the vehicle is not registered");
            self.refusal = Some(refusal);
        }
        false
    }

    /// Returns the serial of the newest order on the vehicle's geofence, if there is any.
    fn send_figures(&mut self, shared: &SharedStatus, geofence_serial: Option<u64>) -> Option<u64> {
        let figures = shared.figures.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let ordered = figures.status.and_then(|status| {
            let upload = shared.uploads.as_ref().map(|board| board.progress());
            self.send_status(&VehicleStatus { upload, geofence_serial, ..status }, &shared.clock)
        });
        for (policy, metres) in figures.metres {
            if self.confirmed.get(&policy) == Some(&metres) {
                continue;
            }
            let mileage = Mileage {
                vehicle: self.config.vehicle.vehicle.clone(),
                policy: policy.clone(),
                autonomous_m: metres.autonomous_m,
                manual_m: metres.manual_m,
            };
            if self.client.report_mileage(&mileage).is_ok() {
                self.confirmed.insert(policy, metres);
            }
        }
        ordered
    }

    /// The answer tells the control plane's time, and the serial of its newest order on the vehicle's geofence.
    fn send_status(&self, status: &VehicleStatus, clock: &VehicleWallClock) -> Option<u64> {
        let sent_us = clock.now_us();
        let answer = self.client.report_status(status);
        let received_us = clock.now_us();
        let answer = answer.ok()?;
        clock.exchange(sent_us, answer.unix_us, received_us);
        answer.geofence_serial
    }

    fn send_outbox(&mut self) {
        while let Some(disengagement) = self.outbox.front() {
            match self.client.report_disengagement(disengagement) {
                Ok(_) => {}
                // What is refused for good is not sent again; an answer that is not the control plane's confirms nothing.
                Err(error) if error.status().is_some() && !error.may_pass() => {
                    tracing::error!(%error, id = %disengagement.id, "a disengagement is not delivered");
                }
                Err(_) => return,
            }
            self.outbox.pop_front();
        }
    }

    fn look_for_update(&mut self, updates: &crossbeam_channel::Sender<Update>) {
        match self.fetch_update() {
            Ok(Some(policy)) => {
                self.current = policy.manifest().version.clone();
                remember_policy(&self.config.policies_dir, &self.current);
                tracing::info!(version = %self.current, "policy fetched");
                let _ = updates.send(Update::Policy(Box::new(policy)));
            }
            Ok(None) => {}
            Err(why) => tracing::warn!(%why, "no policy update"),
        }
    }

    fn fetch_update(&self) -> Result<Option<Policy>, String> {
        let latest = self.client.latest_policy().map_err(|e| e.reason())?;
        let Some(latest) = latest.filter(|latest| latest.version != self.current) else { return Ok(None) };
        let dir = self.config.policies_dir.join(latest.version.as_str());
        if !dir.exists() {
            self.fetch(&latest, &dir)?;
        }
        Policy::load_for(&self.config.embodiment, &dir).map(Some).map_err(|e| e.to_string())
    }

    /// Fetches a version into a folder beside `dir` and moves it there whole.
    fn fetch(&self, latest: &api::Policy, dir: &Path) -> Result<(), String> {
        let partial = self.config.policies_dir.join(format!("{}.part", latest.version));
        std::fs::create_dir_all(&partial).map_err(|e| format!("{}: {e}", partial.display()))?;
        for file in [policy::MANIFEST_FILE, policy::WEIGHTS_FILE] {
            let content = self.client.policy_file(&latest.version, file, policy::MAX_WEIGHTS_BYTES + 1);
            let content = content.map_err(|e| e.to_string())?;
            std::fs::write(partial.join(file), content).map_err(|e| format!("{}: {e}", partial.display()))?;
        }
        std::fs::rename(&partial, dir).map_err(|e| format!("{}: {e}", dir.display()))
    }
}

/// File beside the fetched policies that names the one in use: files' times are no order when the clock was set back.
const CURRENT: &str = ".current";

/// The next start begins with this version.
pub fn remember_policy(policies_dir: &Path, version: &PolicyVersion) {
    let part = policies_dir.join(".current.part");
    let written =
        std::fs::write(&part, version.as_str()).and_then(|()| std::fs::rename(&part, policies_dir.join(CURRENT)));
    if let Err(error) = written {
        tracing::warn!(%error, %version, "the next start may begin with another policy");
    }
}

/// Folder of the policy that was in use last, if that is known.
#[must_use]
pub fn remembered_policy(policies_dir: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(policies_dir.join(CURRENT)).ok()?;
    let folder = policies_dir.join(PolicyVersion::new(text.trim()).ok()?.as_str());
    folder.join(policy::MANIFEST_FILE).exists().then_some(folder)
}

/// A control plane that is started together with the vehicle needs a moment.
const FIRST_WARNING: Duration = Duration::from_secs(1);

/// The newest published policy of a control plane that may still be starting: tried until `timeout`.
#[must_use]
pub fn first_policy(config: &ControlPlaneSyncConfig, current: PolicyVersion, timeout: Duration) -> Option<Policy> {
    let sync = ControlPlaneSync::new(config.clone(), Vec::new(), current);
    let started = Instant::now();
    let until = started + timeout;
    let mut told = false;
    loop {
        match sync.fetch_update() {
            Ok(policy) => return policy,
            Err(why) if Instant::now() >= until => {
                tracing::warn!(%why, "no policy from the control plane");
                return None;
            }
            Err(why) => {
                if !told && started.elapsed() >= FIRST_WARNING {
                    let url = &config.control_plane;
                    tracing::warn!(
                        "the control plane at {url} does not answer: {why}; trying on for {} s, then driving without its \
                         policy (is that its address? `takeover web` starts one)",
                        timeout.as_secs()
                    );
                    told = true;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
}

/// What the vehicle registers with.
#[must_use]
pub fn description(vehicle: VehicleId, embodiment: &str, map: &str) -> VehicleRegistration {
    VehicleRegistration {
        vehicle,
        embodiment: embodiment.to_owned(),
        kind: "live".into(),
        map: map.to_owned(),
        software: concat!("takeover ", env!("CARGO_PKG_VERSION")).into(),
    }
}

/// All disengagements in the journal, or none with a warning.
#[must_use]
pub fn earlier_disengagements(journal: &Journal) -> Vec<Disengagement> {
    journal.disengagements().unwrap_or_else(|error| {
        tracing::error!(%error, "earlier disengagements cannot be read");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::geofence_orders::GeofenceOrders;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    /// Confirms everything and says what was asked for; `at_policies` runs before that is answered.
    fn plane(listener: &TcpListener, asked: &crossbeam_channel::Sender<String>, at_policies: &mut dyn FnMut()) {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            reader.read_line(&mut line).unwrap();
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            loop {
                line.clear();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                if let Some((name, value)) =
                    line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                {
                    length = value.trim().parse().unwrap_or_else(|_| panic!("{name}: {value}"));
                }
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let status = if path.ends_with("latest") { "404 Not Found" } else { "200 OK" };
            if path.ends_with("latest") {
                at_policies();
            }
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{{\"stored\":true}}");
            (&stream).write_all(answer.as_bytes()).unwrap();
            if asked.send(path).is_err() {
                return;
            }
        }
    }

    #[test]
    fn a_takeovers_entry_goes_out_before_the_next_round() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (asked, paths) = crossbeam_channel::unbounded();
        let (entries_in, entries) = crossbeam_channel::unbounded();
        let version = PolicyVersion::new("v0").unwrap();
        let vehicle = VehicleId::new("car-1").unwrap();
        let entry = Disengagement {
            id: protocol::EpisodeId::new("car-1-1").unwrap(),
            vehicle: vehicle.clone(),
            policy: version.clone(),
            cause: "safety".into(),
            at_ms: 1,
            map: "soderleden".into(),
            clock_ahead_ms: None,
        };
        // The last thing in a round: the entry is there when the wait for the next begins.
        let mut entry = Some(entry);
        let mut at_policies = move || {
            if let Some(entry) = entry.take() {
                entries_in.send(entry).unwrap();
            }
        };
        std::thread::spawn(move || plane(&listener, &asked, &mut at_policies));
        let shared = Arc::new(SharedStatus::default());
        shared.figures.lock().unwrap().status = Some(VehicleStatus {
            vehicle: vehicle.clone(),
            mode: "drive".into(),
            author: "operator".into(),
            speed_mps: 0.0,
            policy: version.clone(),
            round_trip_ms: None,
            refused: BTreeMap::new(),
            timing: None,
            upload: None,
            clock: None,
            geofence_serial: None,
        });
        let config = ControlPlaneSyncConfig {
            control_plane: address.parse().unwrap(),
            vehicle: description(vehicle, "ackermann_car", "soderleden"),
            policies_dir: PathBuf::new(),
            embodiment: Embodiment::ackermann_car(),
        };
        let (updates, _updates) = crossbeam_channel::unbounded();
        let folder = tempfile::tempdir().unwrap();
        let orders = GeofenceOrders::open(folder.path(), config.vehicle.vehicle.clone(), None).unwrap();
        let receiver = GeofenceReceiver::new(orders, || None, |_| ());
        let sync = ControlPlaneSync::new(config, Vec::new(), version);
        let worker = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || sync.run(&shared, receiver, &entries, &updates)
        });
        let said: Vec<String> = paths.iter().take(4).collect();
        shared.stop.store(true, Ordering::Relaxed);
        worker.join().unwrap();
        assert_eq!(said, ["/api/v1/vehicles", "/api/v1/status", "/api/v1/policies/latest", "/api/v1/disengagements"]);
    }
}
