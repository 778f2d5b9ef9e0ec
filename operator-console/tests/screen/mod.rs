//! What tests of real windows share.

use bevy::image::{CompressedImageFormats, Image, ImageSampler, ImageType};
use std::path::Path;

/// Whether a program is on `PATH`.
pub fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).exists()))
}

/// A PNG file.
pub fn load(path: &Path) -> Image {
    let bytes = std::fs::read(path).unwrap();
    let png = ImageType::Extension("png");
    let usage = bevy::asset::RenderAssetUsages::MAIN_WORLD;
    Image::from_buffer(&bytes, png, CompressedImageFormats::NONE, true, ImageSampler::Default, usage).unwrap()
}
