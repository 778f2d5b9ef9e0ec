//! `takeover seat --headless`: a seat without a screen that writes down when each picture came.

use crate::output::or_unread;
use anyhow::{Context, bail};
use control_plane_client::ControlPlaneArgs;
use link::{FromVehicle, SeatLink, SeatOptions, WallClocks};
use protocol::v1::{CommandDatagram, OperatorInput};
use protocol::{ClockDifference, SeatId, SeatKind, VehicleId};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use vehicle_bridge::sound::{Sound, SoundArgs};
use vehicle_bridge::source::usage;
use video::FrameTimes;

/// Sits in a seat without a screen: receives and decodes the pictures, sends commands that ask for nothing, and writes
/// down how old each picture was. For a seat with a screen there is `operator-console`.
#[derive(Debug, Clone, clap::Args)]
pub struct SeatArgs {
    /// Without a screen; the only way there is here.
    #[arg(long, required = true)]
    pub headless: bool,
    /// Where the control plane is.
    #[command(flatten)]
    pub control_plane: ControlPlaneArgs,
    /// Which vehicle.
    #[arg(long, default_value = "car-1")]
    pub vehicle: VehicleId,
    /// Name of the seat.
    #[arg(long, default_value = "headless-1")]
    pub seat: SeatId,
    /// Network interface (or local address) to reach the vehicle over; given more than once, all are used at once.
    #[arg(long = "interface", value_name = "NAME")]
    pub interfaces: Vec<String>,
    /// Writes one record a picture and the seat's figures to this file at the end.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Ends after so many seconds.
    #[arg(long, value_parser = vehicle_bridge::cli::seconds)]
    pub seconds: Option<f64>,
    /// What it says and where what it hears goes.
    #[command(flatten)]
    pub sound: SoundArgs,
    /// Ends when standard input closes.
    #[arg(long, hide = true)]
    pub until_stdin_closes: bool,
}

/// What the seat knows at the end. Times are microseconds; those on the vehicle's clock are so by the seat's estimate.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SeatReport {
    /// Wall time of the seat's clock's zero: on one machine, two such zeros give the true offset.
    pub origin_unix_us: u64,
    /// How long it ran, seconds.
    pub seconds: f64,
    /// User and system time from the first picture on, seconds.
    pub cpu_s: f64,
    /// How long that was, seconds.
    pub cpu_over_s: f64,
    /// Most memory resident, bytes.
    pub most_memory_bytes: u64,
    /// Memory resident, bytes, every ten seconds.
    pub memory_bytes: Vec<u64>,
    /// From the call to the first picture, milliseconds.
    pub first_picture_ms: Option<f64>,
    /// Names of the stages in each picture's record.
    pub stages: Vec<String>,
    /// Every picture that was presented.
    pub pictures: Vec<PictureRecord>,
    /// The clock estimate, once a second.
    pub clock: Vec<ClockRecord>,
    /// What was to be known of the vehicle's wall clock at the end, in sentences.
    pub clock_warnings: Vec<String>,
    /// Age of the newest command as the vehicle reported it, milliseconds.
    pub command_age_ms: Vec<f32>,
    /// Commands sent.
    pub commands_sent: u64,
    /// What happened to the link: (seat's clock, what).
    pub link_events: Vec<(u64, String)>,
    /// Times that the link was lost after it had been there.
    pub reconnects: u64,
    /// The link's own counts.
    pub counts: std::collections::BTreeMap<String, f64>,
}

/// One picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PictureRecord {
    /// The in-picture timecode's counter.
    pub sequence: u32,
    /// By the in-picture timecode, on the vehicle's clock.
    pub capture_us: u64,
    /// When it could have been shown, on the vehicle's clock.
    pub presented_us: u64,
    /// The same on the seat's own clock.
    pub presented_seat_us: u64,
    /// Milliseconds of each stage.
    pub stages_ms: Vec<f32>,
}

/// The clock estimate at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ClockRecord {
    /// Seat's clock.
    pub seat_us: u64,
    /// Vehicle's minus seat's clock.
    pub offset_us: f64,
    /// Its uncertainty.
    pub uncertainty_us: f64,
    /// Least round trip of late.
    pub round_trip_us: f64,
    /// The vehicle's wall clock minus this machine's.
    pub wall_to_seat: Option<ClockDifference>,
    /// The vehicle's wall clock minus the control plane's, as the vehicle measured it.
    pub wall_to_control_plane: Option<ClockDifference>,
}

/// 100 Hz.
const COMMAND_US: u64 = 10_000;
const POLL: Duration = Duration::from_micros(500);
/// Inputs in each command.
const REPEATED: usize = 5;

