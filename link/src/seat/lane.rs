//! One camera's way in over all paths of a session: every path hands its packets to the same receiver, and what is
//! asked for is asked for on all of them.

use crate::peer::ExtensionIds;
use crate::rtp::FrameInfo;
use rtc::rtp::packet::Packet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

/// Packets of other paths that wait: a tenth of a second at 20 Mbit/s.
const WAITING: usize = 256;

/// A packet and what its header extension says.
pub(super) type PathPacket = (Packet, Option<FrameInfo>);

/// Where a camera's packets come together.
pub(super) struct Lane {
    tracks: Mutex<Vec<(String, Arc<dyn TrackRemote>)>>,
    packets: mpsc::Sender<PathPacket>,
}

impl Lane {
    /// A lane and the packets of further paths.
    pub(super) fn new() -> (Arc<Self>, mpsc::Receiver<PathPacket>) {
        let (packets, others) = mpsc::channel(WAITING);
        (Arc::new(Self { tracks: Mutex::default(), packets }), others)
    }

    fn tracks(&self) -> std::sync::MutexGuard<'_, Vec<(String, Arc<dyn TrackRemote>)>> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what is for the vehicle over this track too.
    pub(super) fn add(&self, path: &str, track: Arc<dyn TrackRemote>) {
        self.tracks().push((path.to_owned(), track));
    }

    /// A path is gone.
    pub(super) fn remove(&self, path: &str) {
        self.tracks().retain(|(name, _)| name != path);
    }

    /// Sends an RTCP packet over every path.
    pub(super) async fn write<P: rtc::rtcp::Packet + Clone + 'static>(&self, packet: P) {
        let tracks: Vec<_> = self.tracks().iter().map(|(_, track)| track.clone()).collect();
        for track in tracks {
            let _ = track.write_rtcp(vec![Box::new(packet.clone())]).await;
        }
    }

    /// Hands the packets of a further path to the receiver until the track ends.
    pub(super) async fn feed(&self, track: &dyn TrackRemote, ids: ExtensionIds) {
        loop {
            match track.poll().await {
                Some(TrackRemoteEvent::OnRtpPacket(packet)) => {
                    let info = frame_info(&packet, ids);
                    // A receiver that does not keep up loses packets here as it would on the path.
                    let _ = self.packets.try_send((packet, info));
                }
                Some(TrackRemoteEvent::OnEnded) | None => return,
                Some(_) => {}
            }
        }
    }
}

/// What our own header extension says, where it was agreed on.
pub(super) fn frame_info(packet: &Packet, ids: ExtensionIds) -> Option<FrameInfo> {
    let extension = (ids.frame_info != 0).then(|| packet.header.get_extension(ids.frame_info)).flatten()?;
    FrameInfo::decode(&extension)
}
