//! What one direction does to packets, and the changes that a file makes to it.

use super::NetemError;
use serde::Deserialize;

/// What one direction of a path does to its packets. The default does nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Impairment {
    /// Added to every packet, microseconds.
    pub delay_us: u64,
    /// Mean of the exponentially distributed addition, microseconds.
    pub jitter_us: u64,
    /// Mean share of packets lost, 0 to 1.
    pub loss: f64,
    /// Mean number of packets lost in a row; 0 for independent losses.
    pub burst_packets: f64,
    /// Share of packets held back, 0 to 1.
    pub reorder: f64,
    /// How long those are held back, microseconds.
    pub reorder_us: u64,
    /// Share of packets that arrive twice, 0 to 1.
    pub duplicate: f64,
    /// Bits per second of the bottleneck; 0 for no limit.
    pub rate_bps: u64,
    /// What waits before the bottleneck.
    pub queue: QueueLimit,
    /// Everything is lost.
    pub blackhole: bool,
}

/// Room of the drop-tail queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueLimit {
    /// In bytes.
    Bytes(u64),
    /// In milliseconds at the present rate.
    Ms(u64),
}

impl Default for QueueLimit {
    fn default() -> Self {
        Self::Ms(200)
    }
}

/// Whatever the queue's limit, one packet of this size finds room in an empty one.
const ONE_PACKET: u64 = 1600;
/// Hold-back of reordered packets when the file names none, microseconds.
const REORDER_US: u64 = 10_000;

impl Impairment {
    /// Bytes that may wait.
    #[must_use]
    pub fn queue_bytes(&self) -> u64 {
        match self.queue {
            QueueLimit::Bytes(bytes) => bytes,
            QueueLimit::Ms(ms) => (u128::from(self.rate_bps) * u128::from(ms) / 8000) as u64,
        }
        .max(ONE_PACKET)
    }
}

/// A part of an impairment, as files name it; what it leaves out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImpairmentChange {
    /// Milliseconds one way, 0 to 60,000.
    pub delay_ms: Option<f64>,
    /// Mean of the exponential addition, milliseconds, 0 to 10,000.
    pub jitter_ms: Option<f64>,
    /// Mean loss, percent.
    pub loss_percent: Option<f64>,
    /// Mean number of packets lost in a row, 1 to 1,000; 0 for independent losses.
    pub burst_packets: Option<f64>,
    /// Packets held back, percent.
    pub reorder_percent: Option<f64>,
    /// How long they are held back, milliseconds, 0 to 10,000.
    pub reorder_ms: Option<f64>,
    /// Packets that arrive twice, percent.
    pub duplicate_percent: Option<f64>,
    /// Bottleneck, 0.001 to 10,000 Mbit/s; 0 for no limit.
    pub rate_mbps: Option<f64>,
    /// Drop-tail queue, milliseconds at the present rate, 1 to 60,000.
    pub queue_ms: Option<u64>,
    /// Drop-tail queue, bytes, 1,600 to 1,000,000,000.
    pub queue_bytes: Option<u64>,
    /// Everything is lost.
    pub blackhole: Option<bool>,
}

impl ImpairmentChange {
    /// `before` with these changes; `place` is where they stand, for the error.
    ///
    /// # Errors
    /// When a value is out of its range or two do not go together.
    pub fn apply(&self, before: &Impairment, place: &str) -> Result<Impairment, NetemError> {
        let checked = |key: &'static str, value: Option<f64>, min: f64, max: f64, unit: &str| match value {
            Some(v) if v.is_finite() && v >= min && v <= max => Ok(Some(v)),
            Some(v) => Err(wrong(place, key, &v, format!("{min} to {max} {unit} are possible"))),
            None => Ok(None),
        };
        let percent = |key, value| Ok::<_, NetemError>(checked(key, value, 0.0, 100.0, "percent")?.map(|v| v / 100.0));
        let us = |key, value, max| {
            Ok::<_, NetemError>(checked(key, value, 0.0, max, "ms")?.map(|v| (v * 1000.0).round() as u64))
        };
        let mut after = before.clone();
        set(&mut after.delay_us, us("delay_ms", self.delay_ms, 60_000.0)?);
        set(&mut after.jitter_us, us("jitter_ms", self.jitter_ms, 10_000.0)?);
        set(&mut after.loss, percent("loss_percent", self.loss_percent)?);
        let off_or_from = |least: f64, value: Option<f64>| if value == Some(0.0) { 0.0 } else { least };
        let least = off_or_from(1.0, self.burst_packets);
        set(&mut after.burst_packets, checked("burst_packets", self.burst_packets, least, 1000.0, "packets")?);
        set(&mut after.reorder, percent("reorder_percent", self.reorder_percent)?);
        set(&mut after.reorder_us, us("reorder_ms", self.reorder_ms, 10_000.0)?);
        if self.reorder_percent.is_some() && self.reorder_ms.is_none() && before.reorder_us == 0 {
            after.reorder_us = REORDER_US;
        }
        set(&mut after.duplicate, percent("duplicate_percent", self.duplicate_percent)?);
        let least = off_or_from(0.001, self.rate_mbps);
        let rate = checked("rate_mbps", self.rate_mbps, least, 10_000.0, "Mbit/s")?;
        set(&mut after.rate_bps, rate.map(|v| (v * 1e6).round() as u64));
        set(&mut after.queue, self.queue(place)?);
        set(&mut after.blackhole, self.blackhole);
        check_bursts(&after, place)?;
        Ok(after)
    }

    fn queue(&self, place: &str) -> Result<Option<QueueLimit>, NetemError> {
        match (self.queue_ms, self.queue_bytes) {
            (Some(ms), Some(_)) => {
                Err(wrong(place, "queue_ms", &ms, "queue_bytes stands beside it; name one of the two".to_owned()))
            }
            (Some(ms), None) if !(1..=60_000).contains(&ms) => {
                Err(wrong(place, "queue_ms", &ms, "1 to 60000 ms are possible".to_owned()))
            }
            (None, Some(bytes)) if !(ONE_PACKET..=1_000_000_000).contains(&bytes) => {
                Err(wrong(place, "queue_bytes", &bytes, format!("{ONE_PACKET} to 1000000000 bytes are possible")))
            }
            (Some(ms), None) => Ok(Some(QueueLimit::Ms(ms))),
            (None, Some(bytes)) => Ok(Some(QueueLimit::Bytes(bytes))),
            (None, None) => Ok(None),
        }
    }
}

/// Between two bursts at least one packet arrives, so bursts of a mean length bound the mean loss.
fn check_bursts(impairment: &Impairment, place: &str) -> Result<(), NetemError> {
    let Impairment { loss, burst_packets, .. } = *impairment;
    let most = burst_packets / (burst_packets + 1.0);
    if burst_packets == 0.0 || loss <= most {
        return Ok(());
    }
    let expected = format!("with bursts of {burst_packets} packets at most {:.2} percent can be lost", most * 100.0);
    Err(wrong(place, "loss_percent", &(loss * 100.0), expected))
}

fn set<V>(target: &mut V, value: Option<V>) {
    if let Some(value) = value {
        *target = value;
    }
}

pub(super) fn wrong(place: &str, key: &'static str, value: &dyn ToString, expected: String) -> NetemError {
    NetemError::Value { place: place.to_owned(), key, value: value.to_string(), expected }
}
