//! What is known about an episode besides its messages.

use crate::{EpisodeId, PolicyVersion, SeatId, Trigger, Triggered, VehicleId, api};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Where an episode was driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EpisodeSource {
    /// In real time.
    #[default]
    Live,
    /// In virtual time; its clock starts anywhere.
    Virtual,
}

impl EpisodeSource {
    fn label(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Virtual => "virtual",
        }
    }
}

/// Why an entry of the `episode` metadata cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("episode metadata {key:?} is {value:?}: {problem}")]
pub struct MetadataError {
    /// Which entry.
    pub key: &'static str,
    /// Its value, empty when missing.
    pub value: String,
    /// What is wrong.
    pub problem: String,
}

/// How an episode was recovered after its writer was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// Byte of the `.part` file from which on nothing could be read.
    pub cut_at: u64,
    /// Damaged records (chunks, attachments) before that byte, left out.
    pub skipped_records: u64,
}

/// A file within the episode file: the map, the scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// File name, such as `map.xodr`.
    pub name: String,
    /// Media type, such as `application/xml`.
    pub media_type: String,
    /// Content.
    pub data: Bytes,
}

/// An episode's description; times are nanoseconds on the clock of the messages' log times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeInfo {
    /// Identity, equal to the takeover's.
    pub id: EpisodeId,
    /// The vehicle that it belongs to.
    pub vehicle: VehicleId,
    /// Policy in force when it began.
    pub policy: PolicyVersion,
    /// What opened the episode.
    #[serde(default)]
    pub trigger: Trigger,
    /// Everything that fired while it was recorded, the trigger that opened it first.
    #[serde(default)]
    pub triggers: Vec<Triggered>,
    /// [`crate::v1::TakeoverCause::label`].
    pub cause: String,
    /// Free text for people.
    pub reason: String,
    /// Road network.
    pub map: String,
    /// Name of the robot's embodiment.
    pub embodiment: String,
    /// Version of the software that drove.
    pub software: String,
    /// Seed of the scenario, for a simulated drive.
    pub seed: Option<u64>,
    /// Real or virtual time.
    pub source: EpisodeSource,
    /// When the operator took over, or what else opened the episode fired.
    pub takeover_ns: u64,
    /// When that ended; `None` while it lasts.
    pub takeover_end_ns: Option<u64>,
    /// Pre-roll that was asked for.
    pub requested_pre_roll_ns: u64,
    /// Pre-roll that is in the file: longer by what the keyframe needs, shorter when the ring held less.
    pub actual_pre_roll_ns: u64,
    /// Post-roll that was asked for.
    pub requested_post_roll_ns: u64,
    /// First log time.
    pub start_ns: u64,
    /// End of the post-roll.
    pub end_ns: u64,
    /// Messages that were offered and are not in the file, by topic.
    pub drops: BTreeMap<String, u64>,
    /// Set when the file was made from what a crash had left.
    pub recovered: Option<Recovered>,
    /// Set when the disk failed under an episode and this is the rest of it: the episode that it goes on from.
    #[serde(default)]
    pub continues: Option<EpisodeId>,
    /// Weather when it began, as the vehicle perceived it; empty when it does not know.
    #[serde(default)]
    pub weather: String,
    /// Seats that held the vehicle between `start_ns` and `end_ns`; the recorder fills them in.
    #[serde(default)]
    pub seats: Vec<SeatId>,
    /// Where it began, in the road network's coordinates, millimetres.
    #[serde(default)]
    pub position_mm: Option<[i64; 2]>,
    /// Where it began on the Earth (WGS 84): latitude and longitude, 1e-7 degrees.
    #[serde(default)]
    pub fix_e7: Option<[i64; 2]>,
    /// By how much the clock of the log times was ahead of the control plane's, milliseconds; `None` where that was not
    /// known when it began.
    #[serde(default)]
    pub clock_ahead_ms: Option<i64>,
    /// The turn of the flywheel whose fleet drove it; `None` for every other drive, and in files of earlier releases.
    #[serde(default)]
    pub turn: Option<u64>,
}

/// Longest name, longest free text and most seats that the catalogue takes.
const MAX_NAME: usize = 128;
const MAX_TEXT: usize = 4096;
const MAX_SEATS: usize = 100;

