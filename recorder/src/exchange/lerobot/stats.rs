//! `meta/stats.json`: range, mean and spread of every feature.

use serde_json::{Value, json};

/// Running statistics of one feature, channel by channel.
#[derive(Debug, Clone)]
pub(super) struct Stats {
    channels: Vec<Channel>,
}

#[derive(Debug, Clone, Copy)]
struct Channel {
    count: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// Sum of squared deviations (Welford 1962).
    squares: f64,
}

impl Stats {
    pub fn new(width: usize) -> Self {
        let empty = Channel { count: 0, min: f64::INFINITY, max: f64::NEG_INFINITY, mean: 0.0, squares: 0.0 };
        Self { channels: vec![empty; width] }
    }

    /// Adds a row; what is not a number does not count.
    pub fn add(&mut self, row: impl Iterator<Item = f64>) {
        for (channel, value) in self.channels.iter_mut().zip(row).filter(|(_, value)| value.is_finite()) {
            channel.count += 1;
            channel.min = channel.min.min(value);
            channel.max = channel.max.max(value);
            let delta = value - channel.mean;
            channel.mean += delta / channel.count as f64;
            channel.squares += delta * (value - channel.mean);
        }
    }

    pub fn to_json(&self) -> Value {
        let all = |of: fn(&Channel) -> f64| -> Vec<f64> {
            self.channels.iter().map(|channel| if channel.count == 0 { 0.0 } else { of(channel) }).collect()
        };
        let count = self.channels.iter().map(|channel| channel.count).max().unwrap_or(0);
        json!({
            "min": all(|c| c.min),
            "max": all(|c| c.max),
            "mean": all(|c| c.mean),
            "std": all(|c| (c.squares / c.count as f64).max(0.0).sqrt()),
            "count": [count],
        })
    }
}
