//! Ways to the other side: local network interfaces that are used at the same time.

use crate::LinkError;
use nix::net::if_::InterfaceFlags;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Most paths at once.
pub const MAX_PATHS: usize = 3;

/// Network interfaces that a session uses at once, each by a connection of its own that carries everything: when one
/// goes dead, nothing is missing. None given: one connection over whatever the system's routes choose.
///
/// Packets leave by the interface that the routing table chooses for their source address, so each interface needs a
/// route of its own (`ip rule add from ADDRESS table N`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths(Vec<String>);

impl Paths {
    /// Paths over these interfaces, by name (`wwan0`) or local address.
    ///
    /// # Errors
    /// [`LinkError::Paths`]: more than [`MAX_PATHS`], an empty name, or one twice. An interface that is not there yet is
    /// no error: it is looked for each time that a connection is made.
    pub fn new(interfaces: &[String]) -> Result<Self, LinkError> {
        let error = |reason: String| Err(LinkError::Paths { reason });
        if interfaces.len() > MAX_PATHS {
            return error(format!("{} interfaces are given, {MAX_PATHS} are possible", interfaces.len()));
        }
        for (i, name) in interfaces.iter().enumerate() {
            if name.is_empty() || name.contains(char::is_whitespace) {
                return error(format!("{name:?} is neither an interface's name nor an address"));
            }
            if interfaces[..i].contains(name) {
                return error(format!("{name} is given twice; a second path needs an interface of its own"));
            }
        }
        Ok(Self(interfaces.to_vec()))
    }

    /// How many paths this side wants.
    pub(crate) fn count(&self) -> usize {
        self.0.len().max(1)
    }

    /// Local sockets of a path, as the connection's builder takes them; a side with fewer paths shares its own.
    pub(crate) fn sockets(&self, path: usize) -> Result<Vec<String>, LinkError> {
        let Some(name) = self.0.get(path % self.count()) else { return Ok(everywhere()) };
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(vec![socket(address)]);
        }
        let addresses = nix::ifaddrs::getifaddrs()
            .map_err(|e| LinkError::Paths { reason: format!("addresses of {name} cannot be read: {e}") })?;
        let sockets: Vec<_> = addresses
            .filter(|a| a.interface_name == *name && a.flags.contains(InterfaceFlags::IFF_UP))
            .filter_map(|a| ip(a.address.as_ref()?))
            .map(socket)
            .collect();
        match sockets.is_empty() {
            true => Err(LinkError::Paths { reason: format!("interface {name} is not there or has no address now") }),
            false => Ok(sockets),
        }
    }
}

/// Most sockets of a connection: each of ours is tried with each of the other side's.
const MAX_SOCKETS: usize = 16;