impl EpisodeInfo {
    /// A description with everything else empty or zero.
    #[must_use]
    pub fn new(id: EpisodeId, vehicle: VehicleId, policy: PolicyVersion) -> Self {
        Self {
            id,
            vehicle,
            policy,
            trigger: Trigger::default(),
            triggers: Vec::new(),
            cause: String::new(),
            reason: String::new(),
            map: String::new(),
            embodiment: String::new(),
            software: String::new(),
            seed: None,
            source: EpisodeSource::Live,
            takeover_ns: 0,
            takeover_end_ns: None,
            requested_pre_roll_ns: 0,
            actual_pre_roll_ns: 0,
            requested_post_roll_ns: 0,
            start_ns: 0,
            end_ns: 0,
            drops: BTreeMap::new(),
            recovered: None,
            continues: None,
            weather: String::new(),
            seats: Vec::new(),
            position_mm: None,
            fix_e7: None,
            clock_ahead_ms: None,
            turn: None,
        }
    }

    /// From the start of the pre-roll to the end of the post-roll, seconds.
    #[must_use]
    pub fn duration_s(&self) -> f64 {
        self.end_ns.saturating_sub(self.start_ns) as f64 * 1e-9
    }

    /// The catalogue's row for the finished file `file` of `bytes` bytes with this SHA-256 (hex).
    #[must_use]
    pub fn to_api(&self, file: String, bytes: u64, sha256: String) -> api::Episode {
        api::Episode {
            id: self.id.clone(),
            vehicle: self.vehicle.clone(),
            policy: self.policy.clone(),
            cause: self.known_cause(),
            file,
            bytes,
            sha256,
            start_ms: (self.start_ns / 1_000_000) as i64,
            duration_s: self.duration_s(),
            map: catalogue_name(&self.map),
            trigger: Some(self.trigger.label().to_owned()),
            reason: told(&self.reason),
            software: Some(catalogue_name(&self.software)).filter(|text| !text.is_empty()),
            weather: Some(catalogue_name(&self.weather)).filter(|text| !text.is_empty()),
            seats: self.seats.iter().take(MAX_SEATS).cloned().collect(),
            x_m: self.position_mm.map(|[x_mm, _]| x_mm as f64 / 1e3),
            y_m: self.position_mm.map(|[_, y_mm]| y_mm as f64 / 1e3),
            latitude_deg: self.fix_e7.map(|[latitude, _]| latitude as f64 / 1e7),
            longitude_deg: self.fix_e7.map(|[_, longitude]| longitude as f64 / 1e7),
            clock_ahead_ms: self.clock_ahead_ms,
        }
    }

    /// The cause as the catalogue wants it: a takeover has one, other episodes may have none.
    fn known_cause(&self) -> String {
        if self.cause.is_empty() && self.trigger == Trigger::Takeover {
            return crate::v1::TakeoverCause::Unspecified.label().to_owned();
        }
        self.cause.clone()
    }

