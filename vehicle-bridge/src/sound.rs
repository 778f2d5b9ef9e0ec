//! Where an end's sound comes from and goes to: a test tone or WAV files. For rehearsals and tests; nothing here touches a
//! sound card.

use anyhow::Context;
use link::audio::{AudioFrame, FRAME_SAMPLES, FRAME_US, Pcm, SAMPLE_RATE, tone};
use link::{SeatLink, VehicleLink};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Pitch of the vehicle's test tone, hertz.
const TONE_HERTZ: f64 = 440.0;
/// How often the thread looks.
const TURN: Duration = Duration::from_millis(4);
/// Whoever speaks this much too late leaves out what should have been said meanwhile, microseconds.
const MISSED_US: u64 = 100_000;
/// Longer pauses are not written as silence: there are no recordings of nothing, seconds.
const LONGEST_PAUSE_S: u64 = 600;

/// Sound of one end, as asked for on the command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SoundArgs {
    /// What this end says: `tone`, a WAV file of 48 kHz and 16 bits, or `none`.
    #[arg(long, value_name = "tone|FILE.wav|none", default_value = "none")]
    pub audio: String,
    /// Writes what the other end says to this WAV file.
    #[arg(long, value_name = "FILE.wav")]
    pub audio_out: Option<PathBuf>,
}

/// An end of the link, as far as sound goes.
pub trait AudioEnd {
    /// This end's clock, microseconds.
    fn now_us(&self) -> u64;
    /// Sends 20 ms.
    fn send_audio(&self, capture_us: u64, samples: &Pcm);
    /// The next 20 ms, when it is time.
    fn try_recv_audio(&self) -> Option<AudioFrame>;
}

macro_rules! end {
    ($($link:ty)*) => { $(
        impl AudioEnd for $link {
            fn now_us(&self) -> u64 {
                <$link>::now_us(self)
            }
            fn send_audio(&self, capture_us: u64, samples: &Pcm) {
                <$link>::send_audio(self, capture_us, samples);
            }
            fn try_recv_audio(&self) -> Option<AudioFrame> {
                <$link>::try_recv_audio(self)
            }
        }
    )* };
}
end!(VehicleLink SeatLink);

enum AudioSource {
    Silent,
    Tone,
    Recording(Vec<i16>),
}

impl AudioSource {
    fn open(what: &str) -> anyhow::Result<Self> {
        Ok(match what {
            "none" | "" => Self::Silent,
            "tone" => Self::Tone,
            file => Self::Recording(read_wav(Path::new(file))?),
        })
    }

    /// The `index`-th frame; `None` when there is nothing more to say.
    fn frame(&self, index: u64) -> Option<Pcm> {
        match self {
            Self::Silent => None,
            Self::Tone => Some(tone::frame(TONE_HERTZ, index)),
            Self::Recording(samples) => {
                let from = usize::try_from(index).ok()?.checked_mul(FRAME_SAMPLES)?;
                let rest = samples.get(from..).filter(|rest| !rest.is_empty())?;
                let mut pcm = [0; FRAME_SAMPLES];
                pcm.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                Some(pcm)
            }
        }
    }
}

/// Reads a WAV file as one channel.
///
/// # Errors
/// When it cannot be read or is not of 48 kHz and 16 bits.
pub fn read_wav(path: &Path) -> anyhow::Result<Vec<i16>> {
    let mut reader = hound::WavReader::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let spec = reader.spec();
    let known = spec.sample_format == hound::SampleFormat::Int && spec.bits_per_sample == 16;
    if spec.sample_rate != SAMPLE_RATE || !known || spec.channels == 0 {
        let hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format } = spec;
        anyhow::bail!(
            "{} has {channels} channels of {sample_rate} Hz, {bits_per_sample} bits ({sample_format:?}); \
             wanted are 48000 Hz and 16 bits (Int)",
            path.display()
        );
    }
    let samples: Vec<i16> =
        reader.samples().collect::<Result<_, _>>().with_context(|| format!("{} is damaged", path.display()))?;
    let channels = usize::from(spec.channels);
    let mean = |frame: &[i16]| (frame.iter().map(|s| i32::from(*s)).sum::<i32>() / frame.len() as i32) as i16;
    Ok(samples.chunks_exact(channels).map(mean).collect())
}

/// Checks that what an end is to say can be had.
///
/// # Errors
/// When it cannot.
pub fn check(args: &SoundArgs) -> anyhow::Result<()> {
    AudioSource::open(&args.audio).map(drop)
}

/// What an end says and hears.
pub struct Sound {
    audio_source: AudioSource,
    out: Option<hound::WavWriter<BufWriter<File>>>,
    start_us: Option<u64>,
    index: u64,
    written_until_us: Option<u64>,
}

impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sound").field("index", &self.index).finish_non_exhaustive()
    }
}

