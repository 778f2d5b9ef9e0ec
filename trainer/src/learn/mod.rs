//! Learning: weighted behaviour cloning and a calibrated confidence, quantization.

mod model;
mod quantize;
mod report;
mod sample;
mod train;

pub use quantize::{Agreement, Quantized, quantize, quantize_network};
pub use report::{Report, report};
pub use sample::Weighting;
pub use train::{LOOKS, LossPoint, TrainConfig, TrainedNet, train};
