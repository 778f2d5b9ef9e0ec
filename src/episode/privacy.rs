//! Redacting episodes, and previews of them.

use super::{bar, files, print_json, show};
use crate::output::{OutputError, or_unread};
use anyhow::{Context, bail};
use clap::ValueEnum;
use protocol::signing::SigningKey;
use recorder::privacy::{RedactionPolicy, RedactionReport, RegionKind, redact};
use recorder::{EpisodeReader, Settings, preview};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Blur {
    /// People's faces.
    Faces,
    /// Vehicles' number plates.
    Plates,
}

/// What to take out of which episodes.
#[derive(Debug, Clone, clap::Args)]
pub struct RedactArgs {
    /// Episode files, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Folder for the redacted episodes, each under its own name; not the one that they are in.
    #[arg(long)]
    output: PathBuf,
    /// What to blur in every camera's pictures, such as `faces,plates`.
    #[arg(long, value_enum, value_delimiter = ',')]
    blur: Vec<Blur>,
    /// A topic to leave out, such as `/camera/left`; its calibration goes with it. May be given several times.
    #[arg(long)]
    omit: Vec<String>,
    /// The recorder's settings, whose `[privacy]` is added to what is given here.
    #[arg(long)]
    settings: Option<PathBuf>,
    /// Signs the redacted files with the key in this file (`recorder.key` in the vehicle's data folder).
    #[arg(long)]
    key: Option<PathBuf>,
}

impl RedactArgs {
    fn policy(&self) -> anyhow::Result<RedactionPolicy> {
        let mut policy = match &self.settings {
            None => RedactionPolicy::default(),
            Some(path) => {
                let text = protocol::read_text_file(path).with_context(|| format!("cannot read {}", path.display()))?;
                Settings::from_toml(&text).with_context(|| path.display().to_string())?.privacy
            }
        };
        policy.omit.extend(self.omit.iter().cloned());
        policy.blur.extend(self.blur.iter().map(|blur| match blur {
            Blur::Faces => RegionKind::Faces,
            Blur::Plates => RegionKind::Plates,
        }));
        if policy.is_empty() {
            bail!("nothing is to be taken out: say --blur faces,plates, --omit TOPIC, or --settings with [privacy]");
        }
        Ok(policy)
    }

    /// A slip in a topic's name would show what was to be kept.
    fn check_names(&self, sources: &[PathBuf]) -> anyhow::Result<()> {
        let mut names = BTreeSet::new();
        for source in sources {
            let reader = EpisodeReader::open(source)?;
            names.extend(reader.topics().into_iter().map(|topic| topic.topic));
            names.extend(reader.attachment_names().map(str::to_owned));
        }
        match self.omit.iter().find(|name| !names.contains(*name)) {
            Some(name) => bail!("--omit {name}: no episode has it; there are {names:?}"),
            None => Ok(()),
        }
    }
}

pub fn run_redact(args: &RedactArgs, json: bool) -> anyhow::Result<ExitCode> {
    let policy = args.policy()?;
    let sources = files(&args.paths)?;
    args.check_names(&sources)?;
    let key = match &args.key {
        None => None,
        // Not made here: a key that nobody trusts signs for nobody.
        Some(path) if !path.exists() => bail!("--key {}: there is no such file", path.display()),
        Some(path) => Some(SigningKey::load_or_make(path)?),
    };
    let mut reports = Vec::new();
    for source in &sources {
        let bar = bar(&source.display().to_string());
        let report = redact(source, &args.output, &policy, &mut show(&bar))?;
        bar.finish_and_clear();
        if let Some(key) = &key {
            report.sign(key)?;
        }
        if !json {
            or_unread(tell(&report))?;
        }
        reports.push(report);
    }
    if json { print_json(&reports) } else { Ok(ExitCode::SUCCESS) }
}

fn tell(report: &RedactionReport) -> Result<(), OutputError> {
    say!("{}: {} bytes", report.path.display(), report.episode.bytes)?;
    for (camera, kinds) in &report.regions {
        let found: Vec<String> =
            kinds.iter().map(|(kind, n)| format!("{} {kind} ({} places)", n.followed, n.blurred)).collect();
        let found = if found.is_empty() { "nothing found to blur".to_owned() } else { found.join(", ") };
        say!("  {camera}: {found}")?;
    }
    report.omitted.iter().try_for_each(|topic| say!("  left out: {topic}"))
}

pub fn run_preview(file: &Path, output: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = preview::make(file, output.unwrap_or(folder))?;
    if json {
        return print_json(&json!({"video": made.video, "no_video": made.no_video, "state": made.state}));
    }
    match (&made.video, &made.no_video) {
        (Some(video), _) => say!("{}", video.display())?,
        (None, reason) => say!("no video: {}", reason.as_deref().unwrap_or_default())?,
    }
    say!("{}", made.state.display())?;
    Ok(ExitCode::SUCCESS)
}
