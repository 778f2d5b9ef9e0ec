//! One video track in an MP4 file (ISO/IEC 14496-12 and -15), written and read without touching the pictures.

use crate::h264;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Why a file cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Mp4Error {
    /// The file system refused.
    #[error("cannot {what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is not what the format asks for.
    #[error("{path} cannot be used at byte {offset}: {problem}", path = path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        problem: String,
    },
}

impl Mp4Error {
    fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    fn malformed(path: &Path, offset: u64, problem: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), offset, problem: problem.into() }
    }
}

/// Largest index (`moov`) that is read.
const MAX_INDEX_BYTES: u64 = 64 << 20;
/// Largest picture that is read.
const MAX_SAMPLE_BYTES: u32 = 32 << 20;

fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let length = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&(length as u32).to_be_bytes());
    bytes.extend_from_slice(kind);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// What all pictures of a file share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// Sequence parameter set.
    pub sps: Vec<u8>,
    /// Picture parameter set.
    pub pps: Vec<u8>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

impl Format {
    /// The parameter sets of a keyframe.
    #[must_use]
    pub fn of(keyframe: &[u8]) -> Option<Self> {
        let find = |wanted| h264::units(keyframe).find(|unit| h264::kind(unit) == wanted).map(<[u8]>::to_vec);
        let (sps, pps) = (find(h264::SPS)?, find(h264::PPS)?);
        let (width, height) = h264::size(&sps)?;
        (sps.len() >= 4 && sps.len() <= 0xffff && pps.len() <= 0xffff).then_some(Self { sps, pps, width, height })
    }
}

/// Writes H.264 access units at an even rate.
pub struct Mp4Writer {
    file: BufWriter<File>,
    path: PathBuf,
    format: Format,
    fps: u32,
    sizes: Vec<u32>,
    /// Numbers of the keyframes, from 1.
    sync: Vec<u32>,
    bytes: u64,
}

/// `ftyp` and the head of `mdat` with its 64-bit length.
const DATA_START: u64 = 24 + 16;

impl Mp4Writer {
    /// Starts a file for `fps` pictures a second.
    ///
    /// # Errors
    /// [`Mp4Error::Io`].
    pub fn create(path: &Path, format: Format, fps: u32) -> Result<Self, Mp4Error> {
        let file = File::create(path).map_err(Mp4Error::io("create", path))?;
        let mut writer = Self {
            file: BufWriter::with_capacity(1 << 18, file),
            path: path.to_owned(),
            format,
            fps,
            sizes: Vec::new(),
            sync: Vec::new(),
            bytes: 0,
        };
        writer.put(&boxed(b"ftyp", &[b"isom", &words(&[512]), b"isom", b"mp41"]))?;
        writer.put(&words(&[1, u32::from_be_bytes(*b"mdat"), 0, 16]))?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Mp4Error> {
        self.file.write_all(bytes).map_err(Mp4Error::io("write", &self.path))
    }

    /// What its pictures share.
    #[must_use]
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Pictures so far.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.sizes.len()
    }

    /// Bytes of pictures so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds an access unit in Annex B. Parameter sets stand once for the whole file.
    ///
    /// # Errors
    /// [`Mp4Error::Io`].
    pub fn add(&mut self, data: &[u8]) -> Result<(), Mp4Error> {
        let mut sample = Vec::with_capacity(data.len() + 8);
        for unit in h264::units(data) {
            let kind = h264::kind(unit);
            let known =
                (kind == h264::SPS && unit == self.format.sps) || (kind == h264::PPS && unit == self.format.pps);
            if !known && kind != h264::DELIMITER {
                sample.extend_from_slice(&(unit.len() as u32).to_be_bytes());
                sample.extend_from_slice(unit);
            }
        }
        self.put(&sample)?;
        self.sizes.push(sample.len() as u32);
        self.bytes += sample.len() as u64;
        if h264::is_keyframe(data) {
            self.sync.push(self.sizes.len() as u32);
        }
        Ok(())
    }

