//! One camera's way in over all paths of a session: every path hands its packets to the same receiver, and what is
//! asked for is asked for on all of them.

use crate::peer::ExtensionIds;
use crate::rtp::FrameInfo;
use crate::session::PathKey;
use rtc::rtp::packet::Packet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

/// Packets that wait: a tenth of a second at 20 Mbit/s.
const WAITING: usize = 256;

/// A packet and what its header extension says.
pub(super) type PathPacket = (Packet, Option<FrameInfo>);

/// Where a camera's packets come together.
pub(super) struct MediaStream {
    tracks: Mutex<Vec<(PathKey, Arc<dyn TrackRemote>)>>,
    packets: mpsc::Sender<PathPacket>,
    /// The stream that they belong to, the same on every path; 0 while none has come.
    ssrc: AtomicU32,
}

impl MediaStream {
    /// A media stream and its packets.
    pub(super) fn new() -> (Arc<Self>, mpsc::Receiver<PathPacket>) {
        let (packets, receiver) = mpsc::channel(WAITING);
        (Arc::new(Self { tracks: Mutex::default(), packets, ssrc: AtomicU32::new(0) }), receiver)
    }

    fn tracks(&self) -> std::sync::MutexGuard<'_, Vec<(PathKey, Arc<dyn TrackRemote>)>> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what is for the vehicle over this track too.
    pub(super) fn add(&self, path: PathKey, track: Arc<dyn TrackRemote>) {
        self.tracks().push((path, track));
    }

    /// A path is gone.
    pub(super) fn remove(&self, path: PathKey) {
        self.tracks().retain(|(key, _)| *key != path);
    }

    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc.load(Ordering::Relaxed)
    }

    pub(super) fn set_ssrc(&self, ssrc: u32) {
        self.ssrc.store(ssrc, Ordering::Relaxed);
    }

    /// Sends an RTCP packet over every path.
    pub(super) async fn write<P: rtc::rtcp::Packet + Clone + 'static>(&self, packet: P) {
        let tracks: Vec<_> = self.tracks().iter().map(|(_, track)| track.clone()).collect();
        for track in tracks {
            let _ = track.write_rtcp(vec![Box::new(packet.clone())]).await;
        }
    }

    /// Hands a path's packets to the receiver until the track ends.
    pub(super) async fn feed(&self, track: &dyn TrackRemote, ids: ExtensionIds) {
        while let Some(event) = track.poll().await {
            match event {
                TrackRemoteEvent::OnRtpPacket(packet) => {
                    let info = frame_info(&packet, ids);
                    if self.packets.send((packet, info)).await.is_err() {
                        return;
                    }
                }
                TrackRemoteEvent::OnEnded => return,
                _ => {}
            }
        }
    }
}

/// What our own header extension says, where it was agreed on.
fn frame_info(packet: &Packet, ids: ExtensionIds) -> Option<FrameInfo> {
    let extension = (ids.frame_info != 0).then(|| packet.header.get_extension(ids.frame_info)).flatten()?;
    FrameInfo::decode(&extension)
}
