//! Where no direct path exists: a real TURN server (coturn) with credentials that the control plane makes for each peer.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::{CAR, Page, Process, Site, free_port, wait_for};

fn relay(folder: &Path, ip: &str, port: u16, secret: &str) -> Process {
    let mut command = Command::new("turnserver");
    command
        .args(["-n", "--realm=takeover", "--no-tls", "--no-dtls"])
        // The relayed address is of the kind that the client came by, as docs/network.md has it.
        .args(["--allocation-default-address-family=keep"])
        .args([format!("--listening-ip={ip}"), format!("--relay-ip={ip}")])
        .args(["--no-cli", "--allow-loopback-peers", "--use-auth-secret", "--log-file=stdout", "--verbose"])
        .arg(format!("--listening-port={port}"))
        .arg(format!("--static-auth-secret={secret}"))
        .arg(format!("--pidfile={}", folder.join("turn.pid").display()))
        .arg(format!("--userdb={}", folder.join("turn.sqlite").display()));
    let relay = Process::spawn(command, &folder.join("turn.log")).unwrap();
    // A STUN binding request (RFC 8489): type 1, no attributes, the magic cookie, any transaction.
    let probe = UdpSocket::bind((ip, 0)).unwrap();
    probe.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42][..], &[7; 12]].concat();
    wait_for("the TURN server", Duration::from_secs(20), || {
        probe.send_to(&request, (ip, port)).ok()?;
        probe.recv(&mut [0; 512]).ok()
    })
    .unwrap();
    relay
}

/// The kind of the local end of the path in use.
const PATH: &str = r"(async () => {
    const stats = [...(await takeover.session.peer.getStats()).values()];
    const pair = stats.find((s) => s.type === 'candidate-pair' && s.nominated);
    return stats.find((s) => s.id === pair?.localCandidateId)?.candidateType;
})()";

#[test]
fn real_time_a_seat_that_has_only_the_relay_sees_the_vehicle() {
    sees_by_the_relay_at("127.0.0.1", "127.0.0.1");
}

#[test]
fn real_time_the_relay_may_be_at_an_ipv6_address() {
    sees_by_the_relay_at("::1", "[::1]");
}

fn sees_by_the_relay_at(ip: &str, host: &str) {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let port = free_port().unwrap();
    let relay = relay(folder.path(), ip, port, "hush");
    let turn = format!("turn:{host}:{port}?transport=udp");
    let _plane = site.control_plane(&["--ice-server", &turn, "--turn-secret", "hush"]).unwrap();
    let _bridge = site.bridge().unwrap();
    site.wait_until("the car online", |c| c["online"] == true).unwrap();
    let mut page = Page::open(&format!("{}/seat.html?id={CAR}&seat=far&path=relay", site.address)).unwrap();
    page.wait_until("takeover.driver.connected && takeover.cameras.pictures[0].counts.shown > 30").unwrap();
    assert_eq!(page.evaluate(PATH).unwrap(), "relay");
    // The relay knows both peers by the names and credentials that they were welcomed with.
    let log = std::fs::read_to_string(folder.path().join("turn.log")).unwrap();
    for who in [":far>", ":car-1>"] {
        assert!(log.lines().any(|l| l.contains(who) && l.contains("ALLOCATE processed, success")), "no {who} in {log}");
    }
    // Without the relay there is no path, and the page says so and what to do.
    drop(relay);
    page.wait_until("document.getElementById('banner-detail').innerText.includes('--ice-server turn:')").unwrap();
}
