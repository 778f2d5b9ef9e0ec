//! How long episodes are kept: rules in a file, looked at every hour. Without a file everything is kept.

use crate::app::App;
use crate::reply::{ApiError, ApiResult};
use crate::store::now_ms;
use crate::{erasure, storage};
use protocol::EpisodeId;
use protocol::api::{Removal, RetentionReport, Verdict};
use protocol::v1::TakeoverCause;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(3600);
const DAY_MS: f64 = 86_400_000.0;
const GIB: f64 = 1_073_741_824.0;

/// The rules. The first that fits an episode decides; an episode that none fits is kept without an end.
///
/// ```toml
/// max_total_gib = 500
///
/// [[rule]]
/// verdict = "useful"
/// always = true
///
/// [[rule]]
/// verdict = "discard"
/// keep_days = 7
///
/// [[rule]]
/// cause = "precaution"
/// keep_days = 365
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Beyond this the oldest go, except those that a rule keeps `always`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_total_gib: Option<f64>,
    /// In their order.
    #[serde(default, rename = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RetentionRule>,
}

/// Fits episodes of which everything that it names is true.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionRule {
    /// One of [`Verdict::WORDS`], or `none` for those that nobody has looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Cause of the takeover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// The vehicle that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<String>,
    /// `live` or `virtual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Road network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// Weather.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weather: Option<String>,
    /// So many days after it was stored it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<f64>,
    /// It stays, also when there is more than `max_total_gib`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
}

/// `GET /api/v1/retention`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RetentionView {
    /// The rules in force; `null` when everything is kept.
    pub rules: Option<Retention>,
}

/// Why rules make no sense.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The file.
    #[error("cannot read the retention rules {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// No TOML, or fields that there are not.
    #[error("retention rules: {0}")]
    Form(String),
    /// A value.
    #[error("retention rules: {field} = {value} is not valid: {rule}")]
    Value {
        /// The field's name.
        field: String,
        /// What it is.
        value: String,
        /// What it must be.
        rule: String,
    },
}

/// An episode as the rules see it.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub id: EpisodeId,
    pub file: String,
    pub sha256: String,
    pub bytes: u64,
    pub cause: String,
    pub verdict: Option<String>,
    pub vehicle: String,
    pub kind: String,
    pub map: String,
    pub weather: Option<String>,
    pub trigger: Option<String>,
    pub stored_ms: i64,
}

impl Retention {
    /// Reads a file of rules.
    ///
    /// # Errors
    /// [`RetentionError`] naming file, field and value.
    pub fn read(path: &Path) -> Result<Self, RetentionError> {
        let read = protocol::read_text_file(path);
        Self::parse(&read.map_err(|cause| RetentionError::File { path: path.to_owned(), cause })?)
    }

    /// Reads rules.
    ///
    /// # Errors
    /// [`RetentionError`] naming field and value.
    pub fn parse(text: &str) -> Result<Self, RetentionError> {
        let rules: Self = toml::from_str(text).map_err(|e| RetentionError::Form(e.to_string()))?;
        let amount = |field: String, value: Option<f64>| match value {
            Some(value) if !(0.0..=1e9).contains(&value) => {
                let rule = "use a number from 0 to 1000000000".to_owned();
                Err(RetentionError::Value { field, value: value.to_string(), rule })
            }
            _ => Ok(()),
        };
        amount("max_total_gib".into(), rules.max_total_gib)?;
        let causes: Vec<_> =
            (0..).map_while(|code| TakeoverCause::try_from(code).ok()).map(TakeoverCause::label).collect();
        for (rule, number) in rules.rules.iter().zip(1..) {
            amount(format!("rule {number}: keep_days"), rule.keep_days)?;
            let verdicts = [&Verdict::WORDS[..], &["none"]].concat();
            for (field, value, allowed) in [
                ("verdict", &rule.verdict, &*verdicts),
                ("cause", &rule.cause, &*causes),
                ("kind", &rule.kind, &["live", "virtual"]),
            ] {
                if let Some(value) = value.as_deref().filter(|value| !allowed.contains(value)) {
                    let (field, rule) =
                        (format!("rule {number}: {field}"), format!("use one of {}", allowed.join(", ")));
                    return Err(RetentionError::Value { field, value: format!("{value:?}"), rule });
                }
            }
            if rule.always == rule.keep_days.is_some() {
                let field = format!("rule {number}: always");
                let rule_text = "a rule has either keep_days or always = true".to_owned();
                return Err(RetentionError::Value { field, value: rule.always.to_string(), rule: rule_text });
            }
        }
        Ok(rules)
    }

