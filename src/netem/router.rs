//! Two namespaces with TUN devices, and between them the model.

use super::namespaces::{Namespaces, Side, ip};
use super::sys;
use anyhow::Context;
use link::netem::PathSpec;
use link::netem::shell::{POLL_TIMEOUT, Port, Shell, ShellStats};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

/// A TUN device, to be read by one thread and written by another.
struct Tun(File);

impl Port for Tun {
    fn recv(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if sys::wait_readable(self.0.as_fd(), POLL_TIMEOUT)? { (&self.0).read(buffer).map(Some) } else { Ok(None) }
    }

    fn send(&self, packet: &[u8]) -> io::Result<()> {
        (&self.0).write(packet).map(|_| ())
    }
}

/// One or two paths between two namespaces. Path `n` (from 0) has the addresses 10.77.`n + 1`.1 on the left and .2 on
/// the right.
#[derive(Debug)]
pub struct Router {
    // Dropped in this order: packets stop before the devices' namespaces go.
    shells: Vec<Shell>,
    /// The two ends.
    pub namespaces: Namespaces,
}

impl Router {
    /// Makes the namespaces and starts the paths; each path has its own seed.
    ///
    /// # Errors
    /// When rights are missing or a device cannot be made.
    pub fn start(paths: &[PathSpec], seed: u64) -> anyhow::Result<Self> {
        let mut router = Self { shells: Vec::new(), namespaces: Namespaces::make()? };
        for (n, spec) in paths.iter().enumerate() {
            let left = Arc::new(router.device(Side::Left, n)?);
            let right = Arc::new(router.device(Side::Right, n)?);
            let seed = seed.wrapping_add((n as u64) << 32);
            router.shells.push(Shell::start(spec, seed, left, right, sys::on_time)?);
        }
        Ok(router)
    }

    /// The address of a side on a path.
    #[must_use]
    pub fn address(side: Side, path: usize) -> String {
        format!("10.77.{}.{}", path + 1, side as usize + 1)
    }

