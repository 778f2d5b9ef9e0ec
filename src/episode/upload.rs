//! Uploading episodes by hand, as a vehicle does by itself.

use super::{bar, files, print_json};
use crate::output::or_unread;
use anyhow::{Context, bail};
use control_plane_client::{ControlPlaneArgs, ControlPlaneClient, Retry};
use protocol::api::{Episode, VehicleRegistration};
use recorder::EpisodeReader;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use vehicle_bridge::upload::prepare::Preparation;
use vehicle_bridge::upload::queue::{OutFile, Waiting};
use vehicle_bridge::upload::send::append;
use vehicle_bridge::upload::{Pace, UploadError};

/// Attempts in a row before it is given up; the same command goes on from there.
const ATTEMPTS: u32 = 6;

#[derive(Debug, Clone, clap::Args)]
pub struct UploadArgs {
    /// Episode files, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    control_plane: ControlPlaneArgs,
    /// Most to send, kbit/s [default: as much as there is].
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// The vehicle's recorder settings: what their `[privacy]` section says is left out or blurred first.
    #[arg(long, value_name = "FILE")]
    recorder: Option<PathBuf>,
    /// Registers the episodes' vehicles first, for vehicles that the control plane has never met.
    #[arg(long, alias = "sign-up")]
    register: bool,
}

pub fn upload(args: &UploadArgs, json: bool) -> anyhow::Result<ExitCode> {
    let policy = match &args.recorder {
        None => recorder::privacy::RedactionPolicy::default(),
        Some(path) => {
            let text = protocol::read_text_file(path).with_context(|| format!("cannot read {}", path.display()))?;
            recorder::Settings::from_toml(&text).with_context(|| format!("cannot use {}", path.display()))?.privacy
        }
    };
    let control_plane = args.control_plane.address()?;
    // Later failures are waited out; an address where nobody listens is none.
    control_plane.reach()?;
    let dir = tempfile::tempdir().context("cannot make a folder for previews")?;
    let preparation = Preparation { policy, dir: dir.path().to_owned(), key: None };
    let limit_bps = args.rate.map(|kbps| f64::from(kbps) * 1e3);
    let hand = Upload {
        client: ControlPlaneClient::new(&control_plane, Retry::Never),
        pace: Pace::new(Box::new(move || limit_bps), Arc::default()),
        preparation,
        register: args.register,
    };
    let mut rows = Vec::new();
    for file in files(&args.paths)? {
        let row = hand.upload(&file)?;
        if !json {
            let (id, sent) = (&row["id"], &row["sent_bytes"]);
            or_unread(say!("{}: {id} is there, {sent} bytes sent", file.display()))?;
        }
        rows.push(row);
    }
    if rows.is_empty() {
        bail!("no episode (.mcap) among what was named");
    }
    if json {
        print_json(&rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

struct Upload {
    client: ControlPlaneClient,
    pace: Pace,
    preparation: Preparation,
    register: bool,
}

impl Upload {
    fn upload(&self, file: &Path) -> anyhow::Result<Value> {
        let reader = EpisodeReader::open(file)?;
        let info = reader.info();
        let name = format!("{}.mcap", info.id);
        let (episode, content) = self.preparation.prepare(file, &info.to_api(name, 0, String::new()))?;
        let whole = content.last().map_or(file, |whole| &whole.path);
        let mut files = self.preparation.previews(whole, &episode.id);
        files.extend(content);
        // Nobody drives what an import names as its vehicle, so nobody else registers it.
        let is_import = info.trigger == protocol::Trigger::Import;
        if self.register || is_import {
            let registration = VehicleRegistration {
                vehicle: info.vehicle.clone(),
                embodiment: protocol::catalogue_name(&info.embodiment),
                kind: if is_import { "virtual" } else { "live" }.into(),
                map: episode.map.clone(),
                software: episode.software.clone().unwrap_or_default(),
            };
            self.repeatedly(|| Ok(self.client.register(&registration).map(drop)?))?;
        }
        let sent_bytes = self.send(file, &Waiting { files, ..Waiting::new(episode.clone(), info.trigger) })?;
        self.repeatedly(|| Ok(self.client.add_episode(&episode).map(drop)?))?;
        self.preparation.forget(&episode.id);
        let Episode { id, sha256, bytes, .. } = episode;
        Ok(
            json!({"file": file.display().to_string(), "id": id, "sha256": sha256, "bytes": bytes, "sent_bytes": sent_bytes}),
        )
    }

    /// Sends what is not there yet; returns how many bytes that were.
    fn send(&self, file: &Path, item: &Waiting) -> anyhow::Result<u64> {
        let bar = bar(&file.file_name().unwrap_or_default().to_string_lossy());
        bar.set_length(item.files.iter().map(|file| file.bytes).sum());
        let (mut before, mut sent) = (0, 0);
        for out in &item.files {
            let mut failures = 0;
            while let Err(error) = self.send_one(item, out, before, &bar, &mut sent, &mut failures) {
                failures += 1;
                let hopeless = !error.may_pass();
                if hopeless || failures >= ATTEMPTS {
                    bar.abandon();
                    let outcome = Err(anyhow::Error::from(error));
                    return if hopeless { outcome } else { outcome.context("the same command goes on from there") };
                }
                std::thread::sleep(Duration::from_millis(200 << failures));
            }
            before += out.bytes;
        }
        bar.finish_and_clear();
        Ok(sent)
    }

    fn send_one(
        &self,
        item: &Waiting,
        out: &OutFile,
        before: u64,
        bar: &indicatif::ProgressBar,
        sent: &mut u64,
        failures: &mut u32,
    ) -> Result<(), UploadError> {
        let start = item.start(out);
        let mut state = self.client.begin_upload(&start)?;
        while !state.complete {
            bar.set_position(before + state.offset);
            let mut seen = |bytes: usize| {
                *sent += bytes as u64;
                bar.inc(bytes as u64);
            };
            state = append(&self.client, &start, &out.path, state.offset, &self.pace, &mut seen)?;
            *failures = 0;
        }
        bar.set_position(before + out.bytes);
        Ok(())
    }

    fn repeatedly(&self, mut ask: impl FnMut() -> Result<(), UploadError>) -> Result<(), UploadError> {
        for attempt in 1..ATTEMPTS {
            match ask() {
                Err(error) if error.may_pass() => {
                    std::thread::sleep(Duration::from_millis(200 << attempt));
                }
                outcome => return outcome,
            }
        }
        ask()
    }
}
