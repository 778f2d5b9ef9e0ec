//! What the end-to-end tests share: the built programs, their processes, the Python judges.

pub mod attack;
mod browser;
pub mod documents;
mod fake_clock;
mod proxy;
mod raw_seat;
pub mod rehearsal;
mod site;

pub use browser::{Page, headless};
pub use fake_clock::FakeClock;
pub use proxy::SeatProxy;
pub use raw_seat::RawSeat;
pub use site::{CAR, Site};

use anyhow::{Context, bail};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program `name` that was built beside this test.
///
/// # Errors
/// When it was not built.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("the test lies in no target folder")?;
    let path = folder.join(name);
    if !path.exists() {
        bail!("{} is missing; run `cargo build --release --workspace --all-targets` first", path.display());
    }
    Ok(path)
}

/// A port of this machine that nobody listens on.
///
/// # Errors
/// When there is none.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A process that ends with the test.
pub struct Process(Child);

impl Process {
    /// Starts `takeover` with these arguments; what it prints goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn takeover(arguments: &[String], log: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(program("takeover")?);
        command.args(arguments);
        Self::spawn(command, log)
    }

    /// Starts any program; what it prints goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot run {command:?}; `make test` installs it"))?;
        Ok(Self(child))
    }

    /// Sends a signal by its name, such as `STOP`.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        run(Command::new("kill").arg(format!("-{name}")).arg(self.0.id().to_string())).map(drop)
    }

    /// Its status, once it has ended by itself.
    pub fn has_ended(&mut self) -> Option<std::process::ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    /// SIGKILL, without a chance to finish anything.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Calls `look` until it answers something, at most `timeout` long.
///
/// # Errors
/// When it never does, naming `what`.
pub fn wait_for<T>(what: &str, timeout: Duration, mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let until = Instant::now() + timeout;
    while Instant::now() < until {
        if let Some(found) = look() {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("{what}: not within {timeout:?}")
}

/// A Python with the judges' packages, made once in the home directory.
///
/// # Errors
/// When Python or the packages cannot be had.
pub fn python() -> anyhow::Result<PathBuf> {
    const PACKAGES: [&str; 9] = [
        "mcap>=1.3,<2",
        "mcap-protobuf-support>=0.5,<1",
        "av>=13",
        "aiortc>=1.13,<2",
        "websockets>=13",
        "rerun-sdk>=0.41",
        "rosbags>=0.10,<1",
        "pyarrow>=20",
        "moto[server]>=5,<6",
    ];
    let cache = cache()?;
    let lock = std::fs::File::create(cache.join("python.lock"))?;
    lock.lock()?;
    let folder = cache.join("python");
    let python = folder.join("bin/python");
    let ready = folder.join("ready");
    if std::fs::read_to_string(&ready).unwrap_or_default() != PACKAGES.join("\n") {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
        std::fs::write(&ready, PACKAGES.join("\n"))?;
    }
    Ok(python)
}

/// A Python with the package in `python/`, installed as its users do, and what its example drives; made once in the home
/// directory, the package each time.
///
/// # Errors
/// When Python or the packages cannot be had.
pub fn robot_python() -> anyhow::Result<PathBuf> {
    // setuptools, which builds the package: no version of Python after 3.11 brings it along.
    const PACKAGES: [&str; 5] =
        ["numpy>=1.24", "protobuf>=4.22", "gymnasium>=1.1,<2", "highway-env>=1.12,<2", "setuptools>=68"];
    let cache = cache()?;
    let lock = std::fs::File::create(cache.join("robot-python.lock"))?;
    lock.lock()?;
    let folder = cache.join("robot-python");
    let python = folder.join("bin/python");
    let ready = folder.join("ready");
    let install = || {
        let mut command = Command::new(&python);
        command.args(["-m", "pip", "install", "--quiet"]);
        command
    };
    if std::fs::read_to_string(&ready).unwrap_or_default() != PACKAGES.join("\n") {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(install().args(PACKAGES))?;
        std::fs::write(&ready, PACKAGES.join("\n"))?;
    }
    // From a copy, since a build leaves files beside the sources.
    let (source, copy) = (documents::root().join("python"), tempfile::tempdir()?);
    run(Command::new("cp").arg("-r").arg(source).arg(copy.path()))?;
    let package = copy.path().join("python");
    run(install().args(["--no-deps", "--no-build-isolation", "--force-reinstall"]).arg(package))?;
    Ok(python)
}

/// Where judges are installed, once for all tests.
fn cache() -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    let cache = Path::new(&home).join(".cache/takeover");
    std::fs::create_dir_all(&cache)?;
    Ok(cache)
}

/// Runs the script `name` of `peers/node` with npm's judges, which are installed once in the home directory, and
/// returns the JSON that it prints.
///
/// # Errors
/// When Node.js or the packages cannot be had, or the script fails, with what it printed.
pub fn node(name: &str, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/node");
    let folder = cache()?.join("node");
    std::fs::create_dir_all(&folder)?;
    let wanted = std::fs::read_to_string(scripts.join("package.json"))?;
    let ready = folder.join("ready");
    {
        let lock = std::fs::File::create(folder.with_extension("lock"))?;
        lock.lock()?;
        if std::fs::read_to_string(&ready).unwrap_or_default() != wanted {
            std::fs::write(folder.join("package.json"), &wanted)?;
            let install = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
            run(Command::new("npm").args(install).current_dir(&folder))?;
            std::fs::write(&ready, wanted)?;
        }
    }
    let mut command = Command::new("node");
    command.arg(scripts.join(name)).arg(&folder).args(arguments);
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{name} printed no JSON"))
}

/// A real person's face to look for: the picture of the astronaut Eileen Collins (NASA, public domain) that comes with
/// the package `scikit-image`, unpacked once beside the judges' packages.
///
/// # Errors
/// When the package cannot be had.
pub fn picture_of_a_face() -> anyhow::Result<PathBuf> {
    let (python, cache) = (python()?, cache()?);
    let lock = std::fs::File::create(cache.join("python.lock"))?;
    lock.lock()?;
    let folder = cache.join("pictures");
    let picture = folder.join("skimage/data/astronaut.png");
    if !picture.exists() {
        let arguments = ["-m", "pip", "install", "--quiet", "--no-deps", "--target"];
        run(Command::new(python).args(arguments).arg(&folder).arg("scikit-image>=0.24"))?;
    }
    Ok(picture)
}

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// When it fails, with what it printed.
pub fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{command:?} failed: {text}");
    }
    Ok(text)
}
