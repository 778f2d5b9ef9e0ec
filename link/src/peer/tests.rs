//! Connections as they are set up here, over a lossy path in virtual time.

use super::repeat::Repeats;
use super::*;
use crate::netem::{Direction, Path, PathSpec};
use bytes::{Bytes, BytesMut};
use rtc::data_channel::RTCDataChannelInit;
use rtc::peer_connection::event::{RTCDataChannelEvent, RTCPeerConnectionEvent};
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use std::net::SocketAddr;
use std::time::Instant;

#[test]
fn extension_ids_are_read_from_an_answer() {
    let sdp = format!("v=0\r\na=extmap:5/recvonly {FRAME_INFO_URI}\r\na=extmap:x {PLAYOUT_DELAY}\r\na=extmap:7\r\n");
    assert_eq!(answered_extensions(&sdp), ExtensionIds { playout_delay: 0, frame_info: 5 });
    assert_eq!(camera_of("camera-2"), 2);
    assert_eq!(camera_of("something else"), 0);
}

/// One end in virtual time.
struct End {
    connection: RTCPeerConnection,
    address: SocketAddr,
    /// `None`: the stack alone.
    repeats: Option<Repeats>,
    /// Channels that are open, of the two that this end opens.
    open: usize,
}

impl End {
    fn new(port: u16, now: Instant, repeats: bool) -> Self {
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_media_engine(media_engine().unwrap())
            .with_setting_engine(settings())
            .build(now)
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let base_config = CandidateConfig {
            network: "udp".into(),
            address: "127.0.0.1".into(),
            port,
            component: 1,
            ..Default::default()
        };
        let candidate = CandidateHostConfig { base_config, ..Default::default() }.new_candidate_host().unwrap();
        connection.add_local_candidate(RTCIceCandidate::from(&candidate).to_json().unwrap()).unwrap();
        Self { connection, address, repeats: repeats.then(|| Repeats::new(now)), open: 0 }
    }

    fn open_channels(&mut self) {
        for (label, ordered) in [("unreliable", false), ("reliable", true)] {
            let init = RTCDataChannelInit { ordered, ..Default::default() };
            self.connection.create_data_channel(label, Some(init)).unwrap();
        }
    }

    /// Everything that this end does at `now`; the path's time is `now_us`.
    fn turn(
        &mut self,
        now: Instant,
        now_us: u64,
        out: &mut Direction<Bytes>,
        back: &mut Direction<Bytes>,
        peer: SocketAddr,
    ) {
        let transport = TransportContext {
            local_addr: self.address,
            peer_addr: peer,
            ecn: None,
            transport_protocol: TransportProtocol::UDP,
        };
        while let Some(delivery) = back.poll(now_us) {
            self.repeats.iter_mut().for_each(|repeats| repeats.received(&delivery.payload));
            let message = BytesMut::from(&delivery.payload[..]);
            // What is lost or comes twice shows as errors that the driver logs, too.
            let _ = self.connection.handle_read(TaggedBytesMut { now, transport, message });
        }
        if self.connection.poll_timeout().is_some_and(|due| due <= now) {
            let _ = self.connection.handle_timeout(now);
        }
        while let Some(sent) = self.connection.poll_write() {
            let datagram = sent.message.freeze();
            self.repeats.iter_mut().for_each(|repeats| repeats.sent(now, peer, &datagram));
            out.push(now_us, datagram.len() + 28, datagram);
        }
        while let Some((_, copy)) = self.repeats.as_mut().and_then(|repeats| repeats.take(now)) {
            out.push(now_us, copy.len() + 28, copy);
        }
        while let Some(event) = self.connection.poll_event() {
            if matches!(event, RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(_))) {
                self.open += 1;
            }
        }
        while self.connection.poll_read().is_some() {}
    }
}

/// From the moment that both ends have each other's description to open channels, milliseconds of virtual time; at most
/// half a minute.
fn set_up_ms(preset: &str, seed: u64, repeats: bool) -> u64 {
    const LONGEST_MS: u64 = 30_000;
    let start = Instant::now();
    let Path { mut forward, mut backward } = Path::new(&PathSpec::preset(preset).unwrap(), seed);
    let (mut vehicle, mut seat) = (End::new(4000, start, repeats), End::new(5000, start, repeats));
    vehicle.open_channels();
    let offer = vehicle.connection.create_offer(None).unwrap();
    vehicle.connection.set_local_description(start, offer.clone()).unwrap();
    seat.connection.set_remote_description(start, offer).unwrap();
    seat.open_channels();
    let answer = seat.connection.create_answer(None).unwrap();
    seat.connection.set_local_description(start, answer.clone()).unwrap();
    vehicle.connection.set_remote_description(start, answer).unwrap();
    for ms in 0..LONGEST_MS {
        let now = start + Duration::from_millis(ms);
        let (vehicles, seats) = (vehicle.address, seat.address);
        vehicle.turn(now, ms * 1_000, &mut forward, &mut backward, seats);
        seat.turn(now, ms * 1_000, &mut backward, &mut forward, vehicles);
        // Each end hears of its own channels and of the other's.
        if vehicle.open >= 4 && seat.open >= 4 {
            return ms;
        }
    }
    LONGEST_MS
}

#[test]
fn a_session_comes_up_within_a_second_where_three_packets_of_ten_are_lost() {
    let mut times: Vec<u64> = (1..=20).map(|seed| set_up_ms("loss30", seed, true)).collect();
    let mut alone: Vec<u64> = (1..=20).map(|seed| set_up_ms("loss30", seed, false)).collect();
    times.sort_unstable();
    alone.sort_unstable();
    assert!(times[10] < 800 && times[18] < 1_500 && times[19] < 3_000, "{times:?}, the stack alone {alone:?}");
    assert!(times[10] * 4 < alone[10], "what for? {times:?}, the stack alone {alone:?}");
}

#[test]
fn copies_cost_a_good_path_no_time() {
    for preset in ["clean", "rtt50", "satellite", "1mbit"] {
        let (with, without) = (set_up_ms(preset, 1, true), set_up_ms(preset, 1, false));
        assert!(with <= without + 20, "{preset}: {with} ms with copies, {without} ms without");
    }
}
