//! One server on several sockets: a host's name may stand for an IPv4 and an IPv6 address.

use crate::error::Result;
use axum::serve::Listener;
use protocol::{Address, ListenError};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// How long to wait when the system refuses to take in what comes, as when it has no descriptors left.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// Sockets that are listened on together.
#[derive(Debug)]
pub struct Listeners(Vec<TcpListener>);

impl Listeners {
    /// Listens at `address`; also returns the first socket's address, with the port that it got.
    pub fn open(address: &Address) -> Result<(Self, SocketAddr)> {
        let refused = |cause| ListenError::Refused { address: address.single(), cause };
        let mut listeners = Vec::new();
        for listener in address.listen()? {
            listener.set_nonblocking(true).map_err(refused)?;
            listeners.push(TcpListener::from_std(listener).map_err(refused)?);
        }
        let first = listeners.first().map_or(Ok(address.single()), TcpListener::local_addr);
        Ok((Self(listeners), first.map_err(refused)?))
    }

    /// Every address that is listened on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }
}

impl Listener for Listeners {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let accepted = poll_fn(|cx| {
                let ready = self.0.iter().map(|listener| listener.poll_accept(cx)).find(Poll::is_ready);
                ready.unwrap_or(Poll::Pending)
            });
            match accepted.await {
                Ok(accepted) => return accepted,
                // The peer's own doing, before it was accepted.
                Err(e) if matches!(e.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
                Err(e) => {
                    tracing::error!("a connection could not be accepted: {e}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        let first = self.0.first().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?;
        first.local_addr()
    }
}
