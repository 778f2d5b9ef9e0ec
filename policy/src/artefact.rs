//! The folder of one version: `manifest.json` and `weights.safetensors`.
//!
//! Tensors: `hidden1`, `hidden2`, `output` and `skip`, each with `.weight` (rows are outputs) and `.bias`, in `F32`. A
//! hidden layer in Q8_0 has its codes as `I8` in `.weight` and a scale for each 32 inputs as `F32` in `.scale`.

use crate::manifest::sha256_hex;
use crate::{FEATURE_VERSION, FEATURES, FORMAT, Layer, Manifest, Network, Policy, PolicyError};
use protocol::Embodiment;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Name of the manifest's file.
pub const MANIFEST_FILE: &str = "manifest.json";
/// Name of the weights' file.
pub const WEIGHTS_FILE: &str = "weights.safetensors";
/// Largest manifest that is read: about 60,000 episodes.
pub const MAX_MANIFEST_BYTES: u64 = 8 << 20;
/// Largest file of weights that is read.
pub const MAX_WEIGHTS_BYTES: u64 = 32 << 20;

const LAYERS: [&str; 4] = ["hidden1", "hidden2", "output", "skip"];

pub(crate) fn load(dir: &Path, own: Option<&Embodiment>) -> Result<Policy, PolicyError> {
    let path = dir.join(MANIFEST_FILE);
    let manifest = parse_manifest(&path, &read(&path, MAX_MANIFEST_BYTES)?)?;
    let invalid = |why: String| PolicyError::Manifest { path: path.clone(), why };
    let unfit = |why| PolicyError::Embodiment { embodiment: manifest.embodiment.clone(), why };
    let embodiment = match own {
        Some(own) if own.name != manifest.embodiment => {
            return Err(unfit(format!("is what the policy drives, this robot is {:?}", own.name)));
        }
        Some(own) => own.clone(),
        None => {
            Embodiment::by_name(&manifest.embodiment).ok_or_else(|| unfit("is not known to this build".to_owned()))?
        }
    };
    let units: Vec<f64> = embodiment.action.iter().map(crate::action_unit).collect();
    if manifest.action_units != units {
        return Err(invalid(format!("action_units are {:?}, this build uses {units:?}", manifest.action_units)));
    }
    let weights = read(&dir.join(WEIGHTS_FILE), MAX_WEIGHTS_BYTES)?;
    let found = sha256_hex(&weights);
    if found != manifest.weights_sha256 {
        return Err(PolicyError::Hash { expected: manifest.weights_sha256, found });
    }
    let network = weights_from_bytes(&weights)?;
    if network.shape() != manifest.network {
        return Err(invalid(format!("network is {:?}, the weights are {:?}", manifest.network, network.shape())));
    }
    Policy::assemble(embodiment, manifest, network)
}

fn parse_manifest(path: &Path, json: &[u8]) -> Result<Manifest, PolicyError> {
    let invalid = |why: String| PolicyError::Manifest { path: path.to_owned(), why };
    let manifest: Manifest = serde_json::from_slice(json).map_err(|e| invalid(e.to_string()))?;
    if manifest.format != FORMAT {
        return Err(invalid(format!("format is {:?}, this build reads {FORMAT:?}", manifest.format)));
    }
    if manifest.feature_version != FEATURE_VERSION || manifest.network.features != FEATURES {
        return Err(PolicyError::FeatureVersion {
            policy: manifest.version.to_string(),
            found: manifest.feature_version,
            found_count: manifest.network.features,
            expected: FEATURE_VERSION,
            expected_count: FEATURES,
        });
    }
    Ok(manifest)
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, PolicyError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io_error("open", path))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io_error("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(PolicyError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

pub(crate) fn save(dir: &Path, manifest: &Manifest, network: &Network) -> Result<(), PolicyError> {
    let files = [(MANIFEST_FILE, manifest.to_json()?), (WEIGHTS_FILE, weights_to_bytes(network)?)];
    if dir.exists() {
        let same = files.iter().all(|(name, bytes)| fs::read(dir.join(name)).is_ok_and(|found| found == *bytes));
        let other = || io::Error::new(io::ErrorKind::AlreadyExists, "the folder holds another policy");
        return if same { Ok(()) } else { Err(io_error("save to", dir)(other())) };
    }
    let unnamed = || io::Error::new(io::ErrorKind::InvalidInput, "not the name of a folder");
    let name = dir.file_name().and_then(|n| n.to_str()).ok_or_else(|| io_error("save to", dir)(unnamed()))?;
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let part = parent.join(format!(".{name}.part"));
    if part.exists() {
        fs::remove_dir_all(&part).map_err(io_error("remove", &part))?;
    }
    fs::create_dir_all(&part).map_err(io_error("make", &part))?;
    for (name, bytes) in &files {
        let path = part.join(name);
        let mut file = File::create(&path).map_err(io_error("make", &path))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io_error("write", &path))?;
    }
    sync_folder(&part)?;
    fs::rename(&part, dir).map_err(io_error("rename to", dir))?;
    sync_folder(parent)
}

