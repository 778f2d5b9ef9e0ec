//! The threads around a session: one listens, and each connection has one that reads and one that writes.

use super::address::Listeners;
use super::error::shortened;
use super::inbound::Inbound;
use super::latest::Latest;
use super::pictures::{PictureQueue, RawPicture};
use super::session::{Event, Reading};
use super::{
    ACT_TIMEOUT_US, AdapterError, ListenAddress, ListenAddressError, MAX_FRAME_BYTES, ProcessRobot, RobotDescription,
    SENSE_TIMEOUT_US, SILENCE_TIMEOUT_US, Stream, VERSION, encode,
};
use protocol::VehicleId;
use protocol::v1::to_robot::Frame;
use protocol::v1::{ClockPing, RobotAct, RobotBye, RobotByeReason, RobotWelcome, ToRobot};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use vehicle_core::ControlRate;

/// How often the listening thread looks for connections, and how soon an end is noticed.
const LOOK: Duration = Duration::from_millis(50);
/// How soon the writing thread looks whether a ping is due.
const PING_LOOK: Duration = Duration::from_millis(20);
/// A robot that takes nothing for this long is cut off.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a bye is given to arrive before the connection closes.
const LINGER: Duration = Duration::from_millis(500);
/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// Why a robot cannot be waited for.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address.
    #[error(transparent)]
    Address(#[from] ListenAddressError),
    /// No thread.
    #[error("the system cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// What the threads and the control thread share.
#[derive(Debug)]
pub(super) struct Shared {
    /// What was sensed, and what is to be done, each with the connection that it belongs to: nothing of one is of use to
    /// the next, whose robot may count another time.
    pub(super) readings: Latest<(u64, Reading)>,
    pub(super) acts: Latest<(u64, RobotAct)>,
    vehicle: VehicleId,
    /// Acts a second.
    rate: ControlRate,
    /// Zero of the bridge's clock.
    origin: Instant,
    /// The connection whose robot was welcomed and is not gone yet; 0 for none.
    connected: AtomicU64,
    /// Somebody is connected, welcomed or not.
    busy: AtomicBool,
    /// Counts connections.
    connection: AtomicU64,
    stop: AtomicBool,
    /// The first robot's; others have to be like it.
    description: Mutex<Option<RobotDescription>>,
    described: Condvar,
    pictures: Mutex<Vec<Arc<PictureQueue>>>,
    /// What a camera's thread found out about which connection.
    fault: Mutex<Option<(u64, AdapterError)>>,
}

impl Shared {
    /// Nobody is connected yet. `origin` is the zero of the bridge's clock.
    pub(super) fn new(vehicle: VehicleId, rate: ControlRate, origin: Instant) -> Self {
        Self {
            readings: Latest::default(),
            acts: Latest::default(),
            vehicle,
            rate,
            origin,
            connected: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            connection: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            description: Mutex::default(),
            described: Condvar::new(),
            pictures: Mutex::default(),
            fault: Mutex::default(),
        }
    }

    /// The number of a connection that begins.
    pub(super) fn begin(&self) -> u64 {
        self.connection.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The robot of connection `number` has its welcome.
    pub(super) fn connect(&self, number: u64) {
        self.connected.store(number, Ordering::Release);
    }

    /// The connection has ended.
    pub(super) fn disconnect(&self) {
        self.connected.store(0, Ordering::Release);
    }

    /// Acts on what came over connection `number`.
    ///
    /// # Errors
    /// [`AdapterError`] when the robot is not like the first one.
    pub(super) fn take_in(&self, number: u64, event: Event) -> Result<Reply, AdapterError> {
        match event {
            Event::Hello(description) => {
                let welcome = self.welcome(&description);
                let software = description.software.clone();
                self.accept(*description)?;
                tracing::info!(software, "a robot is connected");
                return Ok(Reply::Welcome(welcome));
            }
            Event::Sense(reading) => self.readings.put((number, *reading)),
            Event::Picture { camera, capture_us, data } => {
                if let Some(queue) = lock(&self.pictures).get(camera) {
                    queue.put(RawPicture { capture_us, connection: number, data });
                }
            }
            Event::Bye(bye) => return Ok(Reply::Left(bye)),
            Event::None => {}
        }
        Ok(Reply::None)
    }

    /// From now on pictures go there, one queue a camera.
    pub(super) fn deliver_pictures(&self, queues: Vec<Arc<PictureQueue>>) {
        *lock(&self.pictures) = queues;
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The connection whose robot is driven.
    pub(super) fn connected(&self) -> Option<u64> {
        Some(self.connected.load(Ordering::Acquire)).filter(|number| *number > 0)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Takes a hello that was read: the first one says what the bridge is set up for.
    fn accept(&self, description: RobotDescription) -> Result<(), AdapterError> {
        let mut first = lock(&self.description);
        match first.as_ref() {
            Some(first) => description.may_replace(first),
            None => {
                *first = Some(description);
                self.described.notify_all();
                Ok(())
            }
        }
    }

    fn welcome(&self, description: &RobotDescription) -> ToRobot {
        let names = |channels: &[protocol::Channel]| channels.iter().map(|c| c.name.to_string()).collect();
        ToRobot {
            frame: Some(Frame::Welcome(RobotWelcome {
                version: VERSION,
                vehicle_id: self.vehicle.to_string(),
                action: names(&description.embodiment.action),
                observation: names(&description.embodiment.observation),
                act_hz: self.rate.hz() as f64,
                act_timeout_us: ACT_TIMEOUT_US,
                sense_timeout_us: SENSE_TIMEOUT_US,
                silence_timeout_us: SILENCE_TIMEOUT_US,
                max_frame_bytes: MAX_FRAME_BYTES,
            })),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a robot, over and over; ends when it is dropped.
#[derive(Debug)]
pub struct RobotServer {
    shared: Arc<Shared>,
    address: String,
    thread: Option<JoinHandle<()>>,
}

impl RobotServer {
    /// Listens at `address` for the robot of `vehicle`, which is controlled at `rate`. `origin` is the zero of the bridge's
    /// clock.
    ///
    /// # Errors
    /// [`ServerError`] when nobody can listen there.
    pub fn listen(
        address: &ListenAddress,
        vehicle: VehicleId,
        rate: ControlRate,
        origin: Instant,
    ) -> Result<Self, ServerError> {
        let listeners = Listeners::open(address)?;
        let address = listeners.address();
        let shared = Arc::new(Shared::new(vehicle, rate, origin));
        let worker = Arc::clone(&shared);
        let thread = spawn("robot-listen", move || serve(&listeners, &worker)).map_err(ServerError::Thread)?;
        Ok(Self { shared, address, thread: Some(thread) })
    }

    /// Where it listens, as a robot is told: `unix:PATH` or `HOST:PORT` with the port that was taken.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Zero of the clock that everything is stamped with.
    #[must_use]
    pub fn origin(&self) -> Instant {
        self.shared.origin
    }

    /// Waits for the first robot and says what it is; `None` when `stop` is set before one comes.
    #[must_use]
    pub fn wait_for_robot(&self, stop: &AtomicBool) -> Option<RobotDescription> {
        let mut description = lock(&self.shared.description);
        while !stop.load(Ordering::Relaxed) {
            if let Some(description) = description.as_ref() {
                return Some(description.clone());
            }
            let waited = self.shared.described.wait_timeout(description, LOOK);
            description = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    /// The robot for the control thread.
    #[must_use]
    pub fn robot(&self, description: &RobotDescription) -> ProcessRobot {
        ProcessRobot::new(Arc::clone(&self.shared), description)
    }

    /// From now on pictures go there, one queue a camera.
    pub(super) fn deliver_pictures(&self, queues: Vec<Arc<PictureQueue>>) {
        self.shared.deliver_pictures(queues);
    }

    /// How a camera's thread ends the connection over which `problem` came.
    pub(super) fn picture_fault(&self) -> impl Fn(usize, u64, String) + Send + use<> {
        let shared = Arc::clone(&self.shared);
        move |camera, connection, problem| {
            *lock(&shared.fault) = Some((connection, AdapterError::picture(camera, problem)));
        }
    }
}

impl Drop for RobotServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// Accepts connections until the server stops; a second one beside the first is told so.
fn serve(listeners: &Listeners, shared: &Arc<Shared>) {
    let (mut reader, mut refusal): (Option<JoinHandle<()>>, Option<JoinHandle<()>>) = (None, None);
    while !shared.is_stopped() {
        match listeners.accept() {
            Ok(Some(stream)) => {
                if shared.busy.swap(true, Ordering::AcqRel) {
                    // On a thread of its own: whoever does not listen must not keep the others out. One at a time; more
                    // are cut off without a word.
                    if refusal.as_ref().is_none_or(JoinHandle::is_finished) {
                        refusal = spawn("robot-refuse", move || refuse(stream)).ok();
                    }
                    continue;
                }
                if let Some(reader) = reader.take() {
                    let _ = reader.join();
                }
                let worker = Arc::clone(shared);
                reader = spawn("robot-read", move || {
                    connection(&worker, stream);
                    worker.busy.store(false, Ordering::Release);
                })
                .map_err(|error| {
                    shared.busy.store(false, Ordering::Release);
                    tracing::error!(%error, "no thread for a robot's connection");
                })
                .ok();
            }
            Ok(None) => std::thread::sleep(LOOK),
            Err(error) => {
                tracing::error!(%error, "cannot accept a robot's connection");
                std::thread::sleep(10 * LOOK);
            }
        }
    }
    if let Some(reader) = reader {
        let _ = reader.join();
    }
}

fn refuse(mut stream: Stream) {
    if stream.set_up(LOOK, WRITE_TIMEOUT).is_ok() {
        tracing::warn!("a second robot wants to connect; one is connected");
        say_bye(&mut stream, AdapterError::Busy.bye());
    }
}

/// What the robot has to hear, or what it said last.
#[derive(Debug)]
pub(super) enum Reply {
    /// The answer to its hello. Once it is sent the robot is connected.
    Welcome(ToRobot),
    /// It leaves.
    Left(RobotBye),
    /// Nothing.
    None,
}

/// How a connection ended without anybody's fault.
enum End {
    /// The robot said goodbye.
    Left(RobotBye),
    /// The robot closed the connection between two frames.
    Closed,
    /// The bridge ends.
    Stopped,
}

/// One connection from its beginning to its end.
fn connection(shared: &Arc<Shared>, stream: Stream) {
    let halves = stream.set_up(PING_LOOK, WRITE_TIMEOUT).and_then(|()| stream.try_clone());
    let write_half = match halves {
        Ok(half) => Arc::new(Mutex::new(half)),
        Err(error) => return tracing::error!(%error, "a robot's connection cannot be used"),
    };
    let gone = Arc::new(AtomicBool::new(false));
    let number = shared.begin();
    let writer = {
        let (shared, stream, gone) = (Arc::clone(shared), Arc::clone(&write_half), Arc::clone(&gone));
        spawn("robot-write", move || write_acts(&shared, number, &stream, &gone))
    };
    let outcome = match &writer {
        Ok(_) => {
            let inbound = Inbound::new(shared.now_us());
            Connection { shared, number, stream, inbound, write_half: &write_half, gone: &gone }.run()
        }
        Err(error) => return tracing::error!(%error, "no thread for a robot's connection"),
    };
    shared.disconnect();
    gone.store(true, Ordering::Relaxed);
    if let Ok(writer) = writer {
        let _ = writer.join();
    }
    let bye = tell_end(&outcome);
    let mut stream = lock(&write_half);
    match bye {
        Some(bye) => say_bye(&mut stream, bye),
        None => stream.shutdown(Shutdown::Both),
    }
}

/// Writes into the log how a connection ended; returns what the robot is told.
fn tell_end(outcome: &Result<End, AdapterError>) -> Option<RobotBye> {
    match outcome {
        Ok(End::Left(bye)) => {
            tracing::warn!(reason = bye.reason().as_str_name(), detail = shortened(&bye.detail), "the robot left");
            None
        }
        Ok(End::Closed) => {
            tracing::warn!("the robot closed its connection; waiting for it again");
            None
        }
        Ok(End::Stopped) => {
            let detail = "the bridge ends".to_owned();
            Some(RobotBye { reason: RobotByeReason::Shutdown.into(), detail })
        }
        Err(error) => {
            let bye = error.bye();
            tracing::error!(error = bye.detail, "the robot's connection is closed; waiting for it again");
            Some(bye)
        }
    }
}

struct Connection<'a> {
    shared: &'a Arc<Shared>,
    number: u64,
    stream: Stream,
    inbound: Inbound,
    write_half: &'a Mutex<Stream>,
    /// Set when the other side takes nothing any more.
    gone: &'a AtomicBool,
}

impl Connection<'_> {
    fn run(&mut self) -> Result<End, AdapterError> {
        let mut chunk = vec![0; CHUNK];
        loop {
            if self.shared.is_stopped() {
                return Ok(End::Stopped);
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return self.inbound.end().map(|()| End::Closed),
                Ok(count) => self.inbound.push(chunk.get(..count).unwrap_or_default()),
                Err(error) if is_pause(&error) => {}
                Err(_) => return Ok(End::Closed),
            }
            while let Some(event) = self.inbound.next(self.shared.now_us())? {
                match self.shared.take_in(self.number, event)? {
                    Reply::Welcome(welcome) => {
                        send(&mut lock(self.write_half), &welcome, self.gone);
                        self.shared.connect(self.number);
                    }
                    Reply::Left(bye) => return Ok(End::Left(bye)),
                    Reply::None => {}
                }
            }
            self.inbound.session.check_silence(self.shared.now_us())?;
            self.check_pictures()?;
            if self.gone.load(Ordering::Relaxed) {
                return Ok(End::Closed);
            }
            if self.inbound.session.is_ping_due(self.shared.now_us()) {
                let mut stream = lock(self.write_half);
                let ping = ClockPing { t1_us: self.shared.now_us() };
                send(&mut stream, &ToRobot { frame: Some(Frame::Ping(ping)) }, self.gone);
            }
        }
    }

    /// What the cameras' threads found out about this connection.
    fn check_pictures(&self) -> Result<(), AdapterError> {
        match lock(&self.shared.fault).take() {
            Some((number, error)) if number == self.number => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_pause(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Sends the newest act whenever there is one.
fn write_acts(shared: &Shared, number: u64, stream: &Mutex<Stream>, gone: &AtomicBool) {
    while !gone.load(Ordering::Relaxed) {
        if let Some((_, act)) = shared.acts.wait(LOOK).filter(|(connection, _)| *connection == number) {
            send(&mut lock(stream), &ToRobot { frame: Some(Frame::Act(act)) }, gone);
        }
    }
}

/// Sends a frame; a stream that does not take it is of no further use.
fn send(stream: &mut Stream, frame: &ToRobot, gone: &AtomicBool) {
    if !gone.load(Ordering::Relaxed)
        && let Err(error) = stream.write_all(&encode(frame))
    {
        tracing::warn!(%error, "the robot takes nothing any more");
        gone.store(true, Ordering::Relaxed);
        stream.shutdown(Shutdown::Both);
    }
}

/// The last frame. What still comes is read and dropped for a moment: a connection that is closed with something unread
/// is reset, and the frame would be lost.
fn say_bye(stream: &mut Stream, bye: RobotBye) {
    let frame = ToRobot { frame: Some(Frame::Bye(bye)) };
    if stream.write_all(&encode(&frame)).is_ok() {
        stream.shutdown(Shutdown::Write);
        let (until, mut chunk) = (Instant::now() + LINGER, vec![0; CHUNK]);
        while Instant::now() < until {
            match stream.read(&mut chunk) {
                Ok(0) => break,
                Err(error) if !is_pause(&error) => break,
                _ => {}
            }
        }
    }
    stream.shutdown(Shutdown::Both);
}