    /// The entries of the `episode` metadata record.
    #[must_use]
    pub fn to_metadata(&self) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        let mut put = |key: &str, value: String| map.insert(key.to_owned(), value);
        put("id", self.id.to_string());
        put("vehicle", self.vehicle.to_string());
        put("policy", self.policy.to_string());
        put("trigger", self.trigger.label().to_owned());
        put("triggers", serde_json::json!(self.triggers).to_string());
        put("cause", self.cause.clone());
        put("reason", self.reason.clone());
        put("map", self.map.clone());
        put("embodiment", self.embodiment.clone());
        put("software", self.software.clone());
        put("source", self.source.label().to_owned());
        put("takeover_ns", self.takeover_ns.to_string());
        put("requested_pre_roll_ns", self.requested_pre_roll_ns.to_string());
        put("actual_pre_roll_ns", self.actual_pre_roll_ns.to_string());
        put("requested_post_roll_ns", self.requested_post_roll_ns.to_string());
        put("start_ns", self.start_ns.to_string());
        put("end_ns", self.end_ns.to_string());
        put("drops", serde_json::json!(self.drops).to_string());
        put("recovered", self.recovered.is_some().to_string());
        self.continues.as_ref().map(|id| put("continues", id.to_string()));
        self.seed.map(|seed| put("seed", seed.to_string()));
        put("weather", self.weather.clone());
        put("seats", serde_json::json!(self.seats).to_string());
        put("position_mm", serde_json::json!(self.position_mm).to_string());
        put("fix_e7", serde_json::json!(self.fix_e7).to_string());
        self.clock_ahead_ms.map(|ahead| put("clock_ahead_ms", ahead.to_string()));
        self.turn.map(|turn| put("turn", turn.to_string()));
        self.takeover_end_ns.map(|end| put("takeover_end_ns", end.to_string()));
        if let Some(recovered) = &self.recovered {
            put("recovered_cut_at", recovered.cut_at.to_string());
            put("recovered_skipped_records", recovered.skipped_records.to_string());
        }
        let check = check(&map);
        map.insert(CHECK.to_owned(), check);
        map
    }

    /// Reads what [`Self::to_metadata`] wrote.
    ///
    /// # Errors
    /// [`MetadataError`] naming the entry that is missing or has no sense.
    pub fn from_metadata(map: &BTreeMap<String, String>) -> Result<Self, MetadataError> {
        let entries = Entries(map);
        if entries.text(CHECK)? != check(map) {
            return Err(bad(CHECK, entries.text(CHECK)?, "the entries are not those that were written"));
        }
        let recovered = match entries.parse::<bool>("recovered")? {
            true => Some(Recovered {
                cut_at: entries.parse("recovered_cut_at")?,
                skipped_records: entries.parse("recovered_skipped_records")?,
            }),
            false => None,
        };
        Ok(Self {
            id: entries.parse("id")?,
            vehicle: entries.parse("vehicle")?,
            policy: entries.parse("policy")?,
            trigger: entries.trigger()?,
            triggers: entries.json("triggers")?,
            cause: entries.text("cause")?.to_owned(),
            reason: entries.text("reason")?.to_owned(),
            map: entries.text("map")?.to_owned(),
            embodiment: entries.text("embodiment")?.to_owned(),
            software: entries.text("software")?.to_owned(),
            seed: entries.optional("seed")?,
            source: match entries.text("source")? {
                "live" => EpisodeSource::Live,
                "virtual" => EpisodeSource::Virtual,
                other => return Err(bad("source", other, "neither live nor virtual")),
            },
            takeover_ns: entries.parse("takeover_ns")?,
            takeover_end_ns: entries.optional("takeover_end_ns")?,
            requested_pre_roll_ns: entries.parse("requested_pre_roll_ns")?,
            actual_pre_roll_ns: entries.parse("actual_pre_roll_ns")?,
            requested_post_roll_ns: entries.parse("requested_post_roll_ns")?,
            start_ns: entries.parse("start_ns")?,
            end_ns: entries.parse("end_ns")?,
            drops: entries.json("drops")?,
            recovered,
            continues: entries.optional("continues")?,
            weather: map.get("weather").cloned().unwrap_or_default(),
            seats: entries.json("seats")?,
            position_mm: entries.json("position_mm")?,
            fix_e7: entries.json("fix_e7")?,
            clock_ahead_ms: entries.optional("clock_ahead_ms")?,
            turn: entries.optional("turn")?,
        })
    }
}

/// A name for the catalogue: in one line, and cut when it is too long.
#[must_use]
pub fn catalogue_name(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line[..line.floor_char_boundary(MAX_NAME)].to_owned()
}

/// A text for the catalogue: none when it is empty, cut when it is too long.
fn told(text: &str) -> Option<String> {
    let end = (0..=text.len().min(MAX_TEXT)).rev().find(|at| text.is_char_boundary(*at))?;
    Some(text[..end].replace('\0', "")).filter(|text| !text.is_empty())
}

/// Entry with the hash of the others: the container has no checksum on metadata.
const CHECK: &str = "check";

/// Hash over all other entries.
fn check(map: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (key, value) in map.iter().filter(|(key, _)| *key != CHECK) {
        for text in [key, value] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
    }
    hex::encode(&hash.finalize()[..8])
}

struct Entries<'a>(&'a BTreeMap<String, String>);