/// Receives until a signal.
///
/// # Errors
/// When the seat cannot be set up, no picture came, or the figures cannot be written.
pub fn run(args: &SeatArgs) -> anyhow::Result<()> {
    crate::output::check_writable(args.json.as_deref())?;
    let control_plane = args.control_plane.address()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    vehicle_bridge::cli::stop_on_signal(runtime.handle(), &stop, args.until_stdin_closes);
    let options = SeatOptions { kind: SeatKind::Human, watch_only: false, decode: true };
    let seat = SeatLink::connect_over(
        runtime.handle(),
        &control_plane,
        args.seat.clone(),
        args.vehicle.clone(),
        options,
        None,
        link::Paths::new(&args.interfaces)?,
    )?;
    let mut sound = Sound::open(&args.sound)?;
    let mut run = SeatRun::new(&seat, &args.seat);
    let start = Instant::now();
    while !stop.load(Ordering::Relaxed) && args.seconds.is_none_or(|s| start.elapsed().as_secs_f64() < s) {
        while let Some(message) = seat.try_recv() {
            run.receive(&seat, message);
        }
        run.act(&seat);
        if let Some(sound) = &mut sound {
            sound.turn(&seat)?;
        }
        std::thread::sleep(POLL);
    }
    sound.map_or(Ok(()), Sound::finish)?;
    let report = run.finish(&seat);
    seat.leave(Duration::from_secs(1));
    runtime.shutdown_timeout(Duration::from_secs(2));
    if let Some(file) = &args.json {
        let written = std::fs::write(file, serde_json::to_vec(&report)?);
        written.with_context(|| format!("cannot write {}", file.display()))?;
    }
    or_unread(say!("{}", summary(&report)))?;
    for warning in &report.clock_warnings {
        or_unread(say!("{warning}"))?;
    }
    // Ctrl-C is the way to end a seat, also before the first picture.
    match report.first_picture_ms.is_some() || stop.load(Ordering::Relaxed) {
        true => Ok(()),
        false => bail!("{}", nothing_came(&report, args)),
    }
}

/// Why a seat that waited for pictures got none, as far as it knows.
fn nothing_came(report: &SeatReport, args: &SeatArgs) -> String {
    let (vehicle, control_plane) = (&args.vehicle, &args.control_plane.control_plane);
    let last = report.link_events.last().map(|(_, what)| what.as_str());
    let why = match last {
        Some("connected") => "it was connected, and the vehicle sent none".to_owned(),
        Some(what) => what.to_owned(),
        None => "neither the control plane nor the vehicle had answered by then".to_owned(),
    };
    format!("no picture of {vehicle} came in {:.1} s by way of {control_plane}: {why}", report.seconds)
}

struct SeatRun {
    report: SeatReport,
    seat_id: String,
    inputs: VecDeque<OperatorInput>,
    next_command_us: u64,
    next_second_us: u64,
    /// Processor time and time at the first picture.
    first: Option<(f64, Instant)>,
    connected: bool,
    shown_frame_us: u64,
}

impl SeatRun {
    fn new(seat: &SeatLink, id: &SeatId) -> Self {
        let report = SeatReport {
            origin_unix_us: usage::zero_unix_us(|| seat.now_us()),
            stages: stage_names(),
            ..SeatReport::default()
        };
        Self {
            report,
            seat_id: id.to_string(),
            inputs: VecDeque::new(),
            next_command_us: 0,
            next_second_us: 0,
            first: None,
            connected: false,
            shown_frame_us: 0,
        }
    }

    fn receive(&mut self, seat: &SeatLink, message: FromVehicle) {
        let now_us = seat.now_us();
        match message {
            FromVehicle::Picture(picture) => self.present(seat, &picture),
            FromVehicle::State(state) => {
                let age_ms = state.link.map_or(0.0, |link| link.command_age_ms);
                if age_ms > 0.0 {
                    self.report.command_age_ms.push(age_ms as f32);
                }
            }
            FromVehicle::Connected => {
                self.connected = true;
                self.report.link_events.push((now_us, "connected".to_owned()));
            }
            FromVehicle::Lost { reason } => {
                self.report.reconnects += u64::from(std::mem::take(&mut self.connected));
                self.report.link_events.push((now_us, reason));
            }
            _ => {}
        }
    }

    fn present(&mut self, seat: &SeatLink, picture: &video::DecodedPicture) {
        let now_us = seat.now_us();
        seat.presented(picture.decoded_us, now_us);
        self.report.first_picture_ms.get_or_insert(now_us as f64 / 1e3);
        self.first.get_or_insert_with(|| (usage::now().cpu_s, Instant::now()));
        let Some(clock) = seat.clock().filter(|_| picture.capture_us > 0) else { return };
        self.shown_frame_us = picture.capture_us;
        let presented_us = clock.remote_from_local(now_us);
        self.report.pictures.push(PictureRecord {
            sequence: picture.sequence,
            capture_us: picture.capture_us,
            presented_us,
            presented_seat_us: now_us,
            stages_ms: stages_ms(picture, presented_us),
        });
    }

