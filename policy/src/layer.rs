//! One linear layer, its weights as `f32` or in candle's 8-bit blocks.

use crate::PolicyError;
use candle_core::quantized::k_quants::{BlockQ8_0, GgmlType};

/// Numbers that share one scale in Q8_0.
pub(crate) const BLOCK: usize = BlockQ8_0::BLCK_SIZE;
/// Greatest magnitude of a code.
const CODE_MAX: f32 = 127.0;

/// How a layer's weights are held and multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// 32-bit floating point.
    F32,
    /// 8-bit codes with a scale for each 32 along the inputs; the inputs are brought to the same form on the fly.
    Q8_0,
}

#[derive(Clone)]
enum Weights {
    F32(Vec<f32>),
    Q8(Vec<BlockQ8_0>),
}

/// `y = W x + b`, `W` row-major with one row an output.
#[derive(Clone)]
pub struct Layer {
    inputs: usize,
    outputs: usize,
    weights: Weights,
    bias: Vec<f32>,
}

impl Layer {
    /// A layer in `f32`; `weights` holds `outputs` rows of `inputs`.
    ///
    /// # Errors
    /// [`PolicyError::Weights`] when a length does not fit or a number is not finite.
    pub fn new(inputs: usize, outputs: usize, weights: Vec<f32>, bias: Vec<f32>) -> Result<Self, PolicyError> {
        if inputs.checked_mul(outputs) != Some(weights.len()) || bias.len() != outputs || outputs == 0 {
            return Err(PolicyError::Weights(format!(
                "a layer of {inputs} inputs and {outputs} outputs has {} weights and {} biases",
                weights.len(),
                bias.len()
            )));
        }
        if let Some(value) = weights.iter().chain(&bias).find(|v| !v.is_finite()) {
            return Err(PolicyError::Weights(format!("a layer of {inputs} inputs holds {value}")));
        }
        Ok(Self { inputs, outputs, weights: Weights::F32(weights), bias })
    }

    /// The same layer with its weights rounded to Q8_0.
    ///
    /// # Errors
    /// [`PolicyError::Weights`] when the inputs are no multiple of 32 or a scale leaves half precision.
    pub fn quantized(&self) -> Result<Self, PolicyError> {
        if !self.inputs.is_multiple_of(BLOCK) {
            return Err(PolicyError::Weights(format!("{} inputs are no multiple of {BLOCK}", self.inputs)));
        }
        let mut blocks = vec![BlockQ8_0::zeros(); self.outputs * self.inputs / BLOCK];
        BlockQ8_0::from_float(&self.weights(), &mut blocks);
        let layer = Self { weights: Weights::Q8(blocks), ..self.clone() };
        match layer.weights().iter().find(|v| !v.is_finite()) {
            Some(_) => Err(PolicyError::Weights("a weight is too large for Q8_0".to_owned())),
            None => Ok(layer),
        }
    }

    /// A Q8_0 layer from codes and scales, exactly as [`Layer::codes`] gave them.
    pub(crate) fn from_codes(
        inputs: usize,
        outputs: usize,
        (codes, scales): (&[i8], &[f32]),
        bias: Vec<f32>,
    ) -> Result<Self, PolicyError> {
        let fits = inputs.is_multiple_of(BLOCK) && codes.len() == inputs * outputs;
        if !fits || scales.len() != codes.len() / BLOCK {
            return Err(PolicyError::Weights(format!(
                "{} codes and {} scales do not make {outputs} rows of {inputs}",
                codes.len(),
                scales.len()
            )));
        }
        let scale_of = |i: usize| scales[i / BLOCK];
        let weights: Vec<f32> = codes.iter().enumerate().map(|(i, &code)| f32::from(code) * scale_of(i)).collect();
        let layer = Self::new(inputs, outputs, weights.clone(), bias)?.quantized()?;
        // Codes that use their full range and scales of half precision survive rounding unchanged; others are not ours.
        if layer.weights() == weights {
            Ok(layer)
        } else {
            Err(PolicyError::Weights(
                "codes are not in Q8_0's form (127 in each block, half-precision scales)".to_owned(),
            ))
        }
    }

