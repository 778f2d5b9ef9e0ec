//! Cutting, merging, exporting and importing.

use super::{bar, files, print_json, show};
use anyhow::{Context, bail};
use clap::ValueEnum;
use protocol::{EpisodeId, api};
use recorder::EpisodeReader;
use recorder::exchange::{comma2k19, edit, lerobot, rosbag2, table::States};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use video::{DecodedPicture, H264Decoder};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// LeRobotDataset v3: one dataset of all episodes.
    Lerobot,
    /// States, a row a control tick: one file an episode.
    Csv,
    /// As `csv`, in Parquet.
    Parquet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ImportFormat {
    /// LeRobotDataset v3.
    Lerobot,
    /// A rosbag2 in MCAP (CDR with ros2msg schemas), file or folder, or any other MCAP file: taken over as it is.
    Rosbag2,
    /// Segment of comma2k19.
    Comma2k19,
}

/// What to export.
#[derive(Debug, Clone, clap::Args)]
pub struct ExportArgs {
    /// Episode files, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Format to write.
    #[arg(long, value_enum)]
    format: ExportFormat,
    /// Folder to write to.
    #[arg(long)]
    output: PathBuf,
    /// LeRobot: what was to be done, in words.
    #[arg(long)]
    task: Option<String>,
}

/// What to import.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArgs {
    /// The dataset's or segment's folder, or the file.
    source: PathBuf,
    /// Format to read.
    #[arg(long, value_enum)]
    format: ImportFormat,
    /// Folder for the episodes.
    #[arg(long)]
    output: PathBuf,
    /// Identity of the episode (not for `lerobot`); made of the source's name without it.
    #[arg(long)]
    id: Option<String>,
}

/// Looks at every eighth pixel of every eighth line of a keyframe.
///
/// # Errors
/// When the decoder cannot be set up.
pub(crate) fn eye() -> anyhow::Result<impl FnMut(&[u8]) -> Option<Vec<[u8; 3]>>> {
    const STEP: usize = 8;
    let mut decoder = H264Decoder::new()?;
    Ok(move |keyframe: &[u8]| {
        // What does not decode has no place in the statistics; the film keeps it as it is.
        let picture = decoder.decode(keyframe).ok().flatten()?;
        let lines = (0..picture.height).step_by(STEP);
        let places = lines.flat_map(|y| (0..picture.width).step_by(STEP).map(move |x| (x, y)));
        Some(places.map(|(x, y)| rgb(&picture, x, y)).collect())
    })
}

/// A pixel as screens show it (ITU-R BT.601, 16 to 235).
fn rgb(picture: &DecodedPicture, x: usize, y: usize) -> [u8; 3] {
    let chroma = y / 2 * (picture.width / 2) + x / 2;
    let at = |plane: &[u8], index: usize| f32::from(plane.get(index).copied().unwrap_or(128));
    let luma = (at(&picture.y, y * picture.width + x) - 16.0) * 1.164;
    let (u, v) = (at(&picture.u, chroma) - 128.0, at(&picture.v, chroma) - 128.0);
    [luma + 1.596 * v, luma - 0.392 * u - 0.813 * v, luma + 2.017 * u].map(|value| value.clamp(0.0, 255.0) as u8)
}

fn identity(text: &str) -> anyhow::Result<EpisodeId> {
    EpisodeId::new(text).map_err(|error| anyhow::anyhow!("--id {text:?}: {error}"))
}

