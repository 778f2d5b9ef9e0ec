//! The shared language of `takeover`: messages, units, identifiers, robots, clocks. No async, no threads, and no I/O but
//! that of [`Address`], which asks the system what a host's name stands for and listens there, of
//! [`hasten_small_messages`], and of [`Embodiment::from_file`].
//!
//! - [`v1`] and [`foxglove`] hold the protobuf messages; one definition serves the wire and the file. [`schema`] gives
//!   the descriptors that a file or a live viewer needs.
//! - [`Embodiment`] is what a robot is made of, read from a TOML file: body, kinematics, actuators, sensors, and its
//!   channels with their units and limits, so that nothing outside an adapter has to assume a car.
//! - [`ClockEstimator`] relates two clocks and says how far to trust the answer; [`ClockDifference`] says it of wall clocks.
//! - [`grant`] is the control plane's signed word that a seat may take part, [`signing`] what it is signed with.
//! - [`erasure`] is the proof that episodes are gone.
//! - [`topics`], [`Message`], [`EpisodeInfo`] and [`trigger`] are what an episode consists of, whoever writes or reads it.
//! - [`signalling`] and [`api`] are the JSON spoken with the control plane.
//!
//! ```
//! use protocol::{Embodiment, v1};
//! use prost::Message;
//!
//! let car = Embodiment::ackermann_car();
//! let state = v1::VehicleState { observation: vec![8.3, 0.1, 0.02, 0.01], ..Default::default() };
//! assert_eq!(car.observation(&state.observation, "speed_mps"), Some(8.3));
//! let bytes = state.encode_to_vec();
//! assert_eq!(v1::VehicleState::decode(&bytes[..])?, state);
//! # Ok::<(), prost::DecodeError>(())
//! ```

mod address;
pub mod api;
mod clock;
mod embodiment;
mod episode;
pub mod erasure;
mod failure;
mod fault;
pub mod grant;
mod ids;
mod labels;
mod message;
pub mod mpd;
pub mod schema;
mod seat_kind;
pub mod signalling;
pub mod signing;
pub mod topics;
pub mod trigger;
pub mod units;
mod wall;

pub use address::{Address, AddressError, ListenError, hasten_small_messages};
pub use clock::{ClockEstimate, ClockEstimator};
pub use embodiment::{
    Ackermann, Actuator, Body, CameraSensor, Channel, Channels, Differential, Embodiment, EmbodimentError, Kinematics,
    LidarSensor, MAX_ACTION_CHANNELS, Mount,
};
pub use episode::{Attachment, EpisodeInfo, EpisodeSource, MetadataError, Recovered, catalogue_name};
pub use failure::Failure;
pub use fault::FaultCode;
pub use ids::{EpisodeId, IdError, PolicyVersion, SeatId, VehicleId};
pub use message::{Message, Topic};
pub use trigger::{Trigger, Triggered};
pub use v1::SeatKind;
pub use wall::{ClockDifference, DifferenceNews, DifferenceWatch, NOTABLE_MS};

pub use generated::foxglove;
pub use generated::takeover::v1;

/// The packages in the folders that the compiled messages name each other by.
#[allow(missing_docs, clippy::all)]
mod generated {
    pub mod takeover {
        /// `takeover`'s own messages.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/takeover.v1.rs"));
        }
    }

    /// The well-known Foxglove schemas.
    pub mod foxglove {
        include!(concat!(env!("OUT_DIR"), "/foxglove.rs"));
    }
}
