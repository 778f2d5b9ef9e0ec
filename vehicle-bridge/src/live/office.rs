//! The vehicle's correspondence with the control plane, on a thread of its own: sign-up, miles, disengagements,
//! status, and policy updates (episodes go another way: [`crate::upload`]). Everything is repeated until it is answered;
//! nothing here can hold up the control thread.

use super::journal::Journal;
use super::wall_clock::VehicleWallClock;
use crate::ledger::Metres;
use crate::upload::uploader::Board;
use crossbeam_channel::RecvTimeoutError;
use policy::Policy;
use protocol::api::{self, Disengagement, Mileage, StatusAnswer, VehicleSignUp, VehicleStatus};
use protocol::{PolicyVersion, VehicleId};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Figures and status go out this often, and an update is looked for every second time.
const ROUND: Duration = Duration::from_secs(1);
/// How soon a stop is noticed.
const LOOK: Duration = Duration::from_millis(100);

/// The newest figures from the control thread.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Metres by policy version.
    pub metres: BTreeMap<PolicyVersion, Metres>,
    /// For people.
    pub status: Option<VehicleStatus>,
}

/// What the control thread and the office share; every lock is held for a copy only.
#[derive(Debug, Default)]
pub struct Desk {
    /// Latest figures.
    pub figures: Mutex<Figures>,
    /// How the uploads are.
    pub uploads: Option<Arc<Board>>,
    /// How the wall clock stands to the control plane's.
    pub clock: VehicleWallClock,
    /// Ends the office.
    pub stop: AtomicBool,
}

/// Sent to the control thread: a policy to take into use.
pub type Update = Box<Policy>;

/// The office's own settings.
#[derive(Debug, Clone)]
pub struct OfficeConfig {
    /// `http://host:port`.
    pub control_plane: String,
    /// The vehicle's description.
    pub sign_up: VehicleSignUp,
    /// Where fetched policies are kept.
    pub policies_dir: PathBuf,
}

/// See the module.
pub struct Office {
    config: OfficeConfig,
    agent: ureq::Agent,
    outbox: VecDeque<Disengagement>,
    sent: BTreeMap<PolicyVersion, Metres>,
    current: PolicyVersion,
}

/// A letter that the control plane refuses for good (4xx) is not sent again.
enum Outcome {
    Done,
    Refused(String),
    Unreachable,
}