fn report(episodes: &[api::Episode], json: bool) -> anyhow::Result<ExitCode> {
    if json {
        return print_json(&episodes);
    }
    episodes.iter().try_for_each(|e| say!("{}: {:.1} s, {} bytes", e.file, e.duration_s, e.bytes))?;
    Ok(ExitCode::SUCCESS)
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

pub fn cut(
    file: &Path,
    (from, to): (f64, Option<f64>),
    id: Option<&str>,
    output: Option<&Path>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let source = EpisodeReader::open(file)?;
    for seconds in [Some(from), to].into_iter().flatten() {
        if !(0.0..=1e9).contains(&seconds) {
            bail!("{seconds} s is not a place in an episode");
        }
    }
    let at = |seconds: f64| source.info().start_ns.saturating_add((seconds * 1e9) as u64);
    let span = (at(from), to.map_or(source.info().end_ns, at));
    let id = id.map_or_else(|| format!("{}-cut", source.info().id), str::to_owned);
    let bar = bar("cutting");
    let piece = edit::cut(&source, span, identity(&id)?, output.unwrap_or(folder_of(file)), &mut show(&bar))?;
    bar.finish_and_clear();
    report(&[piece], json)
}

pub fn merge(paths: &[PathBuf], id: &str, output: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
    let sources = paths.iter().map(|path| EpisodeReader::open(path)).collect::<Result<Vec<_>, _>>()?;
    let folder = output.unwrap_or_else(|| paths.first().map_or(Path::new("."), |path| folder_of(path)));
    let bar = bar("merging");
    let whole = edit::merge(&sources, identity(id)?, folder, &mut show(&bar))?;
    bar.finish_and_clear();
    report(&[whole], json)
}

pub fn export(args: &ExportArgs, json: bool) -> anyhow::Result<ExitCode> {
    let sources = files(&args.paths)?;
    if sources.is_empty() {
        bail!("there is nothing to export");
    }
    let started = Instant::now();
    let bar = bar("exporting");
    if args.format == ExportFormat::Lerobot {
        let mut eye = eye()?;
        let done = lerobot::export(&sources, &args.output, args.task.as_deref(), Some(&mut eye), &mut show(&bar))?;
        bar.finish_and_clear();
        let times = done.seconds / started.elapsed().as_secs_f64();
        if json {
            return print_json(&json!({"exported": done, "times_real_time": times}));
        }
        say!(
            "{} episodes, {} frames, {} of them the operator's, {:.0} s at {times:.0} times real time, in {}",
            done.episodes,
            done.frames,
            done.interventions,
            done.seconds,
            args.output.display()
        )?;
        if done.unpaired > 0 {
            say!("{} pictures have no row: another camera missed its own, or one is of another size", done.unpaired)?;
        }
        for (feature, count) in &done.nulls {
            say!("{count} values of {feature} are null: the episodes have none there")?;
        }
        done.left_out
            .iter()
            .try_for_each(|camera| say!("left out, pictures do not pair with the first camera's: {camera}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::create_dir_all(&args.output)
        .with_context(|| format!("cannot make the folder {}", args.output.display()))?;
    let mut written = Vec::new();
    for source in &sources {
        let reader = EpisodeReader::open(source)?;
        let states = States::read(&reader, &mut show(&bar))?;
        let csv = args.format == ExportFormat::Csv;
        let path = args.output.join(format!("{}.{}", reader.info().id, if csv { "csv" } else { "parquet" }));
        if path.exists() {
            bail!("{} exists already", path.display());
        }
        if csv {
            states.write_csv(&path)?;
        } else {
            states.write_parquet(&path)?;
        }
        written.push(json!({"file": path.display().to_string(), "rows": states.columns().first().map_or(0, |column| column.rows())}));
    }
    bar.finish_and_clear();
    if json {
        return print_json(&written);
    }
    written.iter().try_for_each(|file| say!("{}: {} rows", file["file"].as_str().unwrap_or_default(), file["rows"]))?;
    Ok(ExitCode::SUCCESS)
}

/// An identity made of a file's name.
fn plain(source: &Path) -> String {
    let name = source.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(48).collect();
    let plain = plain.trim_start_matches('-');
    if plain.is_empty() { "import".to_owned() } else { plain.to_owned() }
}

pub fn import(args: &ImportArgs, json: bool) -> anyhow::Result<ExitCode> {
    let id = args.id.clone().unwrap_or_else(|| plain(&args.source));
    let bar = bar("importing");
    let imported = match args.format {
        ImportFormat::Lerobot => lerobot::import(&args.source, &args.output, &mut show(&bar))?,
        ImportFormat::Rosbag2 => {
            vec![rosbag2::import(&args.source, identity(&id)?, &args.output, &mut show(&bar))?]
        }
        ImportFormat::Comma2k19 => {
            vec![comma2k19::import(&args.source, identity(&id)?, &args.output, &mut show(&bar))?]
        }
    };
    bar.finish_and_clear();
    if json {
        return print_json(&imported);
    }
    for i in &imported {
        say!("{}: {:.1} s, {} bytes", i.episode.file, i.episode.duration_s, i.episode.bytes)?;
    }
    // What all episodes of a dataset say is told once.
    let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
    for (note, id) in imported.iter().flat_map(|i| i.notes.iter().map(|note| (note.as_str(), i.episode.id.as_str()))) {
        match told.iter_mut().find(|(known, _)| *known == note) {
            Some((_, ids)) => ids.push(id),
            None => told.push((note, vec![id])),
        }
    }
    for (note, ids) in told {
        match ids.as_slice() {
            all if all.len() == imported.len() => say!("note: {note}")?,
            [id] => say!("note on {id}: {note}")?,
            some => say!("note on {} episodes from {} on: {note}", some.len(), some[0])?,
        }
    }
    Ok(ExitCode::SUCCESS)
}
