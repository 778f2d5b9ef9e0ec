//! An episode's rows: which values belong to which picture.

use super::meta::{Feature, features};
use super::pairing::{Film, Paired, Strip, pair, rate};
use super::{ACTION, AUTHOR, DEFAULT, FOREIGN, INTERVENTION, LOG_TIME, POSE, PROPOSAL, RECORD, STATE, is_ours};
use crate::EpisodeReader;
use crate::exchange::{ExchangeError, edit};
use protocol::{foxglove, topics, v1};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use video::mp4::Format;

/// An episode, or a piece of one, resolved into rows.
pub(super) struct Frames {
    pub features: BTreeMap<String, Feature>,
    /// By feature, the values of all rows one after the other.
    pub values: BTreeMap<String, Vec<f64>>,
    /// By feature that is a text, the text of each row.
    pub texts: BTreeMap<String, Vec<String>>,
    /// Log times, which need all their bits.
    pub times: Vec<u64>,
    /// When the rows' pictures were taken: what a row's values belong to.
    taken: Vec<u64>,
    /// The films' parts that belong to the rows.
    pub films: Vec<Strip>,
    pub fps: u32,
    pub task: String,
    /// Cameras whose pictures do not pair with the rows.
    pub left_out: Vec<String>,
    /// Pictures that belong to no row, as another camera missed its own, or one of them is of another size.
    pub unpaired: usize,
}

#[derive(Default)]
struct Series {
    states: Vec<(u64, v1::VehicleState)>,
    commands: Vec<(u64, v1::ControlCommand)>,
    proposals: Vec<(u64, v1::PolicyProposal)>,
    foreign: BTreeMap<String, Vec<(u64, Vec<f64>)>>,
    texts: BTreeMap<String, Vec<(u64, String)>>,
    /// Topics of single pictures, which a dataset of films has no place for.
    images: BTreeSet<String>,
    films: BTreeMap<String, Film>,
}

/// The feature's name of a camera's topic.
pub(super) fn camera_key(topic: &str) -> String {
    let name = topic.strip_prefix("/camera/").unwrap_or(topic).trim_start_matches('/').replace('/', "_");
    format!("observation.images.{name}")
}

impl Series {
    fn read(source: &EpisodeReader) -> Result<Self, ExchangeError> {
        let mut series = Self::default();
        for message in source.messages() {
            let message = message?;
            let at = message.log_time_ns;
            // Another program's topic of the same name is none of ours.
            let is = |topic: &protocol::Topic| message.topic() == topic.name && message.is(topic.schema);
            match message.topic() {
                _ if is(&topics::VEHICLE_STATE) => series.states.push((at, message.decode()?)),
                _ if is(&topics::CONTROL_COMMAND) => series.commands.push((at, message.decode()?)),
                _ if is(&topics::CONTROL_PROPOSAL) => series.proposals.push((at, message.decode()?)),
                name if name.starts_with(FOREIGN) && message.channel().message_encoding == "json" => {
                    let value: Value = serde_json::from_slice(&message.data).map_err(|error| {
                        ExchangeError::unfit(source.path(), format!("{name} at {at} ns is not JSON: {error}"))
                    })?;
                    let values = value["value"].as_array().map_or(&[][..], Vec::as_slice);
                    let name = name[FOREIGN.len()..].to_owned();
                    if let Some(text) = values.first().and_then(Value::as_str) {
                        series.texts.entry(name).or_default().push((at, text.to_owned()));
                        continue;
                    }
                    let number = |value: &Value| {
                        value.as_f64().or(value.as_bool().map(|is| f64::from(u8::from(is)))).unwrap_or(f64::NAN)
                    };
                    series.foreign.entry(name).or_default().push((at, values.iter().map(number).collect()));
                }
                name if message.is("foxglove.CompressedVideo")
                    && (series.films.contains_key(name) || edit::starts_decoding(&message)?) =>
                {
                    let film = series.films.entry(name.to_owned());
                    let film = film.or_insert_with(|| Film { topic: name.to_owned(), ..Film::default() });
                    let before = film.sizes.last().copied().unwrap_or_default();
                    film.sizes.push(if edit::starts_decoding(&message)? {
                        film.keys.push(film.times.len());
                        let keyframe: foxglove::CompressedVideo = message.decode()?;
                        Format::of(&keyframe.data).map_or(before, |format| (format.width, format.height))
                    } else {
                        before
                    });
                    film.times.push(at);
                    film.taken.push(taken(at, message.publish_time_ns));
                }
                name if message.is("foxglove.CompressedImage") => {
                    series.images.insert(name.to_owned());
                }
                _ => {}
            }
        }
        Ok(series)
    }
}

/// When a picture was taken that was recorded at `log_ns`: what its publisher says, if that can be.
fn taken(log_ns: u64, publish_ns: u64) -> u64 {
    const LONGEST_NS: u64 = 1_000_000_000;
    if (log_ns.saturating_sub(LONGEST_NS)..=log_ns).contains(&publish_ns) { publish_ns } else { log_ns }
}

/// The newest entry at or before `at`.
fn before<T>(series: &[(u64, T)], at: u64) -> Option<&T> {
    let count = series.partition_point(|(time, _)| *time <= at);
    series.get(count.checked_sub(1)?).map(|(_, value)| value)
}

/// The first entry at or after `at`, else the last.
fn after<T>(series: &[(u64, T)], at: u64) -> Option<&T> {
    let index = series.partition_point(|(time, _)| *time < at);
    series.get(index).or(series.last()).map(|(_, value)| value)
}