    /// Takes a side's address on a path away and gives it another one: `number` from 1 on, 0 for the one it began with.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub fn readdress(&self, side: Side, path: usize, number: u8) -> anyhow::Result<()> {
        let (namespace, device) = (self.namespaces.name(side), format!("path{path}"));
        let host = if number == 0 { side as usize + 1 } else { 100 * (side as usize + 1) + usize::from(number) % 50 };
        ip(&["-n", namespace, "address", "flush", "dev", &device])?;
        ip(&["-n", namespace, "address", "add", &format!("10.77.{}.{host}/24", path + 1), "dev", &device])?;
        if path == 0 {
            // It went with the last address.
            ip(&["-n", namespace, "route", "replace", "default", "dev", &device])?;
        }
        Ok(())
    }

    /// The IPv6 address of a side on a path, after [`Self::only_ipv6`].
    #[must_use]
    pub fn ipv6_address(side: Side, path: usize) -> String {
        format!("fd77:{}::{}", path + 1, side as usize + 1)
    }

    /// Takes every IPv4 address away from both sides, that of loopback included, and gives them IPv6 addresses: machines
    /// of a network that has nothing else.
    ///
    /// # Errors
    /// When `ip` or the kernel refuses.
    pub fn only_ipv6(&self) -> anyhow::Result<()> {
        for side in [Side::Left, Side::Right] {
            let namespace = self.namespaces.name(side);
            for path in 0..self.shells.len() {
                let device = format!("path{path}");
                let setting = format!("/proc/sys/net/ipv6/conf/{device}/disable_ipv6");
                sys::in_namespace(&self.namespaces.path(side), || std::fs::write(&setting, "0"))
                    .with_context(|| format!("cannot write {setting} in {namespace}"))?;
                ip(&["-n", namespace, "-4", "address", "flush", "dev", &device])?;
                let address = format!("{}/64", Self::ipv6_address(side, path));
                // There is nobody to ask whether the address is taken, and asking takes a second.
                ip(&["-n", namespace, "address", "add", &address, "dev", &device, "nodad"])?;
            }
            ip(&["-n", namespace, "-6", "route", "replace", "default", "dev", "path0"])?;
            ip(&["-n", namespace, "-4", "address", "flush", "dev", "lo"])?;
        }
        Ok(())
    }

    /// Counts of each path.
    #[must_use]
    pub fn stats(&self) -> Vec<ShellStats> {
        self.shells.iter().map(Shell::stats).collect()
    }

    /// Since the paths' zero.
    #[must_use]
    pub fn elapsed(&self) -> std::time::Duration {
        self.shells.first().map(Shell::elapsed).unwrap_or_default()
    }

    fn device(&self, side: Side, n: usize) -> anyhow::Result<Tun> {
        let (namespace, device) = (self.namespaces.name(side), format!("path{n}"));
        let file = sys::in_namespace(&self.namespaces.path(side), || {
            // Without this the kernel sends its own packets (router solicitations) that nobody asked for.
            let _ = std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
            sys::open_tun(&device)
        })
        .with_context(|| format!("cannot make the TUN device {device} in {namespace}"))?;
        let address = format!("{}/24", Self::address(side, n));
        ip(&["-n", namespace, "address", "add", &address, "dev", &device])?;
        ip(&["-n", namespace, "link", "set", &device, "mtu", "1500", "txqueuelen", "2000", "up"])?;
        if n == 0 {
            // Programs that join a multicast group (mDNS) need some route for it, as every connected machine has.
            ip(&["-n", namespace, "route", "add", "default", "dev", &device])?;
        }
        Ok(Tun(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netem::namespaces::check_rights;
    use std::net::UdpSocket;
    use std::time::{Duration, Instant};

    fn socket(router: &Router, side: Side, path: usize) -> UdpSocket {
        let address = (Router::address(side, path), 0);
        let socket =
            sys::in_namespace(&router.namespaces.path(side), || UdpSocket::bind((address.0.as_str(), address.1)));
        let socket = socket.unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket
    }

    #[test]
    fn packets_between_namespaces_take_the_path_and_nothing_stays_behind() {
        if let Err(error) = check_rights() {
            eprintln!("not run here: {error}");
            return;
        }
        let paths = ["both = { delay_ms = 12 }", "forward = { loss_percent = 100 }"];
        let router = Router::start(&paths.map(|text| PathSpec::from_toml(text).unwrap()), 1).unwrap();
        let (left, right) = (socket(&router, Side::Left, 0), socket(&router, Side::Right, 0));
        let mut buffer = [0; 2000];
        for n in 0..20u8 {
            let sent = Instant::now();
            left.send_to(&[n; 1200], right.local_addr().unwrap()).unwrap();
            let (length, from) = right.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..length], from), ([n; 1200].as_slice(), left.local_addr().unwrap()));
            assert!(sent.elapsed() >= Duration::from_millis(12));
            right.send_to(&[n], from).unwrap();
            assert_eq!(left.recv(&mut buffer).unwrap(), 1);
            assert!(sent.elapsed() >= Duration::from_millis(24));
        }
        // The second path swallows everything one way and nothing the other.
        let (left, right) = (socket(&router, Side::Left, 1), socket(&router, Side::Right, 1));
        (0..10).for_each(|_| _ = left.send_to(&[1], right.local_addr().unwrap()).unwrap());
        right.send_to(&[2], left.local_addr().unwrap()).unwrap();
        assert_eq!(left.recv(&mut buffer).unwrap(), 1);
        let stats = router.stats();
        assert_eq!((stats[0].forward.delivered, stats[0].backward.delivered, stats[0].errors), (20, 20, 0));
        assert_eq!((stats[1].forward.delivered, stats[1].backward.delivered), (0, 1));

        let mut sleeper = router.namespaces.command(Side::Right, "sleep".as_ref()).arg("60").spawn().unwrap();
        let names = [Side::Left, Side::Right].map(|side| router.namespaces.path(side));
        // `ip netns exec` becomes the program only after it has entered.
        let inside = || ip(&["netns", "pids", router.namespaces.name(Side::Right)]).unwrap().trim() != "";
        while !inside() {
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(router);
        assert!(!sleeper.wait().unwrap().success(), "what ran inside has been ended");
        assert!(names.iter().all(|name| !name.exists()));
    }
}
