//! `takeover train`: from a folder of episodes to a policy, as a batch job.

use crate::demo::Bars;
use crate::output::{check_folder, end_on_interrupt};
use anyhow::{Context, bail};
use policy::Policy;
use protocol::{Embodiment, PolicyVersion};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use trainer::flywheel::Progress;
use trainer::{Dataset, LOOKS, TrainConfig, Weighting, episode_files, manifest_of, publish, quantize, train};

/// Trains a policy from takeover episodes: weighted behaviour cloning, then 8-bit weights. Prints the loss on episodes
/// held out and writes OUT/VERSION/{manifest.json, weights.safetensors}. Say how good it is with `takeover evaluate`.
#[derive(Debug, Clone, clap::Args)]
pub struct TrainArgs {
    /// Folder of episodes (.mcap).
    #[arg(long, default_value = "takeover-data/episodes")]
    pub episodes: PathBuf,
    /// Folder that the version's own folder is written into.
    #[arg(long, default_value = "takeover-policies")]
    pub out: PathBuf,
    /// The robot that the policy drives: a built-in embodiment or a TOML file. Episodes of another one are refused.
    #[arg(long, value_name = "NAME|FILE", default_value = "ackermann_car", value_parser = crate::embodiment::named_or_file)]
    pub embodiment: Embodiment,
    /// Name of the new version.
    #[arg(long)]
    pub version: PolicyVersion,
    /// Folder of the policy to start from; without it, from random weights.
    #[arg(long)]
    pub parent: Option<PathBuf>,
    /// Seed of weights and order.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Steps of the optimizer.
    #[arg(long, default_value_t = TrainConfig::default().steps)]
    pub steps: usize,
    /// Share of what is learnt from that comes from frames a person drove; 1 is HG-DAgger, 0.5 Sirius.
    #[arg(long, default_value_t = TrainConfig::default().weighting.takeover)]
    pub takeover_mass: f64,
    /// Policies whose own driving is not to be imitated.
    #[arg(long, value_delimiter = ',')]
    pub distrust: Vec<PolicyVersion>,
}

/// Whether the version is being written, or written.
static IS_WRITTEN: AtomicBool = AtomicBool::new(false);

/// Trains and writes the policy.
///
/// # Errors
/// When the episodes cannot be read or there is nothing to learn from.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    let dir = args.out.join(args.version.as_str());
    if dir.exists() {
        bail!("{} exists; versions are immutable, choose another --version", dir.display());
    }
    let weighting =
        Weighting { takeover: args.takeover_mass, distrusted: args.distrust.clone(), ..Weighting::default() };
    let config = TrainConfig { seed: args.seed, steps: args.steps, weighting, ..TrainConfig::default() };
    config.check()?;
    end_on_interrupt(|| match IS_WRITTEN.load(Ordering::SeqCst) {
        true => "",
        // A version is written whole or not at all.
        false => "; no version is written",
    })?;
    check_folder(&args.out)?;
    let robot = &args.embodiment;
    let parent = args.parent.as_ref().map(|p| Policy::load_for(robot, p)).transpose();
    let parent = parent.context("cannot use the parent")?;
    let files = episode_files(&args.episodes)?;
    let bars = Bars::default();
    let mut dataset = Dataset::new(robot);
    bars.begin("reading episodes", files.len() as u64);
    let read = dataset.add(&files, &|_, _| bars.advance(""));
    bars.end();
    read?;
    bars.begin("training", LOOKS as u64);
    let trained = train(&dataset, &config, parent.as_ref(), &mut |point| {
        bars.advance(&format!("loss {:.4}, on episodes held out {:.4}", point.train, point.validation));
    });
    bars.end();
    let trained = trained?;
    let quantized = quantize(&trained, &dataset)?;
    let parent = parent.map(|p| p.manifest().version.clone());
    let manifest = manifest_of(args.version.clone(), parent, &dataset, &trained, &quantized);
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make the folder {}", args.out.display()))?;
    // From here on nobody knows at Ctrl-C whether it is there.
    IS_WRITTEN.store(true, Ordering::SeqCst);
    let policy = publish(&args.out, robot, manifest, quantized.network)?;
    say!(
        "{}: {} frames of {} episodes, weights of step {}, written to {}",
        args.version,
        policy.manifest().frames,
        policy.manifest().episodes.len(),
        trained.best_step,
        dir.display()
    )?;
    for (name, value) in policy.manifest().metrics.iter().filter(|(name, _)| name.starts_with("validation")) {
        say!("  {name:48} {value:.5}")?;
    }
    Ok(())
}
