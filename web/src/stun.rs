//! STUN Binding (RFC 8489) beside HTTP, on the same addresses and port number over UDP: it tells a peer from which address
//! it is seen. Browsers need it wherever they hide their own addresses behind names that nobody can resolve, as on a
//! network without IPv4, where Chromium fails to announce such names.

use crate::listeners::PAUSE;
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, is_stun_message};
use rtc_stun::xoraddr::XorMappedAddress;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::watch;

/// Room for what is read at once, bytes: the system may hand over several datagrams of one peer together.
const READ_BYTES: usize = 65_536;

/// Answers at each of `addresses` until `stopping`; one that cannot be bound is logged and left out.
pub(crate) async fn serve(addresses: Vec<SocketAddr>, stopping: watch::Receiver<bool>) {
    for address in addresses {
        match Socket::bind(address).await {
            Ok(socket) => {
                tokio::spawn(answer_all(socket, stopping.clone()));
            }
            Err(e) => tracing::warn!("no STUN at UDP {address}: {e}; browsers may need a STUN server (--ice-server)"),
        }
    }
}

/// A socket that knows to which of this machine's addresses a datagram came, and answers from there: a peer drops what
/// comes from another address than the one it asked (RFC 8489, section 6.3).
struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
}

impl Socket {
    async fn bind(address: SocketAddr) -> io::Result<Self> {
        let io = UdpSocket::bind(address).await?;
        let state = UdpSocketState::new((&io).into())?;
        Ok(Self { io, state })
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<RecvMeta> {
        let receiving = self.io.async_io(Interest::READABLE, || {
            let mut meta = [RecvMeta::default()];
            self.state.recv((&self.io).into(), &mut [IoSliceMut::new(buffer)], &mut meta)?;
            let [meta] = meta;
            Ok(meta)
        });
        receiving.await
    }

    async fn send(&self, answer: &[u8], to: SocketAddr, from: Option<IpAddr>) -> io::Result<()> {
        let transmit = Transmit { destination: to, ecn: None, contents: answer, segment_size: None, src_ip: from };
        let sending = self.io.async_io(Interest::WRITABLE, || self.state.try_send((&self.io).into(), &transmit));
        sending.await
    }
}

async fn answer_all(socket: Socket, mut stopping: watch::Receiver<bool>) {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let received = tokio::select! {
            received = socket.receive(&mut buffer) => received,
            // An error means that the server was dropped, which stops it too.
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        let RecvMeta { addr: peer, len, stride, dst_ip, .. } = match received {
            Ok(meta) => meta,
            // The fate of an earlier answer: nobody listens at that port any more.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(e) => {
                tracing::warn!("STUN requests cannot be received: {e}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        for request in buffer[..len].chunks(stride.max(1)) {
            if let Some(answer) = answer(request, peer) {
                log_failure(socket.send(&answer, peer, dst_ip).await, peer);
            }
        }
    }
}

fn log_failure(sent: io::Result<()>, peer: SocketAddr) {
    if let Err(e) = sent {
        tracing::debug!("STUN answer to {peer}: {e}");
    }
}

/// The answer to a Binding request from `peer`; `None` for everything else.
fn answer(request: &[u8], peer: SocketAddr) -> Option<Vec<u8>> {
    if !is_stun_message(request) {
        return None;
    }
    let mut message = Message::new();
    message.unmarshal_binary(request).ok()?;
    if message.typ != BINDING_REQUEST {
        return None;
    }
    let mut answer = Message::new();
    // A socket for both families sees IPv4 peers as mapped IPv6 addresses.
    let seen = XorMappedAddress { ip: peer.ip().to_canonical(), port: peer.port() };
    answer.build(&[Box::new(message.transaction_id), Box::new(BINDING_SUCCESS), Box::new(seen)]).ok()?;
    Some(answer.raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_stun::message::{BINDING_ERROR, Getter, TransactionId};

    fn message(kind: rtc_stun::message::MessageType) -> Message {
        let mut message = Message::new();
        message.build(&[Box::new(TransactionId::new()), Box::new(kind)]).unwrap();
        message
    }

    #[test]
    fn a_peer_is_told_where_it_is_seen() {
        for (peer, ip) in [
            ("192.0.2.7:4000", "192.0.2.7"),
            ("[2001:db8::7]:4000", "2001:db8::7"),
            ("[::ffff:192.0.2.7]:4000", "192.0.2.7"),
        ] {
            let request = message(BINDING_REQUEST);
            let mut told = Message::new();
            told.unmarshal_binary(&answer(&request.raw, peer.parse().unwrap()).unwrap()).unwrap();
            assert_eq!((told.typ, told.transaction_id), (BINDING_SUCCESS, request.transaction_id));
            let mut seen = XorMappedAddress::default();
            seen.get_from(&told).unwrap();
            assert_eq!((seen.ip, seen.port), (ip.parse().unwrap(), 4000));
        }
    }

    #[test]
    fn nothing_else_is_answered() {
        let peer = "192.0.2.7:4000".parse().unwrap();
        let request = message(BINDING_REQUEST).raw;
        for bytes in 0..request.len() {
            assert_eq!(answer(&request[..bytes], peer), None, "{bytes} bytes");
        }
        let lies = |at: usize, byte: u8| {
            let mut bytes = request.clone();
            bytes[at] = byte;
            answer(&bytes, peer)
        };
        assert_eq!(lies(3, 200), None, "a length beyond the datagram");
        assert_eq!(lies(4, 0), None, "another cookie");
        for kind in [BINDING_SUCCESS, BINDING_ERROR] {
            assert_eq!(answer(&message(kind).raw, peer), None, "an answer is not answered");
        }
    }

    #[tokio::test]
    async fn it_is_there_until_it_is_stopped() {
        let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        serve(vec![free], stopping).await;
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let request = message(BINDING_REQUEST).raw;
        client.send_to(b"nonsense", free).await.unwrap();
        client.send_to(&request, free).await.unwrap();
        let mut buffer = [0; 100];
        let (bytes, _) = client.recv_from(&mut buffer).await.unwrap();
        assert_eq!(answer(&request, client.local_addr().unwrap()).unwrap(), buffer[..bytes]);
        stop.send(true).unwrap();
        while UdpSocket::bind(free).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_host_with_several_addresses_answers_from_the_one_that_was_asked() {
        let request = message(BINDING_REQUEST).raw;
        let (_stop, stopping) = watch::channel(false);
        for (everywhere, asked) in [
            ("0.0.0.0:0", ["127.0.0.1", "127.0.0.2"]),
            // A socket for both families.
            ("[::]:0", ["::1", "127.0.0.2"]),
        ] {
            let socket = Socket::bind(everywhere.parse().unwrap()).await.unwrap();
            let port = socket.io.local_addr().unwrap().port();
            tokio::spawn(answer_all(socket, stopping.clone()));
            for ip in asked {
                let at = SocketAddr::new(ip.parse().unwrap(), port);
                let local = if at.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
                let client = UdpSocket::bind(local).await.unwrap();
                client.send_to(&request, at).await.unwrap();
                let (_, from) = client.recv_from(&mut [0; 100]).await.unwrap();
                assert_eq!(from, at, "{everywhere}");
            }
        }
    }
}