    /// Writes the index and waits for the disk.
    ///
    /// # Errors
    /// [`Mp4Error::Io`].
    pub fn finish(mut self) -> Result<(), Mp4Error> {
        let index = self.index();
        self.put(&index)?;
        let path = self.path;
        let mut file = self.file.into_inner().map_err(|e| Mp4Error::io("write", &path)(e.into_error()))?;
        let length = (16 + self.bytes).to_be_bytes();
        let patched = file.seek(SeekFrom::Start(DATA_START - 8)).and_then(|_| file.write_all(&length));
        patched.and_then(|()| file.sync_all()).map_err(Mp4Error::io("write", &path))
    }

    fn index(&self) -> Vec<u8> {
        // 1000 ticks a picture, so that any player's rounding is far from a neighbour.
        let (scale, frames) = (self.fps.saturating_mul(1000), self.sizes.len() as u32);
        let length = frames.saturating_mul(1000);
        let unity = words(&[0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000]);
        let movie = boxed(
            b"mvhd",
            &[&words(&[0, 0, 0, scale, length, 0x1_0000, 0x0100_0000, 0, 0]), &unity, &words(&[0, 0, 0, 0, 0, 0, 2])],
        );
        let (width, height) = (self.format.width, self.format.height);
        let header = boxed(
            b"tkhd",
            &[&words(&[3, 0, 0, 1, 0, length, 0, 0, 0, 0]), &unity, &words(&[width << 16, height << 16])],
        );
        let media = boxed(b"mdhd", &[&words(&[0, 0, 0, scale, length, 0x55c4_0000])]);
        let handler = boxed(b"hdlr", &[&words(&[0, 0]), b"vide", &words(&[0, 0, 0]), b"video\0"]);
        let reference = boxed(b"dref", &[&words(&[0, 1]), &boxed(b"url ", &[&words(&[1])])]);
        let tables = boxed(
            b"stbl",
            &[
                &boxed(b"stsd", &[&words(&[0, 1]), &self.description()]),
                &boxed(b"stts", &[&words(&[0, 1, frames, 1000])]),
                &boxed(b"stss", &[&words(&[0, self.sync.len() as u32]), &words(&self.sync)]),
                &boxed(b"stsc", &[&words(&[0, 1, 1, frames, 1])]),
                &boxed(b"stsz", &[&words(&[0, 0, frames]), &words(&self.sizes)]),
                &boxed(b"co64", &[&words(&[0, 1, 0, DATA_START as u32])]),
            ],
        );
        let information =
            boxed(b"minf", &[&boxed(b"vmhd", &[&words(&[1, 0, 0])]), &boxed(b"dinf", &[&reference]), &tables]);
        let track = boxed(b"trak", &[&header, &boxed(b"mdia", &[&media, &handler, &information])]);
        boxed(b"moov", &[&movie, &track])
    }

    fn description(&self) -> Vec<u8> {
        let Format { sps, pps, width, height } = &self.format;
        let (sps_length, pps_length) = ((sps.len() as u16).to_be_bytes(), (pps.len() as u16).to_be_bytes());
        let configuration =
            boxed(b"avcC", &[&[1, sps[1], sps[2], sps[3], 0xff, 0xe1], &sps_length, sps, &[1], &pps_length, pps]);
        let mut entry = words(&[0, 1, 0, 0, 0, 0, width << 16 | height, 0x48_0000, 0x48_0000, 0, 0x1_0000]);
        entry.extend_from_slice(&[0; 30]);
        entry.extend_from_slice(&[0, 0x18, 0xff, 0xff]);
        // The frame count and the compressor's name straddle words: 2 + 32 bytes, then depth and -1.
        debug_assert_eq!(entry.len(), 78);
        boxed(b"avc1", &[&entry, &configuration])
    }
}

/// A video track opened for reading, picture by picture.
pub struct Mp4Reader {
    file: File,
    path: PathBuf,
    length: u64,
    samples: Vec<(u64, u32)>,
    /// `h264` or `av1`.
    codec: &'static str,
    /// In Annex B (H.264) or as they are (AV1); goes before each keyframe.
    parameters: Vec<u8>,
    sync: Option<Vec<u32>>,
}

impl Mp4Reader {
    /// Reads the index of the first video track.
    ///
    /// # Errors
    /// [`Mp4Error::Malformed`] with the place, also for codecs other than H.264 and AV1.
    pub fn open(path: &Path) -> Result<Self, Mp4Error> {
        let (reader, reordered_at) = Self::read(path)?;
        match reordered_at {
            None => Ok(reader),
            Some(at) => {
                let problem = "its pictures are shown in another order than they are stored in (B-frames)".to_owned();
                Err(Mp4Error::malformed(path, at, problem))
            }
        }
    }

