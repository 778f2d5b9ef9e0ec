//! The path as a UDP relay: one peer sends to the relay, the relay sends on to the other, and back.

use super::shell::{POLL_TIMEOUT, Port, Shell, ShellStats};
use super::{NetemError, PathSpec};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Relays datagrams between whoever sent to it last and one fixed address; it ends when this is dropped.
#[derive(Debug)]
pub struct UdpRelay {
    shell: Shell,
    address: SocketAddr,
    cut: Arc<Cut>,
}

/// Which directions are cut off.
#[derive(Debug, Default)]
struct Cut {
    forward: AtomicBool,
    backward: AtomicBool,
}

/// IPv4 and UDP headers, bytes.
const HEADERS: usize = 28;

/// Answers to whoever sent last.
struct Front {
    socket: UdpSocket,
    peer: Mutex<Option<SocketAddr>>,
    cut: Arc<Cut>,
}

/// Connected to the far peer.
struct Back(UdpSocket, Arc<Cut>);

impl UdpRelay {
    /// Listens on `listen` (port 0: any) and sends on to `to`. Forward is from the sender to `to`.
    ///
    /// # Errors
    /// When an address cannot be used or a thread cannot be started.
    pub fn start(
        listen: SocketAddr,
        to: SocketAddr,
        spec: &PathSpec,
        seed: u64,
        each_thread: fn(),
    ) -> Result<Self, NetemError> {
        let failed = |what, address| move |source| NetemError::Socket { what, address, source };
        let front = UdpSocket::bind(listen).map_err(failed("cannot listen on", listen))?;
        let address = front.local_addr().map_err(failed("cannot listen on", listen))?;
        let any: SocketAddr =
            if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let back = UdpSocket::bind(any).map_err(failed("cannot send from", any))?;
        back.connect(to).map_err(failed("cannot send to", to))?;
        for socket in [&front, &back] {
            socket.set_read_timeout(Some(POLL_TIMEOUT)).map_err(failed("cannot wait on", address))?;
        }
        let cut = Arc::new(Cut::default());
        let front = Arc::new(Front { socket: front, peer: Mutex::new(None), cut: Arc::clone(&cut) });
        let shell = Shell::start(spec, seed, front, Arc::new(Back(back, Arc::clone(&cut))), each_thread)?;
        Ok(Self { shell, address, cut })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts each direction off, or joins it again: forward is to the fixed address.
    pub fn cut(&self, forward: bool, backward: bool) {
        self.cut.forward.store(forward, Ordering::Relaxed);
        self.cut.backward.store(backward, Ordering::Relaxed);
    }

    /// Counts since the start.
    #[must_use]
    pub fn stats(&self) -> ShellStats {
        self.shell.stats()
    }
}

impl Port for Front {
    fn recv(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        Ok(unless_late(self.socket.recv_from(buffer))?.map(|(length, from)| {
            *self.peer.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
            length
        }))
    }

    fn send(&self, packet: &[u8]) -> io::Result<()> {
        let peer = *self.peer.lock().unwrap_or_else(PoisonError::into_inner);
        match peer {
            _ if self.cut.backward.load(Ordering::Relaxed) => Ok(()),
            Some(peer) => self.socket.send_to(packet, peer).map(|_| ()),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn overhead_bytes(&self) -> usize {
        HEADERS
    }
}

impl Port for Back {
    fn recv(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        unless_late(self.0.recv(buffer))
    }

    fn send(&self, packet: &[u8]) -> io::Result<()> {
        if self.1.forward.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.0.send(packet).map(|_| ())
    }

    fn overhead_bytes(&self) -> usize {
        HEADERS
    }
}

/// A read that ran into its timeout is no error.
fn unless_late<V>(result: io::Result<V>) -> io::Result<Option<V>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(None),
        Err(e) => Err(e),
    }
}
