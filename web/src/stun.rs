//! STUN Binding (RFC 8489) beside HTTP, on the same addresses and port number over UDP: it tells a peer from which address
//! it is seen. Browsers need it wherever they hide their own addresses behind names that nobody can resolve, as on a
//! network without IPv4, where Chromium fails to announce such names.

use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, is_stun_message};
use rtc_stun::xoraddr::XorMappedAddress;
use std::io;
use std::net::SocketAddr;
use tokio::net::UdpSocket;
use tokio::sync::watch;

/// Longest request that is read, bytes: RFC 8489, section 6.1, keeps requests within 1,280 bytes of IPv6.
const REQUEST_BYTES: usize = 1280;

/// Answers at each of `addresses` until `stopping`; one that cannot be bound is logged and left out.
pub(crate) async fn serve(addresses: Vec<SocketAddr>, stopping: watch::Receiver<bool>) {
    for address in addresses {
        match UdpSocket::bind(address).await {
            Ok(socket) => {
                tokio::spawn(answer_all(socket, stopping.clone()));
            }
            Err(e) => tracing::warn!("no STUN at UDP {address}: {e}; browsers may need a STUN server (--ice-server)"),
        }
    }
}

async fn answer_all(socket: UdpSocket, mut stopping: watch::Receiver<bool>) {
    let mut buffer = [0; REQUEST_BYTES];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            // An error means that the server was dropped, which stops it too.
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        // An error here is the fate of an earlier answer, such as a port that nobody listens on.
        let Ok((bytes, peer)) = received else { continue };
        if let Some(answer) = answer(&buffer[..bytes], peer) {
            log_failure(socket.send_to(&answer, peer).await, peer);
        }
    }
}

fn log_failure(sent: io::Result<usize>, peer: SocketAddr) {
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
}