    /// Codes and scales of a Q8_0 layer; `None` for `f32`.
    pub(crate) fn codes(&self) -> Option<(Vec<i8>, Vec<f32>)> {
        let Weights::Q8(_) = &self.weights else { return None };
        let values = self.weights();
        // The greatest code of a block is 127 and a product of 11 and 7 bits is exact, hence so is its division.
        let scales: Vec<f32> =
            values.chunks(BLOCK).map(|b| b.iter().fold(0.0f32, |most, v| most.max(v.abs())) / CODE_MAX).collect();
        let code = |i: usize, v: f32| if scales[i / BLOCK] == 0.0 { 0 } else { (v / scales[i / BLOCK]).round() as i8 };
        Some((values.iter().enumerate().map(|(i, &v)| code(i, v)).collect(), scales))
    }

    /// Number of inputs.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// How the weights are held.
    #[must_use]
    pub fn kind(&self) -> LayerKind {
        match self.weights {
            Weights::F32(_) => LayerKind::F32,
            Weights::Q8(_) => LayerKind::Q8_0,
        }
    }

    /// The weights as `f32`, row-major, whatever their kind.
    #[must_use]
    pub fn weights(&self) -> Vec<f32> {
        match &self.weights {
            Weights::F32(weights) => weights.clone(),
            Weights::Q8(blocks) => {
                let mut values = vec![0.0; blocks.len() * BLOCK];
                BlockQ8_0::to_float(blocks, &mut values);
                values
            }
        }
    }

    /// The biases.
    #[must_use]
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// `output = W input + b`. `blocks` has room for the inputs in Q8_0.
    pub(crate) fn forward(&self, input: &[f32], blocks: &mut [BlockQ8_0], output: &mut [f32]) {
        match &self.weights {
            Weights::F32(weights) => {
                for ((row, bias), out) in weights.chunks_exact(self.inputs).zip(&self.bias).zip(output) {
                    *out = bias + dot(row, input);
                }
            }
            Weights::Q8(weights) => {
                let per_row = self.inputs / BLOCK;
                let blocks = &mut blocks[..per_row];
                BlockQ8_0::from_float(input, blocks);
                for ((row, bias), out) in weights.chunks_exact(per_row).zip(&self.bias).zip(output) {
                    *out = bias + BlockQ8_0::vec_dot(self.inputs, row, blocks);
                }
            }
        }
    }
}

/// Eight running sums, so that the compiler can use vector registers.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    rest + sums.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_written_and_read_make_the_same_layer(
            weights in prop::collection::vec(-4.0f32..4.0, 128), zero in 0usize..4, small in 1e-9f32..1.0,
        ) {
            let mut weights = weights;
            weights[zero * 32..zero * 32 + 32].fill(0.0);
            weights[64..].iter_mut().for_each(|w| *w *= small);
            let layer = Layer::new(64, 2, weights, vec![0.5, -0.5]).unwrap().quantized().unwrap();
            let (codes, scales) = layer.codes().unwrap();
            let again = Layer::from_codes(64, 2, (&codes, &scales), vec![0.5, -0.5]).unwrap();
            prop_assert_eq!(layer.weights(), again.weights());
        }
    }

    #[test]
    fn codes_that_quantization_never_makes_are_refused() {
        let mut codes = [0i8; 32];
        codes[3] = 100;
        assert!(Layer::from_codes(32, 1, (&codes, &[0.5]), vec![0.0]).is_err());
        codes[3] = 127;
        assert!(Layer::from_codes(32, 1, (&codes, &[0.5]), vec![0.0]).is_ok());
        assert!(Layer::from_codes(32, 1, (&codes, &[0.1]), vec![0.0]).is_err(), "0.1 is not a half-precision scale");
        assert!(Layer::from_codes(32, 1, (&codes, &[f32::NAN]), vec![0.0]).is_err());
        assert!(Layer::from_codes(32, 1, (&codes, &[1e9]), vec![0.0]).is_err());
        assert!(Layer::new(32, 1, vec![1e30; 32], vec![0.0]).unwrap().quantized().is_err());
    }
}