impl Sound {
    /// `None` when neither saying nor hearing is asked for.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn open(args: &SoundArgs) -> anyhow::Result<Option<Self>> {
        let audio_source = AudioSource::open(&args.audio)?;
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let create = |path: &PathBuf| {
            hound::WavWriter::create(path, spec).with_context(|| format!("cannot write {}", path.display()))
        };
        let out = args.audio_out.as_ref().map(create).transpose()?;
        let idle = matches!(audio_source, AudioSource::Silent) && out.is_none();
        Ok((!idle).then_some(Self { audio_source, out, start_us: None, index: 0, written_until_us: None }))
    }

    /// Says and hears what is due; to be called every few milliseconds.
    ///
    /// # Errors
    /// When what was heard cannot be written.
    pub fn turn(&mut self, end: &impl AudioEnd) -> anyhow::Result<()> {
        let now_us = end.now_us();
        let start_us = *self.start_us.get_or_insert(now_us);
        while now_us >= start_us + self.index * FRAME_US {
            let due_us = start_us + self.index * FRAME_US;
            if due_us + MISSED_US >= now_us
                && let Some(samples) = self.audio_source.frame(self.index)
            {
                end.send_audio(due_us, &samples);
            }
            self.index += 1;
        }
        while let Some(frame) = end.try_recv_audio() {
            self.write(&frame)?;
        }
        Ok(())
    }

    /// Appends a frame at its time; pauses are silence.
    fn write(&mut self, frame: &AudioFrame) -> anyhow::Result<()> {
        let Some(out) = &mut self.out else { return Ok(()) };
        let pause_us = self.written_until_us.map_or(0, |until| frame.due_us.saturating_sub(until));
        let pause = pause_us.min(LONGEST_PAUSE_S * 1_000_000) / FRAME_US * FRAME_SAMPLES as u64;
        for _ in 0..pause {
            out.write_sample(0i16).context("cannot write what was heard")?;
        }
        for sample in frame.samples.iter() {
            out.write_sample(*sample).context("cannot write what was heard")?;
        }
        self.written_until_us = Some(frame.due_us + FRAME_US);
        Ok(())
    }

    /// Finishes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> anyhow::Result<()> {
        self.out.map_or(Ok(()), |out| out.finalize().context("cannot write what was heard"))
    }
}

/// Says and hears on a thread of its own until `stop` is set.
///
/// # Errors
/// When the system cannot start a thread.
pub fn spawn(
    mut sound: Sound,
    link: Arc<VehicleLink>,
    stop: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<anyhow::Result<()>>> {
    std::thread::Builder::new().name("sound".to_owned()).spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            sound.turn(&*link)?;
            std::thread::sleep(TURN);
        }
        sound.finish()
    })
}

/// Waits for that thread; what went wrong is told, as a vehicle does not stop for want of sound.
pub fn join(thread: Option<JoinHandle<anyhow::Result<()>>>) {
    match thread.map(JoinHandle::join) {
        None | Some(Ok(Ok(()))) => {}
        Some(Ok(Err(error))) => tracing::error!(error = %format!("{error:#}"), "sound"),
        Some(Err(_)) => tracing::error!("the sound's thread ended unexpectedly; please report this"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Hears what it says, 40 ms later.
    #[derive(Default)]
    struct Loopback {
        now_us: RefCell<u64>,
        said: RefCell<Vec<(u64, Pcm)>>,
        heard: RefCell<usize>,
    }

    impl AudioEnd for Loopback {
        fn now_us(&self) -> u64 {
            *self.now_us.borrow()
        }
        fn send_audio(&self, capture_us: u64, samples: &Pcm) {
            self.said.borrow_mut().push((capture_us, *samples));
        }
        fn try_recv_audio(&self) -> Option<AudioFrame> {
            let said = self.said.borrow();
            let mut heard = self.heard.borrow_mut();
            let (at_us, samples) = said.get(*heard).filter(|(at, _)| at + 40_000 <= self.now_us())?;
            *heard += 1;
            let due_us = at_us + 40_000;
            Some(AudioFrame { samples: Box::new(*samples), due_us, speakers: Vec::new(), age_us: None })
        }
    }

    #[test]
    fn what_is_said_from_a_file_is_heard_into_another() {
        let folder = tempfile::tempdir().unwrap();
        let (said, heard) = (folder.path().join("said.wav"), folder.path().join("heard.wav"));
        let loopback = Loopback::default();
        let run = |audio: &str, out: &Path| {
            let args = SoundArgs { audio: audio.to_owned(), audio_out: Some(out.to_owned()) };
            let mut sound = Sound::open(&args).unwrap().unwrap();
            for _ in 0..200 {
                *loopback.now_us.borrow_mut() += 10_000;
                sound.turn(&loopback).unwrap();
            }
            sound.finish().unwrap();
        };
        run("tone", &said);
        let tone = read_wav(&said).unwrap();
        assert!(tone.len() >= 90 * FRAME_SAMPLES && link::audio::tone::share(&tone, TONE_HERTZ) > 0.8);
        run(said.to_str().unwrap(), &heard);
        let again = read_wav(&heard).unwrap();
        assert!(link::audio::tone::share(&again, TONE_HERTZ) > 0.7, "{}", again.len());
    }

    #[test]
    fn a_file_of_another_rate_is_refused_with_its_figures() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cd.wav");
        let sample_format = hound::SampleFormat::Int;
        let spec = hound::WavSpec { channels: 2, sample_rate: 44_100, bits_per_sample: 16, sample_format };
        hound::WavWriter::create(&path, spec).unwrap().finalize().unwrap();
        let told = read_wav(&path).unwrap_err().to_string();
        assert!(told.contains("44100 Hz") && told.contains("48000 Hz"), "{told}");
        assert!(read_wav(&folder.path().join("nowhere.wav")).is_err());
    }
}
