//! The network: two hidden layers with a linear skip, and the scales of its outputs.

use crate::layer::{BLOCK, Layer, LayerKind};
use crate::manifest::NetworkShape;
use crate::{FEATURES, PolicyError};
use candle_core::quantized::k_quants::{BlockQ8_0, GgmlType};
use protocol::{Channel, Embodiment};

/// Widths of the hidden layers of a new network.
pub const HIDDEN: [usize; 2] = [128, 128];
/// Widest hidden layer that is read from a file.
const MAX_WIDTH: usize = 1024;

/// The size of one output unit in the channel's own unit, so that outputs of ordinary driving lie within about -2 to 2
/// and small steering angles are resolved: 0.05 rad for a steering angle, 2 m/s^2 for an acceleration, a quarter of
/// the channel's range for anything else.
#[must_use]
pub fn action_unit(channel: &Channel) -> f64 {
    match channel.name.as_str() {
        "steering_rad" => 0.05,
        "acceleration_mps2" => 2.0,
        _ => (channel.max - channel.min) / 4.0,
    }
}

/// Outputs of a network for an embodiment: its action channels and the logit of the confidence.
#[must_use]
pub fn output_count(embodiment: &Embodiment) -> usize {
    embodiment.action.len() + 1
}

/// `y = output(relu(hidden[1](relu(hidden[0](x))))) + skip(x)`; the last of `y` is the logit of the confidence, those
/// before are the action channels in their [`action_unit`].
#[derive(Clone)]
pub struct Network {
    hidden: [Layer; 2],
    output: Layer,
    skip: Layer,
}

/// Memory for one pass through a network.
pub(crate) struct Scratch {
    blocks: Vec<BlockQ8_0>,
    first: Vec<f32>,
    second: Vec<f32>,
    skip: Vec<f32>,
}

impl Network {
    /// Puts a network together; `skip` has the bias of the outputs added to `output`'s.
    ///
    /// # Errors
    /// [`PolicyError::Weights`] when the layers do not fit each other or [`FEATURES`].
    pub fn new(hidden: [Layer; 2], output: Layer, skip: Layer) -> Result<Self, PolicyError> {
        let [first, second] = &hidden;
        let widths = [first.outputs(), second.outputs()];
        let fits = first.inputs() == FEATURES
            && second.inputs() == widths[0]
            && output.inputs() == widths[1]
            && skip.inputs() == FEATURES
            && skip.outputs() == output.outputs()
            && output.outputs() >= 2;
        if !fits || widths.iter().any(|w| *w > MAX_WIDTH || !w.is_multiple_of(BLOCK)) {
            return Err(PolicyError::Weights(format!(
                "layers of {}x{}, {}x{}, {}x{} and {}x{} do not make a network of {FEATURES} features with hidden \
                 layers of a multiple of {BLOCK} up to {MAX_WIDTH}",
                first.inputs(),
                first.outputs(),
                second.inputs(),
                second.outputs(),
                output.inputs(),
                output.outputs(),
                skip.inputs(),
                skip.outputs()
            )));
        }
        Ok(Self { hidden, output, skip })
    }

    /// A network of random weights: He's initialisation (2015) in the hidden layers, and a skip strong enough that an
    /// untrained robot moves, and badly.
    ///
    /// # Errors
    /// [`PolicyError::Weights`] when `outputs` is below 2.
    pub fn random(outputs: usize, seed: u64) -> Result<Self, PolicyError> {
        let mut normal = Normal(seed);
        let mut layer = |inputs: usize, outputs: usize, gain: f32| {
            let deviation = gain / (inputs as f32).sqrt();
            let weights = (0..inputs * outputs).map(|_| deviation * normal.draw()).collect();
            Layer::new(inputs, outputs, weights, vec![0.0; outputs])
        };
        let he = std::f32::consts::SQRT_2;
        let hidden = [layer(FEATURES, HIDDEN[0], he)?, layer(HIDDEN[0], HIDDEN[1], he)?];
        Self::new(hidden, layer(HIDDEN[1], outputs, 0.5)?, layer(FEATURES, outputs, 1.0)?)
    }

