//! `takeover operator`: the scripted remote operator in a seat, over the real link.

use control_plane_client::ControlPlaneArgs;
use link::{Deadman, FromVehicle, SeatLink, SeatOptions};
use protocol::v1::CommandDatagram;
use protocol::{Embodiment, SeatId, SeatKind, VehicleId};
use sim::operator::{OperatorConfig, ScriptedOperator};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::SignalKind;
use vehicle_bridge::cli::toggle_on_signal;

/// Sits a scripted operator in a seat: it watches the car, takes over when it asks, is stuck or about to do harm, and
/// hands back. It gives way to people.
#[derive(Debug, Clone, clap::Args)]
pub struct OperatorArgs {
    /// Where the control plane is.
    #[command(flatten)]
    pub control_plane: ControlPlaneArgs,
    /// Which vehicle.
    #[arg(long, default_value = "car-1")]
    pub vehicle: VehicleId,
    /// Name of the seat.
    #[arg(long, default_value = "scripted-1")]
    pub seat: SeatId,
    /// Let the policy drive in Assist and answer its questions rather than take over for them.
    #[arg(long)]
    pub assist: bool,
    /// Rehearses faults: SIGUSR1 lets go of the deadman and takes it again, SIGUSR2 freezes the picture and thaws it.
    #[arg(long, hide = true)]
    pub rehearse: bool,
    /// Seconds that it keeps the wheel at least, after a takeover: for rehearsals.
    #[arg(long, hide = true)]
    pub keep_wheel: Option<u32>,
    /// Ends when standard input closes.
    #[arg(long, hide = true)]
    pub until_stdin_closes: bool,
}

/// How often the operator looks and acts: 100 Hz.
const PERIOD: Duration = Duration::from_millis(10);

/// Operates until a signal.
///
/// # Errors
/// When the seat cannot be set up.
pub fn run(args: &OperatorArgs) -> anyhow::Result<()> {
    let control_plane = args.control_plane.address()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    vehicle_bridge::cli::stop_on_signal(runtime.handle(), &stop, args.until_stdin_closes);
    let mut injected_faults = InjectedFaults::default();
    if args.rehearse {
        toggle_on_signal(runtime.handle(), SignalKind::user_defined1(), &injected_faults.released);
        toggle_on_signal(runtime.handle(), SignalKind::user_defined2(), &injected_faults.frozen);
    }
    let options = SeatOptions { kind: SeatKind::Scripted, watch_only: false, decode: false };
    let seat = SeatLink::connect(runtime.handle(), &control_plane, args.seat.clone(), args.vehicle.clone(), options)?;
    let mut config =
        OperatorConfig { seat_id: args.seat.to_string(), assists: args.assist, ..OperatorConfig::default() };
    if let Some(seconds) = args.keep_wheel {
        config.min_drive_us = u64::from(seconds) * 1_000_000;
    }
    let mut operator = ScriptedOperator::new(config, Embodiment::ackermann_car());
    while !stop.load(Ordering::Relaxed) {
        while let Some(message) = seat.try_recv() {
            match message {
                FromVehicle::State(datagram) => operator.receive(seat.now_us(), &datagram),
                FromVehicle::Event(event) => operator.receive_event(&event),
                FromVehicle::Connected => tracing::info!("connected"),
                FromVehicle::Lost { reason } => tracing::warn!(%reason, "link lost"),
                _ => {}
            }
        }
        if let Some(clock) = seat.clock() {
            operator.set_one_way_us((clock.round_trip_us / 2.0) as u64);
        }
        let out = operator.poll(seat.now_us());
        for request in out.requests {
            tracing::info!(?request, "request");
            seat.send_request(request);
        }
        injected_faults.sample(seat.now_us());
        if let Some(mut command) = out.command {
            injected_faults.inject_faults(&mut command);
            seat.send_command(command);
        }
        std::thread::sleep(PERIOD);
    }
    seat.leave(Duration::from_secs(1));
    runtime.shutdown_timeout(Duration::from_secs(2));
    Ok(())
}

/// Faults of the person at the seat, for rehearsals.
#[derive(Default)]
struct InjectedFaults {
    /// In the operator's hand, as a person's would be.
    deadman: Deadman,
    released: Arc<AtomicBool>,
    frozen: Arc<AtomicBool>,
    /// Capture time of the picture that stands still.
    shown_us: Option<u64>,
}

impl InjectedFaults {
    /// The hand stays round the deadman unless the rehearsal opens it; where that does not count, it opens and closes.
    fn sample(&mut self, now_us: u64) {
        let is_pressed = !self.released.load(Ordering::Relaxed);
        if !(is_pressed && self.deadman.sample(now_us, true)) {
            self.deadman.sample(now_us, false);
        }
    }

    fn inject_faults(&mut self, command: &mut CommandDatagram) {
        if !self.deadman.is_held() {
            command.inputs.iter_mut().for_each(|input| input.deadman = false);
        }
        if !self.frozen.load(Ordering::Relaxed) {
            self.shown_us = None;
            return;
        }
        let newest = command.inputs.last().map_or(0, |input| input.shown_frame_us);
        let shown_us = *self.shown_us.get_or_insert(newest);
        command.inputs.iter_mut().for_each(|input| input.shown_frame_us = shown_us);
    }
}