    /// As [`Self::open`], and takes films with B-frames as well: pictures come in the order in which they are decoded.
    ///
    /// # Errors
    /// As there.
    pub fn open_in_decoding_order(path: &Path) -> Result<Self, Mp4Error> {
        Self::read(path).map(|(reader, _)| reader)
    }

    /// And the place of the index when it says that pictures are shown in another order than they are stored in.
    fn read(path: &Path) -> Result<(Self, Option<u64>), Mp4Error> {
        let mut file = File::open(path).map_err(Mp4Error::io("open", path))?;
        let length = file.metadata().map_err(Mp4Error::io("look at", path))?.len();
        let (at, index) = find_index(&mut file, path, length)?;
        let bad = |problem: String| Mp4Error::malformed(path, at, problem);
        let track = children(&index).filter(|(kind, _)| kind == b"trak").find_map(|(_, track)| {
            let media = child(track, b"mdia")?;
            (child(media, b"hdlr")?.get(8..12)? == b"vide").then_some(media)
        });
        let media = track.ok_or_else(|| bad("no video track is in the index".to_owned()))?;
        let tables = child(media, b"minf").and_then(|b| child(b, b"stbl"));
        let tables = tables.ok_or_else(|| bad("the video track has no sample tables".to_owned()))?;
        let (codec, parameters) = description(tables).map_err(bad)?;
        let samples = samples(tables, length).map_err(bad)?;
        let sync = child(tables, b"stss").map(|table| {
            let numbers = table.get(8..).unwrap_or_default().chunks_exact(4).map(|b| word(b, 0).unwrap_or(0));
            numbers.collect()
        });
        let reordered_at = is_reordered(tables).then_some(at);
        Ok((Self { file, path: path.to_owned(), length, samples, codec, parameters, sync }, reordered_at))
    }

    /// Pictures.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.samples.len()
    }

    /// `h264` or `av1`.
    #[must_use]
    pub fn codec(&self) -> &'static str {
        self.codec
    }

    /// The last picture up to `index` that decoding can start at; `index` when there is none.
    #[must_use]
    pub fn keyframe_before(&self, index: usize) -> usize {
        let Some(sync) = &self.sync else { return index };
        let before = &sync[..sync.partition_point(|number| (*number as usize) <= index.saturating_add(1))];
        before.last().map_or(index, |number| (*number as usize).saturating_sub(1).min(index))
    }

    /// Picture `index` as an episode has it: H.264 in Annex B with parameter sets before a keyframe.
    ///
    /// # Errors
    /// [`Mp4Error::Malformed`] with the picture's place.
    pub fn frame(&mut self, index: usize) -> Result<Vec<u8>, Mp4Error> {
        let count = self.samples.len();
        let &(at, size) = self.samples.get(index).ok_or_else(|| {
            Mp4Error::malformed(&self.path, self.length, format!("picture {index} is not among its {count}"))
        })?;
        let mut sample = vec![0; size as usize];
        let read = self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(&mut sample));
        read.map_err(Mp4Error::io("read", &self.path))?;
        let key = self.sync.as_ref().is_none_or(|sync| sync.binary_search(&(index as u32 + 1)).is_ok());
        let mut data = if key { self.parameters.clone() } else { Vec::new() };
        if self.codec == "av1" {
            data.extend_from_slice(&sample);
            return Ok(data);
        }
        let mut rest = &sample[..];
        while !rest.is_empty() {
            let unit = word(rest, 0).and_then(|length| rest.get(4..)?.get(..length as usize));
            let unit = unit.ok_or_else(|| {
                let place = at + (sample.len() - rest.len()) as u64;
                Mp4Error::malformed(&self.path, place, format!("a unit goes beyond picture {index}"))
            })?;
            data.extend_from_slice(&[0, 0, 0, 1]);
            data.extend_from_slice(unit);
            rest = &rest[4 + unit.len()..];
        }
        Ok(data)
    }
}

