//! Observation to features to quantized network to action and confidence
