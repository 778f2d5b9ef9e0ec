//! Looking at episodes.

use super::{bar, files, print_json, show};
use crate::output::{OutputError, or_unread};
use protocol::{EpisodeInfo, Trigger};
use recorder::exchange::import_notes;
use recorder::exchange::verify::EpisodeCheck;
use recorder::{EpisodeReader, Recovery, signature};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub fn list(paths: &[PathBuf], json: bool) -> anyhow::Result<ExitCode> {
    let (mut rows, mut broken) = (Vec::new(), 0);
    for file in files(paths)? {
        match EpisodeReader::open(&file) {
            Ok(reader) if json => rows.push(json!({"file": file.display().to_string(), "info": reader.info()})),
            Ok(reader) => line(&file, reader.info())?,
            Err(error) if json => {
                broken += 1;
                rows.push(json!({"file": file.display().to_string(), "error": error.to_string()}));
            }
            Err(error) => {
                broken += 1;
                say!("{error}")?;
            }
        }
    }
    if json {
        print_json(&rows)?;
    }
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(file: &Path, info: &EpisodeInfo) -> Result<(), OutputError> {
    let mark = if info.recovered.is_some() { " (recovered)" } else { "" };
    say!(
        "{:32} {:>7.1} s  {:12} {:10} {:12} {}{mark}",
        info.id,
        info.duration_s(),
        info.vehicle,
        info.policy,
        // Not every episode is a takeover's.
        if info.cause.is_empty() { info.trigger.label() } else { &info.cause },
        file.display()
    )
}

fn describe(reader: &EpisodeReader) -> anyhow::Result<Value> {
    let duration_s = reader.info().duration_s();
    let topics: Vec<Value> = reader
        .topics()
        .iter()
        .map(|t| {
            let rate_hz = if duration_s > 0.0 { t.messages as f64 / duration_s } else { 0.0 };
            json!({"topic": t.topic, "schema": t.schema, "messages": t.messages, "rate_hz": rate_hz})
        })
        .collect();
    let attachments: Vec<&str> = reader.attachment_names().collect();
    let bytes = std::fs::metadata(reader.path())?.len();
    let notes = import_notes(reader)?;
    Ok(json!({
        "file": reader.path(), "bytes": bytes, "messages": reader.message_count(), "duration_s": duration_s,
        "info": reader.info(), "topics": topics, "attachments": attachments, "import_notes": notes,
    }))
}

pub fn info(file: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let reader = EpisodeReader::open(file)?;
    if json {
        return print_json(&describe(&reader)?);
    }
    summary(&reader)?;
    Ok(ExitCode::SUCCESS)
}

/// An episode for people.
pub fn summary(reader: &EpisodeReader) -> Result<(), OutputError> {
    let info = reader.info();
    let at = |ns: u64| ns.saturating_sub(info.start_ns) as f64 * 1e-9;
    say!("{}: {} with policy {} on {:?}", info.id, info.vehicle, info.policy, info.map)?;
    say!("  {:.1} s, {} messages; {} {:?}", info.duration_s(), reader.message_count(), info.cause, info.reason)?;
    let end = info.takeover_end_ns.map_or_else(|| "the end".to_owned(), |end| format!("{:.1} s", at(end)));
    match info.trigger {
        Trigger::Takeover => say!("  takeover from {:.1} s to {end}", at(info.takeover_ns))?,
        Trigger::Import | Trigger::DriveLog => say!("  opened by {}", info.trigger.label())?,
        other => say!("  opened by {} at {:.1} s", other.label(), at(info.takeover_ns))?,
    }
    if let Some(recovered) = &info.recovered {
        say!("  recovered: cut at byte {}, {} damaged records left out", recovered.cut_at, recovered.skipped_records)?;
    }
    for topic in reader.topics() {
        let dropped = info.drops.get(&topic.topic).map_or_else(String::new, |count| format!(", {count} dropped"));
        say!("  {:28} {:32} {:>7}{dropped}", topic.topic, topic.schema, topic.messages)?;
    }
    for name in reader.attachment_names() {
        say!("  attached: {name}")?;
    }
    for note in import_notes(reader).ok().flatten().unwrap_or_default() {
        say!("  imported: {note}")?;
    }
    Ok(())
}

/// Checks the signature beside a file; without trusted keys a file may have none. Answers who signed.
fn signed_by(file: &Path, keys: &[&str]) -> Result<Option<String>, String> {
    if keys.is_empty() && !signature::path_beside(file).exists() {
        return Ok(None);
    }
    let signed = signature::verify(file, keys).map_err(|error| error.to_string())?;
    Ok(Some(signed.public_key))
}

pub fn verify(paths: &[PathBuf], keys: &[String], json: bool) -> anyhow::Result<ExitCode> {
    let files = files(paths)?;
    let (mut rows, mut sound) = (Vec::new(), !files.is_empty());
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for file in files {
        let bar = bar(&file.display().to_string());
        let mut verdict = match EpisodeReader::open(&file) {
            Ok(reader) => recorder::exchange::verify::verify(&reader, &mut show(&bar)),
            Err(error) => EpisodeCheck { problems: vec![error.to_string()], ..EpisodeCheck::default() },
        };
        bar.finish_and_clear();
        let signer = signed_by(&file, &keys).unwrap_or_else(|problem| {
            verdict.problems.push(problem);
            None
        });
        sound &= verdict.problems.is_empty();
        if json {
            rows.push(json!({"file": file.display().to_string(), "verdict": verdict, "signed_by": signer}));
            continue;
        }
        // The status counts every file, whoever still reads.
        or_unread(print_verdict(&file, &verdict, signer))?;
    }
    if json {
        print_json(&rows)?;
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_verdict(file: &Path, verdict: &EpisodeCheck, signer: Option<String>) -> Result<(), OutputError> {
    let messages: u64 = verdict.topics.values().map(|topic| topic.messages).sum();
    match verdict.problems.as_slice() {
        [] => {
            let signed = signer.map_or_else(|| "not signed".to_owned(), |key| format!("signed by {key}"));
            let topics = verdict.topics.len();
            let but = match verdict.warnings.len() {
                0 => String::new(),
                1 => " with 1 warning".to_owned(),
                count => format!(" with {count} warnings"),
            };
            say!("{}: sound{but}, {messages} messages on {topics} topics, {signed}", file.display())?;
        }
        problems => problems.iter().try_for_each(|problem| say!("{}: {problem}", file.display()))?,
    }
    verdict.warnings.iter().try_for_each(|warning| say!("{}: warning: {warning}", file.display()))
}

pub fn recover(dir: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let recovery = recorder::recover_all(dir)?;
    let broken: Vec<Value> = recovery
        .broken
        .iter()
        .map(|(file, error)| json!({"file": file.display().to_string(), "error": error.to_string()}))
        .collect();
    if json {
        print_json(&json!({"episodes": recovery.episodes, "broken": broken, "busy": recovery.busy}))?;
    } else {
        or_unread(print_recovery(dir, &recovery))?;
    }
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_recovery(dir: &Path, recovery: &Recovery) -> Result<(), OutputError> {
    let Recovery { episodes, broken, busy } = recovery;
    episodes.iter().try_for_each(|e| say!("{}: whole again, {:.1} s", e.file, e.duration_s))?;
    broken.iter().try_for_each(|(file, error)| say!("set aside as {}: {error}", file.display()))?;
    busy.iter().try_for_each(|file| say!("left alone, it is being written: {}", file.display()))?;
    if episodes.is_empty() && broken.is_empty() && busy.is_empty() {
        say!("nothing to recover in {}", dir.display())?;
    }
    Ok(())
}
