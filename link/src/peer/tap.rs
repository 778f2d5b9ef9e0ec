//! What the crate's interceptors would keep to themselves: keyframe requests, requests for lost packets, receiver
//! reports, and our own datagrams.

use super::channel::{Incoming, Inlet};
use super::datagram;
use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::raw_packet::RawPacket;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

/// Whether the peer asks for a keyframe.
pub(crate) fn is_keyframe_request(packet: &dyn rtc::rtcp::Packet) -> bool {
    let packet = packet.as_any();
    packet.is::<PictureLossIndication>() || packet.is::<FullIntraRequest>()
}

fn is_for_us(packet: &dyn rtc::rtcp::Packet) -> bool {
    let any = packet.as_any();
    is_keyframe_request(packet) || any.is::<ReceiverReport>() || any.is::<TransportLayerNack>()
}

/// Reads what comes back about a track that nobody else asks about: every handle must be read.
pub(super) async fn drain(track: Arc<TrackLocalStaticRTP>) {
    while track.poll().await.is_some() {}
}

/// Sits next to the wire, so that nothing has been taken out before it looks.
pub(super) struct Tap {
    label: Arc<str>,
    datagrams: Inlet,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl Tap {
    /// Datagrams go to `datagrams` as if they had come over the channel `label`.
    pub(super) fn new(label: &str, datagrams: Inlet) -> Self {
        Self { label: label.into(), datagrams, inbound: VecDeque::new(), outbound: VecDeque::new() }
    }

    fn on_rtcp(&self, packets: &mut Vec<Box<dyn rtc::rtcp::Packet>>) -> bool {
        packets.retain(|packet| {
            let Some(raw) = packet.as_any().downcast_ref::<RawPacket>() else { return true };
            let Some(data) = datagram::unwrap(raw) else { return true };
            // The driver's task must not wait; a reader that stands still loses datagrams, as on a bad path.
            self.datagrams.try_put(Incoming { label: self.label.clone(), data: Some(data) });
            false
        });
        packets.iter().any(|packet| is_for_us(packet.as_ref()))
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Tap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &mut message.message.packet {
            let wanted = self.on_rtcp(packets);
            // An empty packet is reserved for attributes; this one held nothing but our datagrams.
            if packets.is_empty() {
                return Ok(());
            }
            if wanted {
                message.message.add(Attribute::DeliverToApplication);
            }
        }
        self.inbound.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.outbound.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }
}

impl Interceptor for Tap {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
