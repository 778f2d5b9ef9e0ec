//! What looks for faces and number plates.

use super::cascade::{Cascade, Pyramid, Window, group, scan};
use super::{PrivacyError, RegionKind, plates};
use crate::signature;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A picture's luma to look at.
#[derive(Debug, Clone, Copy)]
pub struct LumaPicture<'a> {
    /// Row by row, without gaps.
    pub luma: &'a [u8],
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// How many pictures of this camera were looked at before.
    pub number: u64,
}

/// A rectangle in a picture that shows what must not be seen; pixels, may stick out of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// What it shows.
    pub kind: RegionKind,
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Size.
    pub width: f32,
    /// Size.
    pub height: f32,
    /// Whether it counts when no other look agrees.
    pub is_sure: bool,
}

/// Finds regions in single pictures; what lies between the pictures that it sees is filled in by the caller. Implement
/// it to put a better one into [`super::redact_with`].
pub trait Detector {
    /// Name and version, for the record.
    fn name(&self) -> String;

    /// Every region of a picture, each as large as what must not be seen.
    ///
    /// # Errors
    /// A text saying why it cannot be looked at; redaction fails with it.
    fn look(&mut self, picture: &LumaPicture<'_>) -> Result<Vec<Region>, String>;
}

/// Where Debian, Ubuntu and others put OpenCV's cascades.
const FOLDERS: [&str; 4] = [
    "/usr/share/opencv4/haarcascades",
    "/usr/share/opencv/haarcascades",
    "/usr/local/share/opencv4/haarcascades",
    "/usr/share/OpenCV/haarcascades",
];
const FRONTAL: &str = "haarcascade_frontalface_alt2.xml";
const PROFILE: &str = "haarcascade_profileface.xml";
/// Largest model file that is read.
const MAX_MODEL_BYTES: u64 = 16 << 20;
/// Wider pictures are looked at in this width.
const FULL_WIDTH: f64 = 1280.0;
/// Smaller pictures are not looked at.
const LEAST_SIDE: usize = 20;
/// Windows that must agree on a region.
const LEAST_WINDOWS: usize = 2;
/// Windows that must agree on one that counts when it is seen once; from the side, where errors are seldom and looks
/// are, too, fewer.
const SURE_FRONTAL: usize = 4;
const SURE_PROFILE: usize = 3;
/// In large pictures the first sizes are left out: faces below 24 pixels, and from the side below 29.
const LARGE_WIDTH: usize = 800;
const FRONTAL_FROM: f64 = 1.19;
const PROFILE_FROM: f64 = 1.43;

/// Faces by the cascades of OpenCV's Debian package `opencv-data`, frontal and from both sides; number plates by their
/// rows of characters.
pub struct BuiltInDetector {
    frontal: Option<Cascade>,
    /// Looking left, looking right.
    profiles: Vec<Cascade>,
    plates: bool,
    name: String,
    pyramid: Pyramid,
}

impl BuiltInDetector {
    /// Loads what is needed for `kinds` from the system's folders.
    ///
    /// # Errors
    /// [`PrivacyError::NoModel`] with the line that installs it; [`PrivacyError::Model`].
    pub fn load(kinds: &BTreeSet<RegionKind>) -> Result<Self, PrivacyError> {
        Self::load_from(kinds, &FOLDERS.map(PathBuf::from))
    }

    /// As [`Self::load`], from these folders.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_from(kinds: &BTreeSet<RegionKind>, folders: &[PathBuf]) -> Result<Self, PrivacyError> {
        let mut names = Vec::new();
        let mut load = |file: &'static str| -> Result<Option<Cascade>, PrivacyError> {
            if !kinds.contains(&RegionKind::Faces) {
                return Ok(None);
            }
            let places = folders.iter().map(|folder| folder.join(file));
            let path = places.into_iter().find(|path| path.exists());
            let path = path.ok_or(PrivacyError::NoModel { kind: RegionKind::Faces, file })?;
            names.push(format!("{file} {}", &signature::sum(&path)?.1[..12]));
            read(&path).map(Some)
        };
        let (frontal, profile) = (load(FRONTAL)?, load(PROFILE)?);
        let profiles = profile.map_or(Vec::new(), |left| vec![left.mirrored(), left]);
        let plates = kinds.contains(&RegionKind::Plates);
        names.extend(plates.then(|| "rows of characters".to_owned()));
        let name = format!("takeover {}: {}", env!("CARGO_PKG_VERSION"), names.join(", "));
        Ok(Self { frontal, profiles, plates, name, pyramid: Pyramid::default() })
    }
}

fn read(path: &Path) -> Result<Cascade, PrivacyError> {
    let bytes = std::fs::metadata(path).map_err(crate::RecorderError::io("look at", path))?.len();
    let model = |problem: String| PrivacyError::Model { path: path.to_owned(), problem };
    if bytes > MAX_MODEL_BYTES {
        return Err(model(format!("it has {bytes} bytes, more than {MAX_MODEL_BYTES}")));
    }
    let text = std::fs::read_to_string(path).map_err(crate::RecorderError::io("read", path))?;
    Cascade::parse(&text).map_err(model)
}

impl Detector for BuiltInDetector {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn look(&mut self, picture: &LumaPicture<'_>) -> Result<Vec<Region>, String> {
        let first = (picture.width as f64 / FULL_WIDTH).max(1.0);
        // Faces turned away in every other look, one side after the other: they cost as much as all others.
        let side = (picture.number / 2 % 2) as usize;
        let profile = self.profiles.get(side).filter(|_| picture.number % 2 == 1);
        let large = if picture.width > LARGE_WIDTH { first } else { 0.0 };
        let (mut frontal_found, mut profile_found, mut regions) = (Vec::new(), Vec::new(), Vec::new());
        let mut largest = self.plates;
        let whole = (picture.luma, picture.width, picture.height);
        self.pyramid.descend(whole, first, LEAST_SIDE, |level| {
            if std::mem::take(&mut largest) {
                regions = plates::find(level);
            }
            for (cascade, from, found) in
                [(self.frontal.as_ref(), FRONTAL_FROM, &mut frontal_found), (profile, PROFILE_FROM, &mut profile_found)]
            {
                if let Some(cascade) = cascade.filter(|_| level.scale >= from * large) {
                    scan(cascade, level, found);
                }
            }
            self.frontal.is_some()
        });
        let faces = |found: &[Window], sure: usize| {
            let groups = group(found, LEAST_WINDOWS).into_iter();
            groups.map(move |(window, count)| head(&window, count >= sure)).collect::<Vec<_>>()
        };
        regions.extend(faces(&frontal_found, SURE_FRONTAL));
        regions.extend(faces(&profile_found, SURE_PROFILE));
        Ok(regions)
    }
}

/// The window shows brows to chin; hair, ears and neck tell who it is, too.
fn head(window: &Window, is_sure: bool) -> Region {
    let Window { x, y, width, height } = *window;
    Region {
        kind: RegionKind::Faces,
        x: x - 0.3 * width,
        y: y - 0.35 * height,
        width: 1.6 * width,
        height: 1.6 * height,
        is_sure,
    }
}