    fn act(&mut self, seat: &SeatLink) {
        let now_us = seat.now_us();
        if now_us >= self.next_command_us {
            self.next_command_us = (self.next_command_us + COMMAND_US).max(now_us.saturating_sub(COMMAND_US));
            self.report.commands_sent += 1;
            self.inputs.push_back(OperatorInput {
                sequence: self.report.commands_sent,
                seat_us: now_us,
                shown_frame_us: self.shown_frame_us,
                ..Default::default()
            });
            if self.inputs.len() > REPEATED {
                self.inputs.pop_front();
            }
            let inputs = self.inputs.iter().cloned().collect();
            seat.send_command(CommandDatagram { seat_id: self.seat_id.clone(), inputs, ..Default::default() });
        }
        if now_us >= self.next_second_us {
            self.next_second_us = now_us + 1_000_000;
            if let Some(clock) = seat.clock() {
                let (offset_us, uncertainty_us) = (clock.offset_us, clock.uncertainty_us);
                let round_trip_us = clock.round_trip_us;
                let WallClocks { seat: wall_to_seat, control_plane: wall_to_control_plane } = seat.wall_clocks();
                self.report.clock.push(ClockRecord {
                    seat_us: now_us,
                    offset_us,
                    uncertainty_us,
                    round_trip_us,
                    wall_to_seat,
                    wall_to_control_plane,
                });
            }
            self.report.clock_warnings = seat.wall_clocks().warnings();
            if self.report.memory_bytes.len() as u64 * 10_000_000 <= now_us {
                self.report.memory_bytes.push(usage::now().memory_bytes);
            }
        }
    }

    fn finish(mut self, seat: &SeatLink) -> SeatReport {
        let (used, stats) = (usage::now(), seat.stats());
        self.report.seconds = seat.now_us() as f64 / 1e6;
        self.report.most_memory_bytes = used.most_memory_bytes;
        if let Some((before, at)) = self.first {
            (self.report.cpu_s, self.report.cpu_over_s) = (used.cpu_s - before, at.elapsed().as_secs_f64());
        }
        let counts = [
            ("frames", stats.frames),
            ("frames_lost", stats.frames_lost),
            ("packets_lost", stats.packets_lost),
            ("pictures", stats.pictures),
            ("pictures_late", stats.pictures_late),
            ("paths", stats.paths),
            ("scans", stats.scans),
            ("repaired_by_fec", stats.packets_repaired_by_fec),
            ("repaired_by_nack", stats.packets_repaired_by_nack),
            ("recoveries_wanted", stats.recoveries_wanted),
            ("malformed", stats.malformed),
            ("sessions", stats.sessions),
        ];
        let sound = seat.audio_stats();
        let heard = [
            ("audio_played", sound.played),
            ("audio_recovered", sound.recovered),
            ("audio_concealed", sound.concealed),
            ("audio_late", sound.late),
        ];
        self.report.counts =
            counts.into_iter().chain(heard).map(|(name, count)| (name.to_owned(), count as f64)).collect();
        self.report
    }
}

fn stage_names() -> Vec<String> {
    FrameTimes::STAGES.iter().chain(&["present"]).map(|name| (*name).to_owned()).collect()
}

fn stages_ms(picture: &video::DecodedPicture, presented_us: u64) -> Vec<f32> {
    let Some((times, stages)) = picture.times.and_then(|times| Some((times, times.stages_ms()?))) else {
        return Vec::new();
    };
    let present = (presented_us as f64 - times.decoded_us as f64) / 1e3;
    stages.into_iter().chain([present]).map(|ms| ms as f32).collect()
}

fn summary(report: &SeatReport) -> String {
    let mut ages: Vec<f64> =
        report.pictures.iter().map(|p| (p.presented_us as f64 - p.capture_us as f64) / 1e3).collect();
    ages.sort_by(f64::total_cmp);
    let mut text = format!("{} pictures in {:.1} s", ages.len(), report.seconds);
    if let Some(ms) = report.first_picture_ms {
        text += &format!(", first after {ms:.0} ms");
    }
    if let Some(most) = ages.last() {
        let at = |share: f64| ages.get((ages.len() as f64 * share) as usize).unwrap_or(most);
        text += &format!("; age p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms", at(0.5), at(0.95), at(0.99));
    }
    let core = report.cpu_s / report.cpu_over_s.max(1e-3) * 100.0;
    text + &format!("; {} reconnects; {core:.0} % of a core", report.reconnects)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: SeatArgs,
    }

    #[test]
    fn a_seat_that_got_nothing_says_so_without_figures_it_has_not() {
        let mut report = SeatReport { seconds: 5.0, ..SeatReport::default() };
        assert_eq!(summary(&report), "0 pictures in 5.0 s; 0 reconnects; 0 % of a core");
        let args =
            Cli::parse_from(["seat", "--headless", "--vehicle", "car-9", "--control-plane", "http://[::1]:7"]).args;
        let why = nothing_came(&report, &args);
        assert!(why.contains("car-9") && why.contains("http://[::1]:7") && why.contains("had answered"), "{why}");
        report.link_events.push((1, "vehicle car-9 is not registered".to_owned()));
        assert!(nothing_came(&report, &args).ends_with("vehicle car-9 is not registered"));
        let picture = |age_us| PictureRecord { presented_us: age_us, ..PictureRecord::default() };
        report.first_picture_ms = Some(240.0);
        report.pictures = vec![picture(10_000), picture(30_000)];
        assert!(summary(&report).contains("first after 240 ms; age p50 30.0 ms"), "{}", summary(&report));
    }
}
