//! From takeover episodes to a better policy.
//!
//! - [`Dataset`] reads episode files: each 10 Hz frame gets the features that the policy saw, the action that was
//!   executed, and a [`FrameLabel`] that says what the takeover tells about it.
//! - [`train`] fits a network to it by weighted behaviour cloning, from scratch or from a parent, and the same seed and
//!   data always give the same bits.
//! - [`quantize`] brings it into the 8-bit form in which it drives, and [`publish`] writes the artefact.
//!
//! ```no_run
//! use protocol::{Embodiment, PolicyVersion};
//! use trainer::{Dataset, TrainConfig, manifest_of, publish, quantize, train};
//!
//! let car = Embodiment::ackermann_car();
//! let files = trainer::episode_files("demo/episodes".as_ref())?;
//! let mut dataset = Dataset::new(&car);
//! dataset.add(&files, &|done, total| eprintln!("{done} of {total}"))?;
//! let trained = train(&dataset, &TrainConfig::default(), None, &mut |_| ())?;
//! let quantized = quantize(&trained, &dataset)?;
//! let manifest = manifest_of(PolicyVersion::new("v1")?, None, &dataset, &trained, &quantized);
//! publish("demo/policies".as_ref(), &car, manifest, quantized.network)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Whether a policy is good enough to ship is not decided by its loss but by driving: [`fleet`] drives in virtual time,
//! [`gate`] says whether a candidate is better than its predecessor ([`comparison`] drives for it), [`figures`] makes the
//! rows of a report, [`policy_seat`] has the drivers that stand beside the policies there. [`seeds`] keeps what is learnt
//! from, what decides and what is reported apart. [`flywheel`] turns it all.

pub mod comparison;
mod dataset;
mod error;
pub mod figures;
pub mod fleet;
pub mod flywheel;
pub mod gate;
mod learn;
pub mod policy_seat;
mod publish;
pub mod road_split;
pub mod seeds;

pub use dataset::{
    Dataset, Episode, Frame, FrameLabel, HELP_HORIZON_NS, PERTURBED_COPIES, PRE_TAKEOVER_FRAMES, Selection, Split,
    episode_files,
};
pub use error::TrainError;
pub use learn::{
    Agreement, LOOKS, LossPoint, Quantized, Report, TrainConfig, TrainedNet, Weighting, quantize, quantize_network,
    report, train,
};
pub use publish::{manifest_of, publish};