/// Sockets at every address of this machine, IPv4 and IPv6, those first that its routes choose by themselves. Loopback
/// too: both ends may sit on one machine.
fn everywhere() -> Vec<String> {
    let usable = usable_addresses();
    let mut addresses: Vec<IpAddr> = preferred().into_iter().filter(|ip| usable.contains(ip)).collect();
    let (loopback, others): (Vec<_>, Vec<_>) = usable.into_iter().partition(IpAddr::is_loopback);
    for ip in loopback.into_iter().chain(others) {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    addresses.truncate(MAX_SOCKETS);
    if addresses.is_empty() {
        // No interface is up: a network may come while the connection is tried.
        return [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()].map(socket).into();
    }
    addresses.into_iter().map(socket).collect()
}

/// The addresses from which the default routes send, if there are any. Connecting a UDP socket sends nothing.
fn preferred() -> Vec<IpAddr> {
    // Of the ranges kept for documentation (RFC 5737, RFC 3849): routed by default, and nobody's.
    let from = |any: IpAddr, far: IpAddr| {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((far, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let v4 = from(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let v6 = from(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into());
    v4.into_iter().chain(v6).collect()
}

/// Addresses that a socket can be bound to and a peer be told of, in the order of the interfaces.
fn usable_addresses() -> Vec<IpAddr> {
    let leaving = std::fs::read_to_string("/proc/net/if_inet6").map(|text| unusable_ipv6(&text)).unwrap_or_default();
    let addresses = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let mut found = Vec::new();
    for address in addresses.filter(|a| a.flags.contains(InterfaceFlags::IFF_UP)) {
        let Some(ip) = address.address.as_ref().and_then(ip) else { continue };
        let leaves = matches!(ip, IpAddr::V6(v6) if leaving.contains(&v6));
        if !(leaves || ip.is_unspecified() || found.contains(&ip)) {
            found.push(ip);
        }
    }
    found
}

/// IPv6 addresses that Linux lists as deprecated, or as not yet or not to be used (duplicate address detection), by the
/// text of `/proc/net/if_inet6`: address, interface, prefix length, scope, flags, name, in hexadecimal digits.
fn unusable_ipv6(table: &str) -> Vec<Ipv6Addr> {
    /// `IFA_F_DADFAILED`, `IFA_F_DEPRECATED` and `IFA_F_TENTATIVE` of `linux/if_addr.h`.
    const FLAGS: u32 = 0x08 | 0x20 | 0x40;
    let unusable = |line: &str| {
        let mut words = line.split_whitespace();
        let address = u128::from_str_radix(words.next()?, 16).ok()?;
        let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
        (flags & FLAGS != 0).then(|| Ipv6Addr::from(address))
    };
    table.lines().filter_map(unusable).collect()
}

/// All addresses of this machine now; a connection cannot leave those that it was made with.
pub(crate) fn local_addresses() -> BTreeSet<IpAddr> {
    let addresses = nix::ifaddrs::getifaddrs().into_iter().flatten();
    addresses.filter_map(|a| ip(a.address.as_ref()?)).collect()
}

fn socket(address: IpAddr) -> String {
    std::net::SocketAddr::new(address, 0).to_string()
}

/// Link-local IPv6 addresses are left out: a peer can do nothing with one without a scope, which candidates lack.
fn ip(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v6 = || address.as_sockaddr_in6().map(|a| a.ip()).filter(|ip| !ip.is_unicast_link_local()).map(IpAddr::V6);
    address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip())).or_else(v6)
}

/// Which numbered messages have come, so that each counts once whichever path it took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    newest: u64,
    /// Bit `n`: `newest - n` has come.
    window: u64,
}

/// No honest sender is this far ahead of what came last: a thousand datagrams a second for fifty days.
const MOST_AHEAD: u64 = 1 << 32;

impl Seen {
    /// Whether nobody who counts could have come to this number: taken for the newest, it would make every honest one
    /// old for as long as the session lasts.
    pub(crate) fn is_absurd(&self, number: u64) -> bool {
        number.saturating_sub(self.newest) > MOST_AHEAD
    }

    /// Whether a message of this number is new; 0 is not a number and always new. One that is 64 behind has come
    /// before.
    pub(crate) fn is_new(&mut self, number: u64) -> bool {
        if number == 0 {
            return true;
        }
        if self.is_absurd(number) {
            return false;
        }
        if number > self.newest {
            let ahead = number - self.newest;
            self.window = if ahead < 64 { self.window << ahead | 1 } else { 1 };
            self.newest = number;
            return true;
        }
        let bit = self.newest - number;
        let new = bit < 64 && self.window & 1 << bit == 0;
        if new {
            self.window |= 1 << bit;
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn the_loopback_interface_has_its_address_and_a_missing_one_is_named() {
        let lo = Paths::new(&["lo".into()]).unwrap();
        assert!(lo.sockets(0).unwrap().contains(&"127.0.0.1:0".to_owned()));
        assert_eq!(lo.sockets(1).unwrap(), lo.sockets(0).unwrap(), "a side with one path shares it");
        let missing = Paths::new(&["nowhere7".into()]).unwrap();
        assert!(missing.sockets(0).unwrap_err().to_string().contains("nowhere7"));
        assert_eq!(Paths::new(&["::1".into()]).unwrap().sockets(0).unwrap(), ["[::1]:0"]);
        assert_eq!(Paths::default().sockets(1).unwrap(), everywhere());
        assert!(local_addresses().contains(&IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn without_interfaces_every_address_has_a_socket_that_can_be_bound() {
        let sockets = everywhere();
        assert!(sockets.contains(&"127.0.0.1:0".to_owned()) && sockets.len() <= MAX_SOCKETS, "{sockets:?}");
        let lo_has_v6 = local_addresses().contains(&IpAddr::V6(Ipv6Addr::LOCALHOST));
        assert_eq!(sockets.contains(&"[::1]:0".to_owned()), lo_has_v6, "{sockets:?}");
        for socket in &sockets {
            assert!(UdpSocket::bind(socket).is_ok() && !socket.contains("fe80"), "{socket}");
        }
    }

    #[test]
    fn addresses_on_their_way_in_or_out_are_left_alone() {
        let table = "20010db8000000000000000000000001 02 40 00 00     eth0\n\
                     20010db8000000000000000000000002 02 40 00 21     eth0\n\
                     20010db8000000000000000000000003 02 40 00 c0     eth0\n\
                     fd000000000000000000000000000002 04 40 00 82     eth0\n\
                     odd line\n";
        let addresses = unusable_ipv6(table);
        assert_eq!(addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["2001:db8::2", "2001:db8::3"]);
    }

    #[test]
    fn interfaces_that_make_no_paths_are_refused_by_name() {
        for (bad, named) in [(vec!["a", "a"], "a is given twice"), (vec![""], "\"\""), (vec!["a", "b", "c", "d"], "4")]
        {
            let bad: Vec<_> = bad.into_iter().map(str::to_owned).collect();
            assert!(Paths::new(&bad).unwrap_err().to_string().contains(named));
        }
    }

    #[test]
    fn a_number_that_nobody_can_have_counted_to_makes_no_honest_one_old() {
        let mut seen = Seen::default();
        assert!(seen.is_new(7) && seen.is_absurd(u64::MAX) && !seen.is_new(u64::MAX));
        assert!(seen.is_new(8) && !seen.is_new(8) && seen.is_new(8 + MOST_AHEAD));
    }

    proptest! {
        #[test]
        fn each_number_counts_once(numbers in prop::collection::vec(0u64..40, 0..200)) {
            let (mut seen, mut all) = (Seen::default(), HashSet::new());
            for number in numbers {
                prop_assert_eq!(seen.is_new(number), number == 0 || all.insert(number));
            }
        }

        #[test]
        fn numbers_far_apart_neither_overflow_nor_come_twice(numbers in prop::collection::vec(any::<u64>(), 0..50)) {
            let mut seen = Seen::default();
            for number in numbers {
                let _ = seen.is_new(number);
                prop_assert!(number == 0 || !seen.is_new(number));
            }
        }
    }
}
