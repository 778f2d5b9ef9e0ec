//! One WebRTC session between a robot and an operator's seat: picture, state and commands, and how old each of them is.
//!
//! - [`VehicleLink`] sits on the robot. It registers at the control plane, answers every [call](protocol::signalling::Signal::Call)
//!   with an offer, and serves any number of seats at once.
//! - [`SeatLink`] sits at the operator's. It calls a vehicle, receives, decodes, measures, and calls again when it must.
//! - [`CameraStreamer`] is what a camera's thread calls with each picture: it fits size and rate to the path.
//! - The `video` crate encodes and decodes and puts the capture time into the picture itself; [`rtp`] carries pictures,
//!   [`media`] gets them through losses.
//! - [`lidar`] puts scans into few bytes.
//! - [`netem`] is a weak network, reproducibly.
//!
//! ```no_run
//! use link::{SeatLink, SeatOptions, VehicleLink};
//! use video::VideoSpec;
//! use protocol::{SeatId, SeatKind, VehicleId, v1};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = tokio::runtime::Runtime::new()?;
//! let hello = v1::Hello { vehicle_id: "car-1".into(), ..Default::default() };
//! let spec = VideoSpec { width: 1280, height: 720, fps: 30.0 };
//! let control_plane = "http://127.0.0.1:8080".parse()?;
//! let vehicle = VehicleLink::start(runtime.handle(), &control_plane, hello, &[spec])?;
//! let options = SeatOptions { kind: SeatKind::Human, watch_only: false, decode: true };
//! let seat = SeatLink::connect(runtime.handle(), &control_plane, SeatId::new("desk")?, VehicleId::new("car-1")?, options)?;
//! vehicle.send_state(v1::StateDatagram::default());
//! while let Some(received) = seat.try_recv() {
//!     println!("{received:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # On the wire
//!
//! The vehicle offers, the seat answers; candidates trickle, one transport carries all. Channels are opened by
//! whoever sends on them, in band; every message is one binary protobuf.
//!
//! | what | opened by | kind | message |
//! | --- | --- | --- | --- |
//! | H.264 video, `sendonly`, one track a camera, named `camera-0` and so on | vehicle | RTP, packetization mode 1 | one access unit a timestamp, `capture_us * 9 / 100` |
//! | Opus audio, one section for both directions, silent until somebody speaks | both; not by a seat that only watches | RTP, 48 kHz, 20 ms | one frame a packet, each with a copy of the one before |
//! | [`STATE_CHANNEL`] | vehicle | unordered, 100 ms | `StateDatagram`, with a state or with a segment of a lidar scan |
//! | [`EVENTS_CHANNEL`] | vehicle | reliable, ordered | `VehicleEvent`, the first a `Hello` |
//! | [`COMMAND_CHANNEL`] | seat | unordered, 100 ms or no retransmission | `CommandDatagram` |
//! | [`REQUESTS_CHANNEL`] | seat | reliable, ordered | `SeatRequest` |
//!
//! A `ClockPing` in a `CommandDatagram` comes back as `ClockPong` in the session's next `StateDatagram`.
//!
//! Two ends of this crate do more, as each says in signalling (`features` of call and offer); a browser gets the above.
//!
//! - `rtcp-datagrams`: states and commands travel as RTCP application-defined packets (name `TKOV`) instead of on their
//!   channels, unless they are larger than a packet: SCTP would hold them up for a second after a loss.
//! - `rs-fec`: redundancy (Reed-Solomon over each frame's packets) follows the frame in the same stream under the same
//!   payload type; [`rtp::FrameInfo`], a header extension on each packet, says which packets those are.
//! - `vehicle-clock-audio`: audio is stamped with the vehicle's clock, `capture_us * 48 / 1000`, so that its age is known.
//! - `picture-feedback`: the seat tells which pictures it has decoded, so that after a loss the encoder refers to one of
//!   those instead of sending a keyframe.
//!
//! Two ends of this crate also use several paths at once where interfaces are given ([`Paths`]). Each path is a call and
//! a connection of its own; the first one's name is the session's, the others name session and index (`path`). All carry
//! the very same RTP packets, datagrams and reliable messages; what came already is dropped on arrival (`link_sequence`).
//! A session outlives each of its paths, the first one like any other.
//!
//! A path that goes silent is waited for: the session goes on where it was when the path comes back within half a minute,
//! and the seat asks for another path by signalling meanwhile ([`Signal::Restart`](protocol::signalling::Signal::Restart)).
//!
//! # What it does not do
//!
//! It knows its peer by the certificate that the control plane vouches for ([`Identity`]) and decides nothing else: whatever a seat sends goes to the vehicle core,
//! which may refuse it. Only a watch-only session is held to watching here already: its inputs and requests end here, an
//! emergency stop excepted.

pub mod audio;
mod cc;
mod control_plane;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod identity;
pub mod lidar;
pub mod media;
pub mod netem;
mod paths;
mod peer;
pub mod rtp;
mod seat;
mod session;
mod signalling;
mod vehicle;

pub use cc::CameraPlan;
pub use control_plane::ice_server_problem;
pub use error::LinkError;
pub use identity::Identity;
/// Directives for a program's log filter: the libraries below write a line for every packet that a dead path refuses, and
/// what they mean by it is said by this crate, with a code.
pub const QUIET: &str = "webrtc=off,rtc=off,quinn_udp=off";

pub use paths::{MAX_PATHS, Paths};
pub use protocol::ClockEstimate;
pub use seat::{Deadman, FromVehicle, SeatLink, SeatOptions, SeatStats, WallClocks};
pub use vehicle::{
    CameraOrder, CameraStreamer, FromSeat, FromSeatBody, Guard, MAX_CAMERAS, MAX_SESSIONS, MakeEncoder, PathLoad,
    VehicleLink, VehicleOptions,
};

use std::time::Instant;

/// Vehicle to seat, unreliable: `StateDatagram`.
pub const STATE_CHANNEL: &str = "state";
/// Vehicle to seat, reliable: `VehicleEvent`.
pub const EVENTS_CHANNEL: &str = "events";
/// Seat to vehicle, unreliable: `CommandDatagram`.
pub const COMMAND_CHANNEL: &str = "command";
/// Seat to vehicle, reliable: `SeatRequest`.
pub const REQUESTS_CHANNEL: &str = "requests";
/// Most inputs in one `CommandDatagram`.
pub const MAX_INPUTS: usize = 32;

/// Peer understands forward error correction packets between those of the video.
const FEC_FEATURE: &str = "rs-fec";
/// Seat tells which pictures it has decoded, in its datagrams.
const FEEDBACK_FEATURE: &str = "picture-feedback";

/// Audio's timestamps are readings of the vehicle's clock, at the seat by its estimate.
const AUDIO_FEATURE: &str = "vehicle-clock-audio";

/// What this build understands beyond plain WebRTC, as it stands in calls and offers.
fn features() -> Vec<String> {
    [FEC_FEATURE, FEEDBACK_FEATURE, AUDIO_FEATURE, peer::datagram::FEATURE].map(str::to_owned).into()
}

fn now_us(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_micros()).unwrap_or(u64::MAX)
}
