//! `takeover episode`: what people do with recorded episodes on the command line.

mod catalogue;
mod erase;
mod exchange;
mod inspect;
mod play;
mod privacy;
mod replay;
mod retention;
mod sketch;
mod upload;

pub(crate) use exchange::eye;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// List, find, check, cut, merge, export, import, redact, replay, upload, erase and play takeover episodes.
#[derive(Debug, Clone, Parser)]
pub struct EpisodeArgs {
    #[command(subcommand)]
    command: Command,
    /// Answers in JSON on standard output.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// One line an episode.
    List {
        /// Episode files, or folders of them.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// What a file holds: description, topics, attachments.
    Info {
        /// Episode file.
        file: PathBuf,
    },
    /// Plays pictures and signals in a window; prints a summary where there is none.
    Play(play::PlayArgs),
    /// Writes a piece as an episode of its own; video begins at a keyframe.
    Cut {
        /// Episode file.
        file: PathBuf,
        /// Where the piece begins, seconds after the episode's start.
        #[arg(long, default_value_t = 0.0)]
        from: f64,
        /// Where it ends, seconds after the episode's start; the episode's end without it.
        #[arg(long)]
        to: Option<f64>,
        /// The piece's identity; the episode's with `-cut` without it.
        #[arg(long)]
        id: Option<String>,
        /// Folder to write to; the episode's without it.
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Puts overlapping episodes of one drive together, every message once.
    Merge {
        /// Episode files.
        #[arg(required = true, num_args = 2..)]
        files: Vec<PathBuf>,
        /// The new episode's identity.
        #[arg(long)]
        id: String,
        /// Folder to write to; the first episode's without it.
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Reads everything once, signatures included; fails when anything is wrong.
    Verify {
        /// Episode files, or folders of them.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Public key (hexadecimal) that must have signed the files; may be given several times.
        #[arg(long = "key")]
        keys: Vec<String>,
    },
    /// Makes the files whole that a crash has left in a folder.
    Recover {
        /// The recorder's folder.
        dir: PathBuf,
    },
    /// Writes episodes for other tools.
    Export(exchange::ExportArgs),
    /// Makes episodes of other tools' recordings.
    Import(exchange::ImportArgs),
    /// Copies episodes with faces and number plates blurred, or topics left out.
    Redact(privacy::RedactArgs),
    /// Makes a small video and a state a second of an episode; blurs nothing by itself.
    Preview {
        /// Episode file.
        file: PathBuf,
        /// Folder to write to; the episode's without it.
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Drives an episode's trip again to the hand-over and judges whether the takeover was necessary.
    Replay(replay::ReplayArgs),
    /// Finds episodes in the control plane's catalogue: by place, cause, weather, version, verdict and more.
    Search(catalogue::SearchArgs),
    /// Puts down what a reviewer makes of an episode.
    Verdict(catalogue::VerdictArgs),
    /// Erases a vehicle's, a person's or single episodes everywhere and brings the proof; or checks a proof.
    Erase(erase::EraseArgs),
    /// Keeps to the control plane's retention rules now, or says what they, or others, would remove.
    Retention(retention::RetentionArgs),
    /// Uploads episodes to the control plane, from where an earlier attempt stopped.
    Upload(upload::UploadArgs),
}

/// Runs a subcommand. The exit status is a failure when `verify` finds something or `recover` leaves broken files.
///
/// # Errors
/// Naming the file and the place that cannot be used.
pub fn run(args: &EpisodeArgs) -> anyhow::Result<ExitCode> {
    let json = args.json;
    if !matches!(args.command, Command::Play(_) | Command::Recover { .. }) {
        crate::output::end_on_interrupt(leave_no_drafts_behind)?;
    }
    match &args.command {
        Command::List { paths } => inspect::list(paths, json),
        Command::Info { file } => inspect::info(file, json),
        Command::Verify { paths, keys } => inspect::verify(paths, keys, json),
        Command::Recover { dir } => inspect::recover(dir, json),
        Command::Play(args) => play::run(args, json),
        Command::Cut { file, from, to, id, output } => {
            exchange::cut(file, (*from, *to), id.as_deref(), output.as_deref(), json)
        }
        Command::Merge { files, id, output } => exchange::merge(files, id, output.as_deref(), json),
        Command::Export(args) => exchange::export(args, json),
        Command::Import(args) => exchange::import(args, json),
        Command::Redact(args) => privacy::run_redact(args, json),
        Command::Preview { file, output } => privacy::run_preview(file, output.as_deref(), json),
        Command::Replay(args) => replay::run(args, json),
        Command::Search(args) => catalogue::search(args, json),
        Command::Verdict(args) => catalogue::verdict(args, json),
        Command::Erase(args) => erase::run(args, json),
        Command::Retention(args) => retention::run(args, json),
        Command::Upload(args) => upload::upload(args, json),
    }
}

/// Removes what is half written.
fn leave_no_drafts_behind() -> &'static str {
    recorder::exchange::discard_drafts();
    "; nothing half written is left"
}

/// Every `.mcap` file among `paths`, folders opened one level deep.
fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    use anyhow::Context;
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut found = Vec::new();
        for entry in path.read_dir().with_context(|| format!("cannot read the folder {}", path.display()))? {
            found.push(entry?.path());
        }
        // What other systems put beside files (`._name.mcap`) is hidden.
        let is_hidden = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        found.retain(|file| file.extension().is_some_and(|ending| ending == "mcap") && !is_hidden(file));
        found.sort();
        files.extend(found);
    }
    if files.is_empty() {
        let folders: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        note!("there is no .mcap file in {}", folders.join(", "));
    }
    Ok(files)
}

/// A progress bar on standard error, none where nobody looks.
fn bar(what: &str) -> indicatif::ProgressBar {
    let style = indicatif::ProgressStyle::with_template("{msg} {bar:40} {percent}% {eta}");
    let bar = indicatif::ProgressBar::new(1).with_message(what.to_owned());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What the library calls with its progress.
fn show(bar: &indicatif::ProgressBar) -> impl FnMut(u64, u64) + '_ {
    move |done, of| {
        bar.set_length(of.max(1));
        bar.set_position(done);
    }
}

fn print_json(value: &impl serde::Serialize) -> anyhow::Result<ExitCode> {
    crate::output::or_unread(say!("{}", serde_json::to_string_pretty(value)?))?;
    Ok(ExitCode::SUCCESS)
}