fn find_index(file: &mut File, path: &Path, length: u64) -> Result<(u64, Vec<u8>), Mp4Error> {
    let mut at = 0;
    while at + 8 <= length {
        let mut head = [0; 16];
        let room = (length - at).min(16) as usize;
        let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut head[..room]));
        read.map_err(Mp4Error::io("read", path))?;
        let kind = [head[4], head[5], head[6], head[7]];
        let (begin, size) = match word(&head, 0).unwrap_or(0) {
            0 => (8, length - at),
            1 if room == 16 => (16, u64::from_be_bytes(head[8..16].try_into().unwrap_or_default())),
            size => (8, u64::from(size)),
        };
        if size < begin || size > length - at {
            let name = String::from_utf8_lossy(&kind).into_owned();
            let problem = format!("box {name:?} says it has {size} bytes, {} are left", length - at);
            return Err(Mp4Error::malformed(path, at, problem));
        }
        if &kind == b"moov" {
            if size > MAX_INDEX_BYTES {
                let problem = format!("its index has {size} bytes, more than {MAX_INDEX_BYTES}");
                return Err(Mp4Error::malformed(path, at, problem));
            }
            let mut index = vec![0; (size - begin) as usize];
            let read = file.seek(SeekFrom::Start(at + begin)).and_then(|_| file.read_exact(&mut index));
            read.map_err(Mp4Error::io("read", path))?;
            return Ok((at, index));
        }
        at += size;
    }
    Err(Mp4Error::malformed(path, at, "it has no index (moov): no MP4 file, or cut off"))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The boxes within a box; ends where one does not fit.
fn children(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let size = word(rest, 0)? as usize;
        let content = rest.get(8..size)?;
        let kind = &rest[4..8];
        rest = &rest[size..];
        Some((kind, content))
    })
}

fn child<'a>(bytes: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    children(bytes).find(|(kind, _)| kind == wanted).map(|(_, content)| content)
}

fn description(tables: &[u8]) -> Result<(&'static str, Vec<u8>), String> {
    let entries = child(tables, b"stsd").and_then(|table| table.get(8..)).ok_or("no sample description is there")?;
    let (kind, entry) = children(entries).next().ok_or("the sample description is empty")?;
    let extra = entry.get(78..).ok_or("the sample description is too short")?;
    match kind {
        b"avc1" | b"avc3" => {
            let configuration = child(extra, b"avcC").ok_or("avc1 without its configuration")?;
            Ok(("h264", parameter_sets(configuration).ok_or("the H.264 configuration makes no sense")?))
        }
        b"av01" => {
            let configuration =
                child(extra, b"av1C").and_then(|c| c.get(4..)).ok_or("av01 without its configuration")?;
            Ok(("av1", configuration.to_vec()))
        }
        other => Err(format!("its codec is {:?}; H.264 and AV1 can be taken over", String::from_utf8_lossy(other))),
    }
}

/// In Annex B.
fn parameter_sets(configuration: &[u8]) -> Option<Vec<u8>> {
    // Lengths of four bytes are what everybody writes.
    if configuration.get(4)? & 3 != 3 {
        return None;
    }
    let mut data = Vec::new();
    let mut at = 5;
    for mask in [0x1f, 0xff] {
        let count = configuration.get(at)? & mask;
        at += 1;
        for _ in 0..count {
            let length = usize::from(u16::from_be_bytes([*configuration.get(at)?, *configuration.get(at + 1)?]));
            let unit = configuration.get(at + 2..at + 2 + length)?;
            data.extend_from_slice(&[0, 0, 0, 1]);
            data.extend_from_slice(unit);
            at += 2 + length;
        }
    }
    Some(data)
}

/// Whether pictures refer to later ones, which episodes have no place for: the time from decoding to showing varies.
fn is_reordered(tables: &[u8]) -> bool {
    let entries = child(tables, b"ctts").and_then(|table| table.get(8..)).unwrap_or_default();
    let mut delays = entries.chunks_exact(8).map(|entry| word(entry, 4));
    let first = delays.next();
    delays.any(|delay| Some(delay) != first)
}