impl Frames {
    /// The episode's rows: in one piece, or in several where a camera missed a picture. `sizes` are those of the dataset's
    /// films by feature, where it has any yet.
    pub fn read(
        source: &EpisodeReader,
        task: Option<&str>,
        sizes: &BTreeMap<String, (u32, u32)>,
    ) -> Result<Vec<Self>, ExchangeError> {
        let mut series = Series::read(source)?;
        for film in series.films.values_mut() {
            film.size = sizes.get(&camera_key(&film.topic)).copied().or_else(|| film.usual_size());
        }
        let unfit = |problem: &str| ExchangeError::unfit(source.path(), problem);
        let main = series.films.get(topics::CAMERA_FRONT.name).or(series.films.values().next());
        let begin = series.states.first().ok_or_else(|| unfit("it has no vehicle state"))?.0;
        if series.commands.is_empty() {
            return Err(unfit("it has no control command"));
        }
        // Without a camera the states are the rows.
        let states = Film { times: series.states.iter().map(|(at, _)| *at).collect(), ..Film::default() };
        let states = Film { taken: states.times.clone(), ..states };
        let clock = main.unwrap_or(&states);
        let fps = rate(&clock.taken);
        let all: Vec<Film> = series.films.values().cloned().collect();
        let Paired { mut runs, mut left_out, unpaired } = pair(&all, clock, begin, fps);
        left_out.extend(series.images.iter().map(|topic| format!("{topic} (single pictures, no film)")));
        if main.is_none() {
            runs = vec![(0..clock.times.len(), Vec::new())];
        }
        if runs.is_empty() {
            let size = main.and_then(|film| film.size).filter(|_| !sizes.is_empty());
            let of = size.map_or_else(String::new, |(width, height)| format!(" of {width}x{height} pixels"));
            return Err(unfit(&format!("no picture{of} was taken while there are vehicle states")));
        }
        let record = source.metadata_names().any(|name| name == RECORD).then(|| source.metadata(RECORD)).transpose()?;
        let stored = record.as_ref().and_then(|record| serde_json::from_str(record.get("features")?).ok());
        let state_width = series.states[0].1.observation.len();
        let action_width = series.commands[0].1.action.len();
        let features: BTreeMap<String, Feature> = match stored {
            Some(stored) => stored,
            None => features(source.embodiment()?.as_ref(), state_width, action_width),
        };
        let recorded = record.as_ref().and_then(|record| record.get("task").cloned());
        let task = task.map(str::to_owned).or(recorded).unwrap_or_else(|| "drive".to_owned());
        let mut pieces = Vec::new();
        for (rows, films) in runs {
            let mut piece = Self {
                features: features.clone(),
                values: BTreeMap::new(),
                texts: BTreeMap::new(),
                times: clock.times[rows.clone()].to_vec(),
                taken: clock.taken[rows].to_vec(),
                films,
                fps,
                task: task.clone(),
                left_out: if pieces.is_empty() { left_out.clone() } else { Vec::new() },
                unpaired: if pieces.is_empty() { unpaired } else { 0 },
            };
            piece.fill(source, &series)?;
            pieces.push(piece);
        }
        Ok(pieces)
    }

    fn fill(&mut self, source: &EpisodeReader, series: &Series) -> Result<(), ExchangeError> {
        for (name, feature) in self.features.iter().filter(|(name, f)| !f.is_picture() && !DEFAULT.contains(&&***name))
        {
            if feature.is_text() {
                let texts = series.texts.get(name).map_or(&[][..], Vec::as_slice);
                let text = |at: &u64| before(texts, *at).cloned().unwrap_or_default();
                self.texts.insert(name.clone(), self.taken.iter().map(text).collect());
                continue;
            }
            let (width, is_ours) = (feature.width(), is_ours(name, feature));
            let mut all = Vec::with_capacity(width * self.times.len());
            for &at in &self.taken {
                let foreign = || before(series.foreign.get(name)?, at).cloned();
                let mut row = if is_ours { row(name, series, at) } else { foreign() }.unwrap_or_default();
                // What an import left out, or nobody proposed.
                if row.is_empty() && !(is_ours && [STATE, ACTION].contains(&name.as_str())) {
                    row = vec![f64::NAN; width];
                }
                if row.len() != width {
                    let problem = format!("{name} has {} values at {at} ns, {width} are in its description", row.len());
                    return Err(ExchangeError::unfit(source.path(), problem));
                }
                all.append(&mut row);
            }
            self.values.insert(name.clone(), all);
        }
        Ok(())
    }
}

/// A row's values of a feature of ours.
fn row(name: &str, series: &Series, at: u64) -> Option<Vec<f64>> {
    let state = || before(&series.states, at).or(series.states.first().map(|(_, state)| state));
    let command = || after(&series.commands, at);
    Some(match name {
        STATE => state()?.observation.clone(),
        ACTION => command()?.action.clone(),
        PROPOSAL => after(&series.proposals, at)?.action.clone(),
        POSE => {
            let state = state()?;
            let pose = state.world_from_vehicle.unwrap_or_default();
            vec![pose.x_m, pose.y_m, pose.heading_rad, state.odometer_m]
        }
        INTERVENTION => vec![f64::from(u8::from(command()?.author() == v1::Author::Operator))],
        AUTHOR => vec![f64::from(command()?.author)],
        // Written from the times themselves.
        LOG_TIME => vec![0.0],
        _ => return None,
    })
}