impl Office {
    /// An office that repeats what earlier runs may not have delivered: all `disengagements` on disk.
    #[must_use]
    pub fn new(config: OfficeConfig, disengagements: Vec<Disengagement>, current: PolicyVersion) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .http_status_as_error(false)
            .build()
            .into();
        Self { config, agent, outbox: disengagements.into(), sent: BTreeMap::new(), current }
    }

    /// Works until the desk says stop, then once more. `disengagements` brings new ones; `updates` takes policies to
    /// the control thread.
    pub fn run(
        mut self,
        desk: &Desk,
        disengagements: &crossbeam_channel::Receiver<Disengagement>,
        updates: &crossbeam_channel::Sender<Update>,
    ) {
        let mut signed_up = false;
        let mut round = 0u32;
        loop {
            let last = desk.stop.load(Ordering::Relaxed);
            self.outbox.extend(disengagements.try_iter());
            signed_up = (signed_up && !round.is_multiple_of(10)) || self.sign_up();
            if signed_up {
                self.send_figures(desk);
                self.send_letters();
                if !last && round.is_multiple_of(2) {
                    self.look_for_update(updates);
                }
            }
            // Also while nobody answers: the vehicle's clock may be set meanwhile.
            desk.clock.tell();
            if last {
                return;
            }
            round = round.wrapping_add(1);
            self.wait(desk, disengagements, signed_up);
        }
    }

    /// Until the next round, unless the desk says stop. A takeover's entry goes out as it comes.
    fn wait(&mut self, desk: &Desk, disengagements: &crossbeam_channel::Receiver<Disengagement>, signed_up: bool) {
        let until = Instant::now() + ROUND;
        while Instant::now() < until && !desk.stop.load(Ordering::Relaxed) {
            match disengagements.recv_timeout(LOOK.min(until.saturating_duration_since(Instant::now()))) {
                Ok(letter) => {
                    self.outbox.push_back(letter);
                    if signed_up {
                        self.send_letters();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
            }
        }
    }

    fn sign_up(&self) -> bool {
        matches!(self.post("vehicles", &self.config.sign_up), Outcome::Done)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.config.control_plane.trim_end_matches('/'))
    }

    fn post(&self, path: &str, body: &impl Serialize) -> Outcome {
        let url = self.url(path);
        match self.agent.post(&url).send_json(body) {
            Ok(answer) if answer.status().is_success() => Outcome::Done,
            Ok(mut answer) if answer.status().is_client_error() => {
                Outcome::Refused(answer.body_mut().read_to_string().unwrap_or_default())
            }
            Ok(_) | Err(_) => Outcome::Unreachable,
        }
    }

    fn send_figures(&mut self, desk: &Desk) {
        let figures = desk.figures.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(status) = figures.status {
            let upload = desk.uploads.as_ref().map(|board| board.progress());
            self.send_status(&VehicleStatus { upload, ..status }, &desk.clock);
        }
        for (policy, metres) in figures.metres {
            if self.sent.get(&policy) == Some(&metres) {
                continue;
            }
            let mileage = Mileage {
                vehicle: self.config.sign_up.vehicle.clone(),
                policy: policy.clone(),
                autonomous_m: metres.autonomous_m,
                manual_m: metres.manual_m,
            };
            if matches!(self.post("mileage", &mileage), Outcome::Done) {
                self.sent.insert(policy, metres);
            }
        }
    }

    /// The answer tells the control plane's time.
    fn send_status(&self, status: &VehicleStatus, clock: &VehicleWallClock) {
        let url = self.url("status");
        let sent_us = clock.now_us();
        let Ok(mut answer) = self.agent.post(&url).send_json(status) else { return };
        let received_us = clock.now_us();
        // A control plane of an earlier release does not tell it.
        if let Ok(StatusAnswer { unix_us, .. }) = answer.body_mut().read_json() {
            clock.exchange(sent_us, unix_us, received_us);
        }
    }

    fn send_letters(&mut self) {
        while let Some(letter) = self.outbox.front() {
            match self.post("disengagements", letter) {
                Outcome::Done => {}
                Outcome::Refused(why) => tracing::error!(%why, "an entry is not delivered"),
                Outcome::Unreachable => return,
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
                let _ = updates.send(Box::new(policy));
            }
            Ok(None) => {}
            Err(why) => tracing::warn!(%why, "no policy update"),
        }
    }

    fn fetch_update(&self) -> Result<Option<Policy>, String> {
        let url = format!("{}/api/v1/policies/latest", self.config.control_plane.trim_end_matches('/'));
        let mut answer = self.agent.get(&url).call().map_err(|e| e.to_string())?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let latest: api::Policy = answer.body_mut().read_json().map_err(|e| e.to_string())?;
        if latest.version == self.current {
            return Ok(None);
        }
        let dir = self.config.policies_dir.join(latest.version.as_str());
        if !dir.exists() {
            self.fetch(&latest, &dir)?;
        }
        Policy::load(&dir).map(Some).map_err(|e| e.to_string())
    }

    /// Fetches a version into a folder beside `dir` and moves it there whole.
    fn fetch(&self, latest: &api::Policy, dir: &std::path::Path) -> Result<(), String> {
        let partial = self.config.policies_dir.join(format!("{}.part", latest.version));
        std::fs::create_dir_all(&partial).map_err(|e| format!("{}: {e}", partial.display()))?;
        for file in [policy::MANIFEST_FILE, policy::WEIGHTS_FILE] {
            let base = self.config.control_plane.trim_end_matches('/');
            let url = format!("{base}/api/v1/policies/{}/{file}", latest.version);
            let mut answer = self.agent.get(&url).call().map_err(|e| e.to_string())?;
            if !answer.status().is_success() {
                return Err(format!("{url}: {}", answer.status()));
            }
            let body = answer.body_mut().with_config().limit(policy::MAX_WEIGHTS_BYTES + 1).read_to_vec();
            let body = body.map_err(|e| e.to_string())?;
            std::fs::write(partial.join(file), body).map_err(|e| format!("{}: {e}", partial.display()))?;
        }
        std::fs::rename(&partial, dir).map_err(|e| format!("{}: {e}", dir.display()))
    }
}