/// Place and size of every picture.
fn samples(tables: &[u8], length: u64) -> Result<Vec<(u64, u32)>, String> {
    let sizes = child(tables, b"stsz").ok_or("no table of sizes is there")?;
    let (even, count) = (word(sizes, 4).unwrap_or(0), word(sizes, 8).ok_or("the table of sizes is cut off")? as usize);
    if even != 0 || sizes.len() < 12 + count.saturating_mul(4) {
        return Err(format!("the table of sizes has no room for {count} pictures"));
    }
    let chunks: Vec<u64> = match (child(tables, b"stco"), child(tables, b"co64")) {
        (Some(table), _) => {
            table.get(8..).unwrap_or_default().chunks_exact(4).filter_map(|b| word(b, 0)).map(u64::from).collect()
        }
        (None, Some(table)) => {
            let entries = table.get(8..).unwrap_or_default().chunks_exact(8);
            entries.filter_map(|b| b.try_into().ok()).map(u64::from_be_bytes).collect()
        }
        _ => return Err("no table of places is there".to_owned()),
    };
    let runs: Vec<(u32, u32)> = child(tables, b"stsc")
        .and_then(|table| table.get(8..))
        .ok_or("no table of chunks is there")?
        .chunks_exact(12)
        .filter_map(|entry| Some((word(entry, 0)?, word(entry, 4)?)))
        .collect();
    let mut samples = Vec::with_capacity(count);
    let mut run = 0;
    for (number, &start) in chunks.iter().enumerate() {
        while runs.get(run + 1).is_some_and(|(first, _)| *first as usize <= number + 1) {
            run += 1;
        }
        let each = runs.get(run).map_or(0, |(_, each)| *each);
        let mut at = start;
        for _ in 0..each {
            if samples.len() == count {
                return Ok(samples);
            }
            let size = word(sizes, 12 + samples.len() * 4).unwrap_or(0);
            if size > MAX_SAMPLE_BYTES || at.checked_add(u64::from(size)).is_none_or(|end| end > length) {
                let picture = samples.len();
                return Err(format!("picture {picture} would be {size} bytes at {at}, the file has {length}"));
            }
            samples.push((at, size));
            at += u64::from(size);
        }
    }
    if samples.len() == count {
        Ok(samples)
    } else {
        Err(format!("{} of {count} pictures have a place", samples.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(key: bool, fill: u8) -> Vec<u8> {
        let format = format();
        let mut data = Vec::new();
        let slice: &[u8] = if key { &[0x65, 1, fill] } else { &[0x41, 2, fill] };
        let units: &[&[u8]] = if key { &[&format.sps, &format.pps, slice] } else { &[slice] };
        for unit in units {
            data.extend_from_slice(&[0, 0, 0, 1]);
            data.extend_from_slice(unit);
        }
        data
    }

    fn format() -> Format {
        Format { sps: vec![0x67, 0x42, 0xc0, 0x0d], pps: vec![0x68, 1], width: 320, height: 180 }
    }

    fn film(path: &Path) -> Vec<Vec<u8>> {
        let pictures: Vec<_> = (1..=20).map(|n| picture(n % 5 == 1, n)).collect();
        let mut writer = Mp4Writer::create(path, format(), 10).unwrap();
        pictures.iter().for_each(|picture| writer.add(picture).unwrap());
        writer.finish().unwrap();
        pictures
    }

    #[test]
    fn a_film_gives_back_its_pictures_byte_by_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.mp4");
        let pictures = film(&path);
        let mut reader = Mp4Reader::open(&path).unwrap();
        assert_eq!((reader.frames(), reader.codec()), (20, "h264"));
        for (index, picture) in pictures.iter().enumerate() {
            assert_eq!(&reader.frame(index).unwrap(), picture);
        }
        assert!(reader.frame(20).is_err());
    }

    #[test]
    fn a_film_cut_anywhere_or_with_any_byte_changed_gives_an_error_or_a_picture_and_never_a_panic() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.mp4");
        film(&path);
        let whole = std::fs::read(&path).unwrap();
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let opened = Mp4Reader::open(&path);
            opened.and_then(|mut reader| (0..reader.frames()).try_for_each(|index| reader.frame(index).map(drop)))
        };
        for length in 0..whole.len() {
            let error = read(&whole[..length]).unwrap_err().to_string();
            assert!(error.contains("a.mp4"), "{length}: {error}");
        }
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0xff;
            if let Err(error) = read(&bytes) {
                assert!(error.to_string().contains("a.mp4"), "{place}: {error}");
            }
        }
    }
}
