//! The demo's other processes: control plane, bridge, operator. Each is a process of its own, as in the field, and is
//! started again when it dies.

use anyhow::Context;
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a child gets to finish its files before it is killed.
const GRACE: Duration = Duration::from_secs(15);

/// Watches over the children until stopped.
pub struct Children {
    supervisors: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

struct Job {
    name: &'static str,
    arguments: Vec<String>,
    log: std::path::PathBuf,
    /// Between death and the next start.
    pause: Duration,
}

impl Job {
    fn spawn(&self) -> anyhow::Result<Child> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        // The open pipe tells the child that this process lives; it closes even when this process is killed.
        let child = Command::new(program)
            .args(&self.arguments)
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn();
        child.with_context(|| format!("cannot start the {}", self.name))
    }

    fn keep(&self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let mut child = match self.spawn() {
                Ok(child) => child,
                Err(error) => {
                    note!("takeover: {error:#}");
                    return;
                }
            };
            while !stop.load(Ordering::Relaxed) && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(50));
            }
            if stop.load(Ordering::Relaxed) {
                end(&mut child);
                return;
            }
            tracing::warn!(name = self.name, log = %self.log.display(), "ended; starting it again");
            std::thread::sleep(self.pause);
        }
    }
}

/// Closes the child's input, waits for it to finish, kills it when it does not.
fn end(child: &mut Child) {
    drop(child.stdin.take());
    let until = Instant::now() + GRACE;
    while Instant::now() < until {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
}

impl Children {
    /// Starts them: the control plane at `address`, and a live car with its operator when wanted.
    pub fn start(
        data: &Path,
        address: SocketAddr,
        seed: u64,
        live_car: bool,
        stop: &Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        let plane = format!("http://{address}");
        let mut jobs = vec![Job {
            name: "control plane",
            arguments: vec!["web".into(), format!("--addr={address}"), format!("--data={}", text(data.to_owned()))],
            log: data.join("logs/control-plane.log"),
            pause: Duration::from_millis(500),
        }];
        if live_car {
            jobs.push(Job {
                name: "bridge",
                arguments: vec![
                    "bridge".into(),
                    format!("--control-plane={plane}"),
                    "--vehicle=car-1".into(),
                    "--road=soderleden".into(),
                    format!("--data={}", text(data.join("vehicles/car-1"))),
                    format!("--seed={seed}"),
                ],
                log: data.join("logs/car-1.log"),
                pause: Duration::from_millis(500),
            });
            jobs.push(Job {
                name: "operator",
                arguments: vec!["operator".into(), format!("--control-plane={plane}"), "--vehicle=car-1".into()],
                log: data.join("logs/operator.log"),
                // Long enough for the car to stop and for people to see that it did.
                pause: Duration::from_secs(5),
            });
        }
        let keep = |job: Job| {
            let stop = Arc::clone(stop);
            std::thread::Builder::new().name(job.name.into()).spawn(move || job.keep(&stop))
        };
        let supervisors = jobs.into_iter().map(keep).collect::<Result<_, _>>()?;
        Ok(Self { supervisors, stop: Arc::clone(stop) })
    }

    /// Ends all of them and waits.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for supervisor in self.supervisors {
            let _ = supervisor.join();
        }
    }
}
