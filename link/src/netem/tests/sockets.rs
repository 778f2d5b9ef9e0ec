//! The model on real packets.

use crate::netem::PathSpec;
use crate::netem::relay::UdpRelay;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn relay(to: SocketAddr, toml: &str) -> UdpRelay {
    let any = "127.0.0.1:0".parse().unwrap();
    UdpRelay::start(any, to, &PathSpec::from_toml(toml).unwrap(), 3, || {}).unwrap()
}

#[test]
fn a_relay_carries_both_ways_and_never_too_early() {
    let (near, _) = socket();
    let (far, address) = socket();
    let relay = relay(address, "forward = { delay_ms = 20 }\nbackward = { delay_ms = 5 }");
    let mut buffer = [0; 2000];
    for n in 0..20u8 {
        let sent = Instant::now();
        near.send_to(&[n; 1200], relay.address()).unwrap();
        let (length, from) = far.recv_from(&mut buffer).unwrap();
        assert_eq!(buffer[..length], [n; 1200]);
        assert!(sent.elapsed() >= Duration::from_millis(20));
        let sent = Instant::now();
        far.send_to(&[n; 10], from).unwrap();
        assert_eq!(near.recv(&mut buffer).unwrap(), 10);
        assert!(sent.elapsed() >= Duration::from_millis(5));
    }
    let stats = relay.stats();
    assert_eq!((stats.forward.delivered, stats.forward.bytes), (20, 20 * 1228));
    assert_eq!((stats.backward.delivered, stats.errors), (20, 0));
}

#[test]
fn a_relay_loses_the_very_packets_that_the_model_says() {
    const TOML: &str = "forward = { loss_percent = 30, burst_packets = 2 }";
    let (near, _) = socket();
    let (far, address) = socket();
    let relay = relay(address, TOML);
    (0..100u8).for_each(|n| _ = near.send_to(&[n], relay.address()).unwrap());
    let mut path = crate::netem::Path::new(&PathSpec::from_toml(TOML).unwrap(), 3);
    (0..100u8).for_each(|n| _ = path.forward.push(0, 29, n));
    let mut buffer = [0; 10];
    while let Some(expected) = path.forward.poll(0) {
        assert_eq!(far.recv(&mut buffer).unwrap(), 1);
        assert_eq!(buffer[0], expected.payload);
    }
    assert_eq!(relay.stats().forward.lost, path.forward.stats().lost);
}

#[test]
fn a_relay_that_is_cut_carries_nothing_that_way_until_it_is_joined_again() {
    let (near, _) = socket();
    let (far, address) = socket();
    let relay = relay(address, "");
    let mut buffer = [0; 10];
    // What was cut off counts as delivered: it has left the path.
    let until = |forward, backward| {
        let start = Instant::now();
        while (relay.stats().forward.delivered, relay.stats().backward.delivered) != (forward, backward) {
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", relay.stats());
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    near.send_to(&[1], relay.address()).unwrap();
    let (_, from) = far.recv_from(&mut buffer).unwrap();
    relay.cut(true, false);
    near.send_to(&[2], relay.address()).unwrap();
    far.send_to(&[3], from).unwrap();
    assert_eq!((near.recv(&mut buffer).unwrap(), buffer[0]), (1, 3), "the other way is open");
    until(2, 1);
    relay.cut(false, true);
    far.send_to(&[4], from).unwrap();
    near.send_to(&[5], relay.address()).unwrap();
    assert_eq!((far.recv(&mut buffer).unwrap(), buffer[0]), (1, 5), "what was sent meanwhile is lost");
    until(3, 2);
    relay.cut(false, false);
    far.send_to(&[6], from).unwrap();
    assert_eq!((near.recv(&mut buffer).unwrap(), buffer[0]), (1, 6));
}
