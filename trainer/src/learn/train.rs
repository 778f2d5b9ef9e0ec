//! Weighted behaviour cloning.

use super::model::Model;
use super::report::{Report, report_table};
use super::sample::{Rows, Table, Weighting};
use crate::{Dataset, Split, TrainError};
use candle_core::{Device, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use policy::{FEATURES, Network, Policy, output_count};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Settings of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainConfig {
    /// Of the first weights and of what each step sees.
    pub seed: u64,
    /// Steps of the optimizer.
    pub steps: usize,
    /// Frames to imitate in a step; a quarter as many come on top for the confidence.
    pub batch: usize,
    /// Greatest learning rate; reached after a hundredth of the steps, then falling to zero as a cosine.
    pub learning_rate: f64,
    /// Decoupled decay of the weights (AdamW).
    pub weight_decay: f64,
    /// Weight of the confidence's loss against the actions'.
    pub confidence_weight: f64,
    /// How often frames of each label are seen.
    pub weighting: Weighting,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            steps: 8_000,
            batch: 256,
            learning_rate: 1e-3,
            weight_decay: 1e-2,
            confidence_weight: 0.25,
            weighting: Weighting::default(),
        }
    }
}

/// Losses at a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossPoint {
    /// Steps done.
    pub step: usize,
    /// Steps to do.
    pub steps: usize,
    /// Mean of the training loss since the point before.
    pub train: f64,
    /// Loss on the episodes held out.
    pub validation: f64,
}

/// A network that has learnt, in `f32`.
#[derive(Clone)]
pub struct TrainedNet {
    /// The weights that were best on the episodes held out.
    pub network: Network,
    /// How training went.
    pub curve: Vec<LossPoint>,
    /// The step whose weights were kept.
    pub best_step: usize,
    /// How it does on the episodes held out.
    pub validation: Report,
    /// Frames it could learn from, perturbed ones included.
    pub frames: usize,
    /// Its settings.
    pub config: TrainConfig,
}

/// How many times the validation loss is looked at.
pub const LOOKS: usize = 20;
/// Most frames looked at each time.
const LOOK_FRAMES: usize = 4_096;

/// Fits a network to a dataset, from `parent`'s weights or from random ones. Equal data, settings and parent give equal
/// bits: one thread, one order. `progress` is told the losses now and then.
///
/// # Errors
/// [`TrainError`] when a setting is out of range, there is nothing to imitate, the parent drives another robot, or the
/// loss leaves the finite numbers.
pub fn train(
    dataset: &Dataset,
    config: &TrainConfig,
    parent: Option<&Policy>,
    progress: &mut (dyn FnMut(LossPoint) + Send),
) -> Result<TrainedNet, TrainError> {
    check(config)?;
    // The tensor library multiplies in whatever pool it is called from: a pool of one thread keeps it on one.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|e| TrainError::Thread(e.to_string()))?;
    pool.install(|| fit(dataset, config, parent, progress))
}

impl TrainConfig {
    /// Whether it can be trained with; [`train`] asks too.
    ///
    /// # Errors
    /// [`TrainError::Config`] naming the setting and its value.
    pub fn check(&self) -> Result<(), TrainError> {
        check(self)
    }
}

fn check(config: &TrainConfig) -> Result<(), TrainError> {
    let sizes = [("steps", config.steps, 10_000_000), ("batch", config.batch, 65_536)];
    for (setting, value, most) in sizes {
        if value == 0 || value > most {
            return Err(TrainError::Config { setting, value: value as f64, need: "at least 1 and of a sensible size" });
        }
    }
    let reals = [
        ("learning_rate", config.learning_rate, 1.0),
        ("weight_decay", config.weight_decay, 10.0),
        ("confidence_weight", config.confidence_weight, 100.0),
        ("takeover mass", config.weighting.takeover, 1.0),
        ("pre-takeover mass", config.weighting.pre_takeover, 1.0),
    ];
    for (setting, value, most) in reals {
        if !(0.0..=most).contains(&value) {
            return Err(TrainError::Config { setting, value, need: "between zero and its sensible maximum" });
        }
    }
    Ok(())
}

fn start(dataset: &Dataset, config: &TrainConfig, parent: Option<&Policy>) -> Result<Model, TrainError> {
    let outputs = output_count(dataset.embodiment());
    match parent {
        Some(parent) if parent.embodiment() != dataset.embodiment() => Err(policy::PolicyError::Embodiment {
            embodiment: parent.embodiment().name.clone(),
            why: format!("is the parent's, the dataset is of {:?}", dataset.embodiment().name),
        }
        .into()),
        Some(parent) => Model::new(parent.network()),
        None => Model::new(&Network::random(outputs, config.seed)?),
    }
}