    /// The hidden layers, from the features on.
    #[must_use]
    pub fn hidden(&self) -> &[Layer; 2] {
        &self.hidden
    }

    /// From the last hidden layer to the outputs.
    #[must_use]
    pub fn output(&self) -> &Layer {
        &self.output
    }

    /// From the features straight to the outputs.
    #[must_use]
    pub fn skip(&self) -> &Layer {
        &self.skip
    }

    /// Number of outputs, confidence included.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.output.outputs()
    }

    /// Sizes and kinds, as the manifest states them.
    #[must_use]
    pub fn shape(&self) -> NetworkShape {
        NetworkShape {
            features: FEATURES,
            hidden: self.hidden.each_ref().map(Layer::outputs),
            outputs: self.outputs(),
            activation: "relu".to_owned(),
            hidden_kinds: self.hidden.each_ref().map(Layer::kind),
        }
    }

    /// The same network with each hidden layer of the asked kind. The outputs and the skip stay `f32`: they are a
    /// fortieth of the work and their rounding would go straight to the actuators.
    ///
    /// # Errors
    /// [`PolicyError::Weights`] when a weight is too large for Q8_0, or a Q8_0 layer is asked for in `f32`: what
    /// rounding took away does not come back.
    pub fn with_kinds(&self, kinds: [LayerKind; 2]) -> Result<Self, PolicyError> {
        let convert = |layer: &Layer, kind: LayerKind| match (layer.kind(), kind) {
            (LayerKind::F32, LayerKind::Q8_0) => layer.quantized(),
            (LayerKind::Q8_0, LayerKind::F32) => {
                Err(PolicyError::Weights("a Q8_0 layer cannot become f32 again".to_owned()))
            }
            _ => Ok(layer.clone()),
        };
        let [first, second] = &self.hidden;
        let hidden = [convert(first, kinds[0])?, convert(second, kinds[1])?];
        Ok(Self { hidden, ..self.clone() })
    }

    /// The raw outputs for one vector of features; allocates, for checks and tools.
    #[must_use]
    pub fn evaluate(&self, features: &[f32; FEATURES]) -> Vec<f32> {
        let mut out = vec![0.0; self.outputs()];
        self.forward(features, &mut Scratch::new(self), &mut out);
        out
    }

    /// A function that evaluates again and again without allocating: features in, raw outputs out.
    pub fn evaluator(&self) -> impl FnMut(&[f32; FEATURES], &mut [f32]) + '_ {
        let mut scratch = Scratch::new(self);
        move |features, out| self.forward(features, &mut scratch, out)
    }

    pub(crate) fn forward(&self, features: &[f32; FEATURES], scratch: &mut Scratch, out: &mut [f32]) {
        let Scratch { blocks, first, second, skip } = scratch;
        self.hidden[0].forward(features, blocks, first);
        relu(first);
        self.hidden[1].forward(first, blocks, second);
        relu(second);
        self.output.forward(second, blocks, out);
        self.skip.forward(features, blocks, skip);
        for (out, skip) in out.iter_mut().zip(skip) {
            *out += *skip;
        }
    }
}

impl Scratch {
    pub(crate) fn new(network: &Network) -> Self {
        let [first, second] = network.hidden.each_ref().map(Layer::outputs);
        let widest = FEATURES.max(first).max(second);
        Self {
            blocks: vec![BlockQ8_0::zeros(); widest.div_ceil(BLOCK)],
            first: vec![0.0; first],
            second: vec![0.0; second],
            skip: vec![0.0; network.outputs()],
        }
    }
}

fn relu(values: &mut [f32]) {
    for value in values {
        *value = value.max(0.0);
    }
}

/// Normal deviates from SplitMix64 (Steele, Lea and Flood 2014) and the Box-Muller transform; here so that the crate
/// that drives needs no generator of random numbers.
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn draw(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * self.uniform()).cos()) as f32
    }
}
