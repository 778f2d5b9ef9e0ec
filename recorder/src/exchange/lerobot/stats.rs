//! `meta/stats.json`: range, mean, spread and quantiles of every feature.

use serde_json::{Map, Value, json};

/// Quantiles that training normalizes by.
const QUANTILES: [(&str, f64); 5] = [("q01", 0.01), ("q10", 0.10), ("q50", 0.50), ("q90", 0.90), ("q99", 0.99)];
/// Values kept of a channel for its quantiles; of more, every second, fourth, ... one is kept.
const MAX_SAMPLES: usize = 1 << 16;

/// Running statistics of one feature, channel by channel.
#[derive(Debug, Clone)]
pub(super) struct Stats {
    channels: Vec<Channel>,
    /// What counts when it is not the rows: pictures, of each of which many pixels are looked at.
    pictures: Option<u64>,
}

#[derive(Debug, Clone)]
struct Channel {
    count: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// Sum of squared deviations (Welford 1962).
    squares: f64,
    samples: Vec<f32>,
    every: u64,
}

impl Channel {
    fn add(&mut self, value: f64) {
        if self.count.is_multiple_of(self.every) {
            self.samples.push(value as f32);
        }
        if self.samples.len() > MAX_SAMPLES {
            let mut keep = false;
            self.samples.retain(|_| {
                keep = !keep;
                keep
            });
            self.every *= 2;
        }
        self.count += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (value - self.mean);
    }

    fn deviation(&self) -> f64 {
        (self.squares / self.count as f64).max(0.0).sqrt()
    }

    /// The value below which this share of the samples lies, of sorted samples; between two of them in proportion.
    fn quantile(sorted: &[f32], share: f64) -> f64 {
        let at = (sorted.len() - 1) as f64 * share;
        let value = |index: usize| f64::from(sorted[index.min(sorted.len() - 1)]);
        let below = at as usize;
        value(below) + (value(below + 1) - value(below)) * at.fract()
    }
}

impl Stats {
    pub fn new(width: usize) -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        let empty = Channel { count: 0, min, max, mean: 0.0, squares: 0.0, samples: Vec::new(), every: 1 };
        Self { channels: vec![empty; width], pictures: None }
    }

    /// Statistics of pictures' red, green and blue, from 0 to 1.
    pub fn of_pictures() -> Self {
        Self { pictures: Some(0), ..Self::new(3) }
    }

    /// Adds a row; what is not a number does not count.
    pub fn add(&mut self, row: impl Iterator<Item = f64>) {
        for (channel, value) in self.channels.iter_mut().zip(row).filter(|(_, value)| value.is_finite()) {
            channel.add(value);
        }
    }

    /// Adds some pixels of a picture.
    pub fn add_picture(&mut self, pixels: &[[u8; 3]]) {
        self.pictures = self.pictures.map(|count| count + 1);
        for pixel in pixels {
            self.add(pixel.iter().map(|value| f64::from(*value) / 255.0));
        }
    }

    pub fn to_json(&self) -> Value {
        let one = |value: f64| if self.pictures.is_some() { json!([[value]]) } else { json!(value) };
        let all = |of: &dyn Fn(&Channel) -> f64| -> Vec<Value> {
            self.channels.iter().map(|channel| one(if channel.count == 0 { 0.0 } else { of(channel) })).collect()
        };
        let rows = self.channels.iter().map(|channel| channel.count).max().unwrap_or(0);
        let mut object = Map::new();
        object.insert("min".to_owned(), json!(all(&|c| c.min)));
        object.insert("max".to_owned(), json!(all(&|c| c.max)));
        object.insert("mean".to_owned(), json!(all(&|c| c.mean)));
        object.insert("std".to_owned(), json!(all(&Channel::deviation)));
        object.insert("count".to_owned(), json!([self.pictures.unwrap_or(rows)]));
        for (name, share) in QUANTILES {
            let quantile = |channel: &Channel| {
                let mut sorted = channel.samples.clone();
                sorted.sort_by(f32::total_cmp);
                Channel::quantile(&sorted, share)
            };
            object.insert(name.to_owned(), json!(all(&quantile)));
        }
        Value::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_many_values_are_those_of_a_part_of_them() {
        let mut stats = Stats::new(1);
        (0..=1_000_000).for_each(|n| stats.add(std::iter::once(f64::from(n))));
        stats.add(std::iter::once(f64::NAN));
        let json = stats.to_json();
        assert_eq!((&json["count"], &json["max"], &json["mean"]), (&json!([1_000_001]), &json!([1e6]), &json!([5e5])));
        for (name, expected) in [("q01", 1e4), ("q50", 5e5), ("q99", 9.9e5)] {
            let value = json[name][0].as_f64().unwrap();
            assert!((value - expected).abs() < 50.0, "{name} {value}");
        }
    }

    #[test]
    fn pictures_have_a_value_a_colour_and_count_as_one_each() {
        let mut stats = Stats::of_pictures();
        stats.add_picture(&[[0, 255, 51], [0, 255, 153]]);
        let json = stats.to_json();
        assert_eq!((&json["count"], &json["max"]), (&json!([1]), &json!([[[0.0]], [[1.0]], [[0.6]]])));
        assert_eq!(json["mean"], json!([[[0.0]], [[1.0]], [[0.4]]]));
    }
}