/// File beside the fetched policies that names the one in use: files' times are no order when the clock was set back.
const CURRENT: &str = ".current";

/// The next start begins with this version.
pub fn remember_policy(policies_dir: &std::path::Path, version: &PolicyVersion) {
    let part = policies_dir.join(".current.part");
    let written =
        std::fs::write(&part, version.as_str()).and_then(|()| std::fs::rename(&part, policies_dir.join(CURRENT)));
    if let Err(error) = written {
        tracing::warn!(%error, %version, "the next start may begin with another policy");
    }
}

/// Folder of the policy that was in use last, if that is known.
#[must_use]
pub fn remembered_policy(policies_dir: &std::path::Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(policies_dir.join(CURRENT)).ok()?;
    let folder = policies_dir.join(PolicyVersion::new(text.trim()).ok()?.as_str());
    folder.join(policy::MANIFEST_FILE).exists().then_some(folder)
}

/// A control plane that is started together with the vehicle needs a moment.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// The newest published policy of a control plane that may still be starting: tried for `patience`.
#[must_use]
pub fn first_policy(config: &OfficeConfig, current: PolicyVersion, patience: Duration) -> Option<Policy> {
    let office = Office::new(config.clone(), Vec::new(), current);
    let started = std::time::Instant::now();
    let until = started + patience;
    let mut told = false;
    loop {
        match office.fetch_update() {
            Ok(policy) => return policy,
            Err(why) if std::time::Instant::now() >= until => {
                tracing::warn!(%why, "no policy from the control plane");
                return None;
            }
            Err(why) => {
                if !told && started.elapsed() >= FIRST_WORD {
                    let url = &config.control_plane;
                    tracing::warn!(
                        "the control plane at {url} does not answer: {why}; trying on for {} s, then driving without its \
                         policy (is that its address? `takeover web` starts one)",
                        patience.as_secs()
                    );
                    told = true;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
}

/// The vehicle's own sign-up.
#[must_use]
pub fn sign_up(vehicle: VehicleId, embodiment: &str, map: &str) -> VehicleSignUp {
    VehicleSignUp {
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
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    /// Answers everything with an empty object and says what was asked for; `at_policies` runs before that is answered.
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
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
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
        let (letters_in, letters) = crossbeam_channel::unbounded();
        let version = PolicyVersion::new("v0").unwrap();
        let vehicle = VehicleId::new("car-1").unwrap();
        let letter = Disengagement {
            id: protocol::EpisodeId::new("car-1-1").unwrap(),
            vehicle: vehicle.clone(),
            policy: version.clone(),
            cause: "safety".into(),
            at_ms: 1,
            map: "soderleden".into(),
            clock_ahead_ms: None,
        };
        // The last thing in a round: the letter is there when the office begins to wait for the next.
        let mut letter = Some(letter);
        let mut at_policies = move || {
            if let Some(letter) = letter.take() {
                letters_in.send(letter).unwrap();
            }
        };
        std::thread::spawn(move || plane(&listener, &asked, &mut at_policies));
        let desk = Arc::new(Desk::default());
        desk.figures.lock().unwrap().status = Some(VehicleStatus {
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
        });
        let config = OfficeConfig {
            control_plane: address,
            sign_up: sign_up(vehicle, "ackermann_car", "soderleden"),
            policies_dir: PathBuf::new(),
        };
        let (updates, _updates) = crossbeam_channel::unbounded();
        let office = Office::new(config, Vec::new(), version);
        let worker = std::thread::spawn({
            let desk = Arc::clone(&desk);
            move || office.run(&desk, &letters, &updates)
        });
        let said: Vec<String> = paths.iter().take(4).collect();
        desk.stop.store(true, Ordering::Relaxed);
        worker.join().unwrap();
        assert_eq!(said, ["/api/v1/vehicles", "/api/v1/status", "/api/v1/policies/latest", "/api/v1/disengagements"]);
    }
}