impl Entries<'_> {
    fn text(&self, key: &'static str) -> Result<&str, MetadataError> {
        self.0.get(key).map(String::as_str).ok_or_else(|| bad(key, "", "missing"))
    }

    fn parse<T: std::str::FromStr<Err: ToString>>(&self, key: &'static str) -> Result<T, MetadataError> {
        let text = self.text(key)?;
        text.parse().map_err(|error: T::Err| bad(key, text, error.to_string()))
    }

    /// A value in JSON; the default where files of earlier versions have none.
    fn json<T: serde::de::DeserializeOwned + Default>(&self, key: &'static str) -> Result<T, MetadataError> {
        let Some(text) = self.0.get(key) else { return Ok(T::default()) };
        serde_json::from_str(text).map_err(|error| bad(key, text, error.to_string()))
    }

    fn trigger(&self) -> Result<Trigger, MetadataError> {
        let Some(label) = self.0.get("trigger") else { return Ok(Trigger::default()) };
        Trigger::by_label(label).ok_or_else(|| bad("trigger", label, "no trigger has this name"))
    }

    fn optional<T: std::str::FromStr<Err: ToString>>(&self, key: &'static str) -> Result<Option<T>, MetadataError> {
        if self.0.contains_key(key) { self.parse(key).map(Some) } else { Ok(None) }
    }
}

fn bad(key: &'static str, value: &str, problem: impl Into<String>) -> MetadataError {
    MetadataError { key, value: value.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> EpisodeInfo {
        let mut info = EpisodeInfo::new(
            EpisodeId::new("e-1").unwrap(),
            VehicleId::new("car").unwrap(),
            PolicyVersion::new("p").unwrap(),
        );
        info.seed = Some(u64::MAX);
        info.takeover_end_ns = Some(7);
        info.drops.insert("/scan".into(), 3);
        info.reason = "says \"stop\"\n".into();
        info.source = EpisodeSource::Virtual;
        info.recovered = Some(Recovered { cut_at: 9, skipped_records: 1 });
        info.trigger = Trigger::HardBrake;
        let detail = "-5.0 m/s2".to_owned();
        let braked = Triggered { trigger: info.trigger, name: String::new(), at_ns: 3, until_ns: None, detail };
        info.triggers = vec![braked];
        info.continues = Some(EpisodeId::new("e-0").unwrap());
        info.weather = "rain".into();
        info.seats = vec![SeatId::new("desk").unwrap()];
        info.position_mm = Some([-1, 2]);
        info.fix_e7 = Some([581_234_567, 161_234_567]);
        info.clock_ahead_ms = Some(-21_600_000);
        info.turn = Some(3);
        info
    }

    #[test]
    fn metadata_carries_everything() {
        let info = full();
        assert_eq!(EpisodeInfo::from_metadata(&info.to_metadata()).unwrap(), info);
        let json = serde_json::to_string(&info).unwrap();
        assert_eq!(serde_json::from_str::<EpisodeInfo>(&json).unwrap(), info);
    }

    #[test]
    fn the_catalogue_gets_what_is_known_and_a_long_text_cut() {
        let mut info = full();
        info.reason = "å".repeat(4000);
        info.software = String::new();
        let row = info.to_api("e.mcap".into(), 1, String::new());
        assert_eq!((row.x_m, row.latitude_deg, row.software), (Some(-0.001), Some(58.1234567), None));
        assert_eq!((row.reason.map(|text| text.len()), row.seats.len()), (Some(4096), 1));
    }

    #[test]
    fn a_bad_entry_is_named() {
        for (key, value) in [
            ("id", "../x"),
            ("start_ns", "-1"),
            ("drops", "{"),
            ("source", "dream"),
            ("seed", "x"),
            ("trigger", "mood"),
        ] {
            let mut map = full().to_metadata();
            map.insert(key.to_owned(), value.to_owned());
            map.insert(CHECK.to_owned(), check(&map));
            let error = EpisodeInfo::from_metadata(&map).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains(&format!("{value:?}")), "{error}");
        }
        let mut map = full().to_metadata();
        map.insert("cause".to_owned(), "other".to_owned());
        assert!(EpisodeInfo::from_metadata(&map).unwrap_err().to_string().contains("check"));
        map.remove("end_ns");
        map.insert(CHECK.to_owned(), check(&map));
        assert!(EpisodeInfo::from_metadata(&map).unwrap_err().to_string().contains("end_ns"));
    }
}