    /// What goes at `now_ms`, and why; `episodes` are oldest first.
    pub fn due<'a>(&self, episodes: &'a [Candidate], now_ms: i64) -> Vec<(&'a Candidate, String)> {
        let (mut due, mut kept, mut total) = (Vec::new(), Vec::new(), 0u64);
        for episode in episodes {
            let rule = self.rules.iter().zip(1..).find(|(rule, _)| rule.fits(episode));
            let age_days = now_ms.saturating_sub(episode.stored_ms) as f64 / DAY_MS;
            match rule {
                Some((RetentionRule { keep_days: Some(days), .. }, number)) if age_days >= *days => {
                    due.push((episode, format!("rule {number}: {days} days are over")));
                }
                rule => {
                    total = total.saturating_add(episode.bytes);
                    if !rule.is_some_and(|(rule, _)| rule.always) {
                        kept.push(episode);
                    }
                }
            }
        }
        let Some(most_gib) = self.max_total_gib else { return due };
        for episode in kept {
            if total as f64 <= most_gib * GIB {
                break;
            }
            total -= episode.bytes;
            due.push((episode, format!("more than {most_gib} GiB, the oldest")));
        }
        due
    }
}

impl RetentionRule {
    fn fits(&self, e: &Candidate) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| wanted.is_none() || wanted.as_deref() == value;
        is(&self.verdict, Some(e.verdict.as_deref().unwrap_or("none")))
            && is(&self.cause, Some(&e.cause))
            && is(&self.trigger, e.trigger.as_deref())
            && is(&self.vehicle, Some(&e.vehicle))
            && is(&self.kind, Some(&e.kind))
            && is(&self.map, Some(&e.map))
            && is(&self.weather, e.weather.as_deref())
    }
}

/// Looks at all episodes; removes what is due unless `dry_run`.
pub async fn run(app: &App, rules: &Retention, dry_run: bool) -> ApiResult<RetentionReport> {
    let _alone = app.removing.lock().await;
    let episodes = app.store.candidates().await?;
    let now_ms = now_ms();
    let mut removed = Vec::new();
    for (episode, why) in rules.due(&episodes, now_ms) {
        if !dry_run {
            // The files first: what is cut off between the two is done again.
            let objects = app.store.objects(&episode.id).await?;
            storage::remove(app, &episode.id, &episode.file, &objects, false).await?;
            app.store.remove(episode, &format!("retention, {why}")).await?;
            tracing::info!(id = %episode.id, bytes = episode.bytes, %why, "episode removed");
        }
        let (id, sha256) = (episode.id.clone(), episode.sha256.clone());
        removed.push(Removal { id, sha256, bytes: episode.bytes, at_ms: now_ms, why });
    }
    Ok(RetentionReport { dry_run, episodes: episodes.len() as u64, removed })
}

/// Keeps to the rules, and finishes erasures that were cut off, every hour until the server stops.
pub async fn watch(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(error) = erasure::resume(&app).await {
            tracing::error!(%error, "an erasure is not finished");
        }
        if let Some(rules) = &app.retention
            && let Err(error) = run(&app, rules, false).await
        {
            tracing::error!(%error, "the retention rules could not be kept to");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

impl From<RetentionError> for ApiError {
    fn from(error: RetentionError) -> Self {
        Self::invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests;