/// Makes names in a folder durable.
fn sync_folder(path: &Path) -> Result<(), PolicyError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io_error("sync", path))
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PolicyError + use<> {
    let path: PathBuf = path.to_owned();
    move |source| PolicyError::Io { doing, path, source }
}

pub(crate) fn weights_to_bytes(network: &Network) -> Result<Vec<u8>, PolicyError> {
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    let [first, second] = network.hidden();
    for (name, layer) in LAYERS.into_iter().zip([first, second, network.output(), network.skip()]) {
        let shape = vec![layer.outputs(), layer.inputs()];
        if let Some((codes, scales)) = layer.codes() {
            let bytes = codes.iter().map(|c| c.cast_unsigned()).collect();
            tensors.push((format!("{name}.weight"), Dtype::I8, shape, bytes));
            let shape = vec![layer.outputs(), scales.len() / layer.outputs()];
            tensors.push((format!("{name}.scale"), Dtype::F32, shape, f32_bytes(&scales)));
        } else {
            tensors.push((format!("{name}.weight"), Dtype::F32, shape, f32_bytes(&layer.weights())));
        }
        tensors.push((format!("{name}.bias"), Dtype::F32, vec![layer.outputs()], f32_bytes(layer.bias())));
    }
    let invalid = |e: safetensors::SafeTensorError| PolicyError::Weights(e.to_string());
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, data)| Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), data)?)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(invalid)?;
    safetensors::serialize(views, None).map_err(invalid)
}

fn weights_from_bytes(bytes: &[u8]) -> Result<Network, PolicyError> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| PolicyError::Weights(e.to_string()))?;
    let known = |name: &str| {
        name.rsplit_once('.').is_some_and(|(l, p)| LAYERS.contains(&l) && matches!(p, "weight" | "bias" | "scale"))
    };
    if let Some(name) = tensors.names().into_iter().find(|name| !known(name)) {
        return Err(PolicyError::Weights(format!("tensor {name:?} is not part of a policy")));
    }
    let [first, second, output, skip] = LAYERS.map(|name| layer(&tensors, name));
    Network::new([first?, second?], output?, skip?)
}

fn layer(tensors: &SafeTensors, name: &str) -> Result<Layer, PolicyError> {
    let weight = tensor(tensors, &format!("{name}.weight"))?;
    let &[outputs, inputs] = weight.shape() else {
        return Err(PolicyError::Weights(format!("{name}.weight has shape {:?}, need two sizes", weight.shape())));
    };
    let bias = f32_tensor(tensors, &format!("{name}.bias"))?;
    match weight.dtype() {
        Dtype::F32 => Layer::new(inputs, outputs, f32_tensor(tensors, &format!("{name}.weight"))?, bias),
        Dtype::I8 if name.starts_with("hidden") => {
            let codes: Vec<i8> = weight.data().iter().map(|b| b.cast_signed()).collect();
            let scales = f32_tensor(tensors, &format!("{name}.scale"))?;
            Layer::from_codes(inputs, outputs, (&codes, &scales), bias)
        }
        other => Err(PolicyError::Weights(format!("{name}.weight is of type {other:?}"))),
    }
    .map_err(|e| match e {
        PolicyError::Weights(why) => PolicyError::Weights(format!("{name}: {why}")),
        other => other,
    })
}

fn tensor<'a>(tensors: &SafeTensors<'a>, name: &str) -> Result<TensorView<'a>, PolicyError> {
    tensors.tensor(name).map_err(|_| PolicyError::Weights(format!("tensor {name} is missing")))
}

fn f32_tensor(tensors: &SafeTensors, name: &str) -> Result<Vec<f32>, PolicyError> {
    let view = tensor(tensors, name)?;
    if view.dtype() != Dtype::F32 {
        return Err(PolicyError::Weights(format!("{name} is of type {:?}, need F32", view.dtype())));
    }
    Ok(view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
}

fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}