fn fit(
    dataset: &Dataset,
    config: &TrainConfig,
    parent: Option<&Policy>,
    progress: &mut (dyn FnMut(LossPoint) + Send),
) -> Result<TrainedNet, TrainError> {
    let table = Table::new(dataset, Split::Train, &config.weighting);
    let held_out = Table::new(dataset, Split::Validation, &config.weighting);
    if table.is_empty() {
        return Err(TrainError::NoFrames { episodes: dataset.episodes().count() });
    }
    let judge_by = if held_out.is_empty() { &table } else { &held_out };
    let model = start(dataset, config, parent)?;
    let mut optimizer = Optimizers::new(&model, config)?;
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let mut rows = Rows::default();
    let (mut curve, mut since, mut best) = (Vec::new(), (0.0, 0usize), None::<(f64, usize, Network)>);
    let look_every = config.steps.div_ceil(LOOKS);
    for step in 1..=config.steps {
        rows.clear();
        table.draw(config.batch, &mut rng, &mut rows);
        table.draw_judged(config.batch / 4, &mut rng, &mut rows);
        let loss = loss(&model, &rows, config, dataset.channels())?;
        optimizer.step(&loss, learning_rate(config, step))?;
        // Reading a loss out costs little beside the step itself.
        let value = f64::from(loss.to_scalar::<f32>()?);
        if !value.is_finite() {
            return Err(TrainError::Diverged { step, loss: value, learning_rate: config.learning_rate });
        }
        since = (since.0 + value, since.1 + 1);
        if step % look_every == 0 || step == config.steps {
            let network = model.network()?;
            let seen = report_table(&network, judge_by, dataset, LOOK_FRAMES);
            let validation = seen.loss + config.confidence_weight * seen.confidence_loss;
            let point = LossPoint { step, steps: config.steps, train: since.0 / since.1 as f64, validation };
            since = (0.0, 0);
            curve.push(point);
            progress(point);
            // The confidence overfits long before the actions have settled: the actions decide.
            if best.as_ref().is_none_or(|(least, ..)| seen.loss < *least) {
                best = Some((seen.loss, step, network));
            }
        }
    }
    let Some((_, best_step, network)) = best else {
        return Err(TrainError::NoFrames { episodes: dataset.episodes().count() });
    };
    let validation = report_table(&network, judge_by, dataset, usize::MAX);
    Ok(TrainedNet { network, curve, best_step, validation, frames: table.len(), config: config.clone() })
}

/// Warm-up, then a cosine to zero (Loshchilov and Hutter 2017).
fn learning_rate(config: &TrainConfig, step: usize) -> f64 {
    let warm = (config.steps / 100).max(1) as f64;
    let done = (step - 1) as f64 / config.steps as f64;
    config.learning_rate * (step as f64 / warm).min(1.0) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

/// Huber's loss (1964) with its bend at one output unit over the rows to imitate, and the cross entropy of the
/// confidence over the rows after them.
fn loss(model: &Model, rows: &Rows, config: &TrainConfig, channels: usize) -> Result<Tensor, TrainError> {
    let count = rows.len();
    let x = Tensor::from_slice(&rows.features, (count, FEATURES), &Device::Cpu)?;
    let outputs = model.forward(&x)?;
    let target = Tensor::from_slice(&rows.targets[..config.batch * channels], (config.batch, channels), &Device::Cpu)?;
    let actions = outputs.narrow(0, 0, config.batch)?.narrow(1, 0, channels)?;
    let error = (actions - target)?.abs()?;
    let bent = error.minimum(1.0f64)?;
    let huber = (bent.clone() * (error - (bent * 0.5)?)?)?.mean_all()?;
    let judged = count - config.batch;
    if judged == 0 {
        return Ok(huber);
    }
    let logit = outputs.narrow(0, config.batch, judged)?.narrow(1, channels, 1)?.flatten_all()?;
    let confident = Tensor::from_slice(&rows.confident[config.batch..], judged, &Device::Cpu)?;
    // ln(1 + e^-|z|) + max(z, 0) - z y, which cannot overflow.
    let tail = (logit.abs()?.neg()?.exp()? + 1.0)?.log()?;
    let entropy = ((tail + logit.relu()?)? - (logit * confident)?)?.mean_all()?;
    Ok((huber + (entropy * config.confidence_weight)?)?)
}

/// AdamW on the weights, Adam on the biases.
struct Optimizers {
    weights: AdamW,
    biases: AdamW,
}

impl Optimizers {
    fn new(model: &Model, config: &TrainConfig) -> Result<Self, TrainError> {
        let (weights, biases) = model.vars();
        let params = ParamsAdamW { weight_decay: config.weight_decay, ..ParamsAdamW::default() };
        let still = ParamsAdamW { weight_decay: 0.0, ..ParamsAdamW::default() };
        Ok(Self { weights: AdamW::new(weights, params)?, biases: AdamW::new(biases, still)? })
    }

    fn step(&mut self, loss: &Tensor, learning_rate: f64) -> Result<(), TrainError> {
        let gradients = loss.backward()?;
        for optimizer in [&mut self.weights, &mut self.biases] {
            optimizer.set_learning_rate(learning_rate);
            optimizer.step(&gradients)?;
        }
        Ok(())
    }
}
