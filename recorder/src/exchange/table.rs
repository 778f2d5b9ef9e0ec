//! CSV and Parquet of an episode's states: a row a control tick.

use super::draft::Draft;
use super::parquet::{Column, Values};
use super::{ExchangeError, ExchangeProgress};
use crate::EpisodeReader;
use protocol::{Embodiment, topics, v1};
use std::io::{BufWriter, Write};
use std::path::Path;

/// An episode's ticks as columns.
#[derive(Debug, Clone, PartialEq)]
pub struct States {
    columns: Vec<Column>,
}

#[derive(Default)]
struct Rows {
    log_ns: Vec<i64>,
    publish_ns: Vec<i64>,
    sequence: Vec<i64>,
    pose: [Vec<f64>; 4],
    observation: Vec<Vec<f64>>,
    action: Vec<Vec<f64>>,
    proposal: Vec<Vec<f64>>,
    author: Vec<String>,
    mode: Vec<String>,
}

impl States {
    /// One row for each `/vehicle/state`, with the command that answers it or the newest before, the newest proposal
    /// and who had authority.
    ///
    /// # Errors
    /// Those of reading the episode.
    pub fn read(source: &EpisodeReader, progress: &mut ExchangeProgress<'_>) -> Result<Self, ExchangeError> {
        let wanted = [&topics::VEHICLE_STATE, &topics::CONTROL_COMMAND, &topics::CONTROL_PROPOSAL, &topics::AUTHORITY];
        let (start, length) = (source.info().start_ns, source.info().end_ns.saturating_sub(source.info().start_ns));
        let mut rows = Rows::default();
        let (mut command, mut proposal) = (v1::ControlCommand::default(), v1::PolicyProposal::default());
        let mut authority = v1::AuthorityState::default();
        for message in source.select(Some(wanted.map(|topic| topic.name)), ..) {
            let message = message?;
            progress(message.log_time_ns.saturating_sub(start), length);
            // Another program's topic of the same name is none of ours.
            if !wanted.iter().any(|topic| topic.name == message.topic() && message.is(topic.schema)) {
                continue;
            }
            match message.topic() {
                name if name == topics::CONTROL_COMMAND.name => {
                    command = message.decode()?;
                    rows.answer(&command);
                }
                name if name == topics::CONTROL_PROPOSAL.name => proposal = message.decode()?,
                name if name == topics::AUTHORITY.name => authority = message.decode()?,
                _ => {
                    rows.log_ns.push(message.log_time_ns as i64);
                    rows.publish_ns.push(message.publish_time_ns as i64);
                    rows.add(message.decode()?, &command, &proposal, &authority);
                }
            }
        }
        Ok(rows.columns(source.embodiment()?))
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Writes a CSV file with a header, RFC 4180; numbers in the shortest form that reads back as the same value.
    ///
    /// # Errors
    /// [`ExchangeError::Io`].
    pub fn write_csv(&self, path: &Path) -> Result<(), ExchangeError> {
        let draft = Draft::of(path);
        let file = std::fs::File::create(draft.path()).map_err(ExchangeError::io("create", draft.path()))?;
        let mut out = BufWriter::new(file);
        let mut line = |fields: Vec<String>| writeln!(out, "{}\r", fields.join(","));
        let header = self.columns.iter().map(|column| quoted(&column.name)).collect();
        let rows = self.columns.first().map_or(0, Column::rows);
        let written = line(header).and_then(|()| {
            (0..rows).try_for_each(|row| line(self.columns.iter().map(|column| field(&column.values, row)).collect()))
        });
        written.and_then(|()| out.flush()).map_err(ExchangeError::io("write", path))?;
        draft.keep(path)
    }

    /// Writes a Parquet file.
    ///
    /// # Errors
    /// [`ExchangeError::Io`].
    pub fn write_parquet(&self, path: &Path) -> Result<(), ExchangeError> {
        let draft = Draft::of(path);
        super::parquet::write(draft.path(), &self.columns, &[])?;
        draft.keep(path)
    }
}

fn field(values: &Values, row: usize) -> String {
    match values {
        Values::Bool(v) => v[row].to_string(),
        Values::I64(v) => v[row].to_string(),
        Values::F32(v) => v[row].to_string(),
        Values::F64(v) if v[row].is_nan() => String::new(),
        Values::F64(v) => v[row].to_string(),
        Values::Text(v) => quoted(&v[row]),
        Values::Bytes(v) => hex::encode(&v[row]),
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// `AUTHOR_OPERATOR` as `operator`.
fn short(name: &str) -> String {
    name.split_once('_').map_or(name, |(_, rest)| rest).to_ascii_lowercase()
}

impl Rows {
    fn add(
        &mut self,
        state: v1::VehicleState,
        command: &v1::ControlCommand,
        proposal: &v1::PolicyProposal,
        authority: &v1::AuthorityState,
    ) {
        let pose = state.world_from_vehicle.unwrap_or_default();
        let values = [pose.x_m, pose.y_m, pose.heading_rad, state.odometer_m];
        self.pose.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        self.sequence.push(state.sequence as i64);
        self.observation.push(state.observation);
        self.action.push(command.action.clone());
        self.proposal.push(proposal.action.clone());
        self.author.push(short(command.author().as_str_name()));
        self.mode.push(short(authority.mode().as_str_name()));
    }

    /// A command comes after the state that it answers.
    fn answer(&mut self, command: &v1::ControlCommand) {
        if self.sequence.last() == Some(&(command.observation_sequence as i64))
            && let (Some(action), Some(author)) = (self.action.last_mut(), self.author.last_mut())
        {
            action.clone_from(&command.action);
            *author = short(command.author().as_str_name());
        }
    }

    fn columns(self, known: Option<Embodiment>) -> States {
        let (observed, acted) = known.map_or((Vec::new(), Vec::new()), |known| (known.observation, known.action));
        let mut columns = vec![
            Column::plain("log_time_ns", Values::I64(self.log_ns)),
            Column::plain("publish_time_ns", Values::I64(self.publish_ns)),
            Column::plain("sequence", Values::I64(self.sequence)),
        ];
        let pose = ["x_m", "y_m", "heading_rad", "odometer_m"].into_iter().zip(self.pose);
        columns.extend(pose.map(|(name, values)| Column::plain(name, Values::F64(values))));
        for (prefix, channels, rows) in [
            ("observation", &observed, &self.observation),
            ("action", &acted, &self.action),
            ("proposal", &acted, &self.proposal),
        ] {
            let width = rows.iter().map(Vec::len).max().unwrap_or(0);
            for index in 0..width {
                let name = channels.get(index).map_or_else(|| index.to_string(), |channel| channel.name.clone());
                let values = rows.iter().map(|row| row.get(index).copied().unwrap_or(f64::NAN)).collect();
                columns.push(Column::plain(format!("{prefix}.{name}"), Values::F64(values)));
            }
        }
        columns.push(Column::plain("author", Values::Text(self.author)));
        columns.push(Column::plain("mode", Values::Text(self.mode)));
        States { columns }
    }
}
