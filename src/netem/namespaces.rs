//! Two network namespaces: made, used and taken away again.

use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The vehicle's, where forward begins.
    Left,
    /// The seat's.
    Right,
}

/// Two network namespaces; dropping them ends every process inside and removes them.
#[derive(Debug)]
pub struct Namespaces {
    names: [String; 2],
}

const PREFIX: &str = "takeover-";
/// `CAP_NET_ADMIN` and `CAP_SYS_ADMIN` of `linux/capability.h`.
const RIGHTS: [(u32, &str); 2] = [(12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN")];
/// Between the request to end and the end.
const GRACE: Duration = Duration::from_secs(2);

/// Says what is missing to make namespaces and TUN devices, and what to do about it.
///
/// # Errors
/// When something is missing.
pub fn check_rights() -> anyhow::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status").context("network namespaces need Linux")?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or("0").trim();
    let effective = u64::from_str_radix(effective, 16).unwrap_or(0);
    if let Some((_, missing)) = RIGHTS.iter().find(|(bit, _)| effective >> bit & 1 == 0) {
        bail!(
            "the right {missing} is missing: run it as root (sudo takeover netem run ...), or in a container with \
             --cap-add NET_ADMIN --cap-add SYS_ADMIN --device /dev/net/tun; `takeover netem relay` needs no rights"
        );
    }
    if !Path::new("/dev/net/tun").exists() {
        bail!("/dev/net/tun is missing: load the driver (modprobe tun), or give the container --device /dev/net/tun");
    }
    if Command::new("ip").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        bail!("the program `ip` is missing: install the package iproute2");
    }
    Ok(())
}

/// Runs `ip` with these arguments.
///
/// # Errors
/// When it fails, with what it says.
pub fn ip(arguments: &[&str]) -> anyhow::Result<String> {
    let done = Command::new("ip").args(arguments).output().context("cannot run the program `ip`")?;
    if !done.status.success() {
        bail!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

impl Namespaces {
    /// Makes two with names of their own. Removes those that a killed process left behind.
    ///
    /// # Errors
    /// When rights or programs are missing.
    pub fn make() -> anyhow::Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        check_rights()?;
        remove_orphans();
        let stem = format!("{PREFIX}{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let made = Self { names: [format!("{stem}-a"), format!("{stem}-b")] };
        for name in &made.names {
            ip(&["netns", "add", name])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
        }
        Ok(made)
    }

    /// Its name, as in `ip netns exec NAME`.
    #[must_use]
    pub fn name(&self, side: Side) -> &str {
        &self.names[side as usize]
    }

    /// Where it can be entered.
    #[must_use]
    pub fn path(&self, side: Side) -> PathBuf {
        Path::new("/run/netns").join(self.name(side))
    }

    /// A command that runs `program` inside.
    #[must_use]
    pub fn command(&self, side: Side, program: &std::ffi::OsStr) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.name(side)]).arg(program);
        command
    }

    fn pids(&self) -> Vec<i32> {
        let lists = self.names.iter().filter_map(|name| ip(&["netns", "pids", name]).ok());
        lists.flat_map(|list| list.lines().filter_map(|pid| pid.trim().parse().ok()).collect::<Vec<i32>>()).collect()
    }

    /// Ends every process inside: politely first.
    pub fn end_processes(&self) {
        let start = Instant::now();
        let mut asked = false;
        loop {
            let pids = self.pids();
            if pids.is_empty() {
                return;
            }
            let too_late = start.elapsed() > GRACE;
            if !asked || too_late {
                pids.iter().for_each(|pid| super::sys::end_process(*pid, too_late));
                asked = true;
            }
            if start.elapsed() > GRACE * 2 {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.end_processes();
        for name in &self.names {
            if Path::new("/run/netns").join(name).exists()
                && let Err(error) = ip(&["netns", "delete", name])
            {
                tracing::warn!(%error, "namespace left behind");
            }
        }
    }
}

/// Namespaces whose maker is gone.
fn remove_orphans() {
    let Ok(list) = std::fs::read_dir("/run/netns") else { return };
    for name in list.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if maker.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = ip(&["netns", "delete", &name]);
        }
    }
}
