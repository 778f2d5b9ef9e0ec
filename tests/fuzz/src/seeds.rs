//! Small real things: what the corpus grew from, and what surrounds an input that is one file of many.

use protocol::{Attachment, EpisodeId, EpisodeInfo, IdError, Message, PolicyVersion, VehicleId, foxglove, topics, v1};
use recorder::write_episode_with;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use video::{H264Config, H264Encoder, I420, Reference, VideoEncoder};

/// Pixels.
const SIZE: (usize, usize) = (64, 48);
const PICTURES: u64 = 6;
const STEP_NS: u64 = 50_000_000;

/// Access units of a film in which something moves; the first is a keyframe.
///
/// # Errors
/// When the encoder refuses.
pub fn pictures() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let (width, height) = SIZE;
    let mut encoder = H264Encoder::new(H264Config::new(width, height, 20.0))?;
    let chroma = vec![128; width * height / 4];
    let mut film = Vec::new();
    for number in 0..PICTURES {
        let bright =
            |index: usize| if (index % width) / 8 == number as usize { 220 } else { (60 + index % width) as u8 };
        let y: Vec<u8> = (0..width * height).map(bright).collect();
        let picture = I420 { width, height, y: &y, u: &chroma, v: &chroma };
        film.extend(encoder.encode(picture, number * STEP_NS / 1_000, Reference::Previous)?.map(|f| f.data.to_vec()));
    }
    Ok(film)
}

/// What an episode of the trials is about.
///
/// # Errors
/// Never: the names are good.
pub fn info(name: &str) -> Result<EpisodeInfo, IdError> {
    let mut info = EpisodeInfo::new(EpisodeId::new(name)?, VehicleId::new("car-1")?, PolicyVersion::new("p1")?);
    info.embodiment = "ackermann_car".to_owned();
    info.end_ns = PICTURES * STEP_NS;
    Ok(info)
}

/// An episode with these pictures of the front camera, states and commands.
///
/// # Errors
/// When it cannot be written.
pub fn episode(dir: &Path, name: &str, film: &[Vec<u8>], format: &str) -> Result<PathBuf, Box<dyn Error>> {
    let mut messages = Vec::new();
    for (number, picture) in (0_u64..).zip(film) {
        let (at, count) = (number * STEP_NS, number as u32);
        let observation = vec![5.0, 0.1, 0.01, 0.02];
        let state = v1::VehicleState { sequence: number, observation, ..Default::default() };
        messages.push(Message::encode(&topics::VEHICLE_STATE, count, at, at, &state));
        let command = v1::ControlCommand { sequence: number, action: vec![0.5, 0.01], ..Default::default() };
        messages.push(Message::encode(&topics::CONTROL_COMMAND, count, at, at, &command));
        let data = picture.clone().into();
        let content = foxglove::CompressedVideo { data, format: format.to_owned(), ..Default::default() };
        let keyframe = number == 0;
        messages.push(Message { keyframe, ..Message::encode(&topics::CAMERA_FRONT, count, at, at, &content) });
    }
    let map = Attachment { name: "map.xodr".into(), media_type: "application/xml".into(), data: "<OpenDRIVE/>".into() };
    let made = write_episode_with(dir, &info(name)?, &[map], messages)?;
    Ok(dir.join(made.file))
}

/// An array of doubles as NumPy saves it.
fn npy(path: &Path, columns: usize, values: &[f64]) -> std::io::Result<()> {
    let rows = values.len() / columns;
    let shape = if columns == 1 { format!("({rows},)") } else { format!("({rows}, {columns})") };
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n").into_bytes();
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend_from_slice(&(header.len() as u16).to_le_bytes());
    file.append(&mut header);
    values.iter().for_each(|value| file.extend_from_slice(&value.to_le_bytes()));
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, file)
}

/// A segment of comma2k19 with a few rows in `dir`.
///
/// # Errors
/// When it cannot be written.
pub fn segment(dir: &Path) -> std::io::Result<()> {
    let times = [1_000.0, 1_000.02, 1_000.04];
    for (sensor, values) in [
        ("can/speed", &[10.0][..]),
        ("can/steering_angle", &[15.38]),
        ("imu/accelerometer", &[0.5, 0.0, 9.8]),
        ("imu/gyro", &[0.0, 0.0, -0.1]),
        ("gnss/live_gnss_ublox", &[37.5, -122.25, 10.0, 0.0, 30.0, 0.0]),
    ] {
        npy(&dir.join(sensor).join("t"), 1, &times)?;
        npy(&dir.join(sensor).join("value"), values.len(), &values.repeat(times.len()))?;
    }
    let poses = dir.join("global_pose");
    npy(&poses.join("frame_times"), 1, &times)?;
    npy(&poses.join("frame_positions"), 3, &[6_378_137.0, 0.0, 0.2].repeat(times.len()))?;
    npy(&poses.join("frame_velocities"), 3, &[0.0, 0.0, 10.0].repeat(times.len()))
}

/// All files below `dir`, in the order of their names.
#[must_use]
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.append(&mut files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
