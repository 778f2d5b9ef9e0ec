//! The network with gradients: the same layers as [`policy::Network`] as tensors.

use candle_core::{Device, Result, Tensor, Var};
use policy::{FEATURES, Layer, Network, PolicyError};

/// Weights and biases as variables.
struct Linear {
    weight: Var,
    bias: Var,
}

/// A network under training, on the processor in `f32`.
pub(super) struct Model {
    hidden: [Linear; 2],
    output: Linear,
    skip: Var,
}

impl Linear {
    fn new(layer: &Layer) -> Result<Self> {
        let shape = (layer.outputs(), layer.inputs());
        Ok(Self {
            weight: Var::from_vec(layer.weights(), shape, &Device::Cpu)?,
            bias: Var::from_slice(layer.bias(), layer.outputs(), &Device::Cpu)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)
    }

    fn layer(&self) -> std::result::Result<Layer, crate::TrainError> {
        let (outputs, inputs) = self.weight.dims2()?;
        Ok(Layer::new(inputs, outputs, self.weight.flatten_all()?.to_vec1()?, self.bias.to_vec1()?)?)
    }
}

impl Model {
    pub(super) fn new(network: &Network) -> std::result::Result<Self, crate::TrainError> {
        let [first, second] = network.hidden();
        let skip = network.skip();
        let output = Linear::new(network.output())?;
        // One bias at the outputs is enough: the skip's is folded into it.
        let bias = Tensor::from_slice(skip.bias(), skip.outputs(), &Device::Cpu)?;
        output.bias.set(&output.bias.add(&bias)?)?;
        Ok(Self {
            hidden: [Linear::new(first)?, Linear::new(second)?],
            output,
            skip: Var::from_vec(skip.weights(), (skip.outputs(), FEATURES), &Device::Cpu)?,
        })
    }

    /// Raw outputs, a row for each row of features.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let first = self.hidden[0].forward(x)?.relu()?;
        let second = self.hidden[1].forward(&first)?.relu()?;
        self.output.forward(&second)?.add(&x.matmul(&self.skip.t()?)?)
    }

    /// The weights, which decay, and the biases, which do not.
    pub(super) fn vars(&self) -> (Vec<Var>, Vec<Var>) {
        let linear = [&self.hidden[0], &self.hidden[1], &self.output];
        let mut weights: Vec<Var> = linear.iter().map(|l| l.weight.clone()).collect();
        weights.push(self.skip.clone());
        (weights, linear.iter().map(|l| l.bias.clone()).collect())
    }

    pub(super) fn network(&self) -> std::result::Result<Network, crate::TrainError> {
        let outputs = self.skip.dims2()?.0;
        let skip = Layer::new(FEATURES, outputs, self.skip.flatten_all()?.to_vec1()?, vec![0.0; outputs])?;
        let network: std::result::Result<Network, PolicyError> =
            Network::new([self.hidden[0].layer()?, self.hidden[1].layer()?], self.output.layer()?, skip);
        Ok(network?)
    }
}
