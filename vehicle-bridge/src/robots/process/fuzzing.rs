//! The bridge's side of a robot's connection without socket, threads and clock, for the fuzz targets (`tests/fuzz`); not
//! an interface.

use super::inbound::Inbound;
use super::pictures::RawPicture;
use super::pictures::{PictureQueue, Unpacker};
use super::server::{Reply, Shared};
use super::{AdapterError, ProcessRobot, RobotDescription};
use protocol::v1::RobotBye;
use protocol::{IdError, VehicleId};
use std::sync::Arc;
use std::time::Instant;
use vehicle_core::ControlRate;
use video::I420Buffer;

/// A bridge that waits for its robot, and the connection that it has.
pub struct AdapterTrial {
    shared: Arc<Shared>,
    connection: Option<(u64, Inbound)>,
    /// The first robot's.
    cameras: Vec<(Arc<PictureQueue>, Unpacker)>,
    description: Option<RobotDescription>,
}

impl AdapterTrial {
    /// Nobody is connected.
    ///
    /// # Errors
    /// Never: the vehicle's name is good.
    pub fn new() -> Result<Self, IdError> {
        let shared = Arc::new(Shared::new(VehicleId::new("car-1")?, ControlRate::Hz50, Instant::now()));
        Ok(Self { shared, connection: None, cameras: Vec::new(), description: None })
    }

    /// The first robot that was welcomed: the bridge is set up for it.
    #[must_use]
    pub fn description(&self) -> Option<&RobotDescription> {
        self.description.as_ref()
    }

    /// The control thread's end.
    #[must_use]
    pub fn robot(&self, description: &RobotDescription) -> ProcessRobot {
        ProcessRobot::new(Arc::clone(&self.shared), description)
    }

    /// Takes in `bytes` that a robot sent at `now_us`; one that is not connected connects. `Some` is what it is told when
    /// that ends the connection.
    pub fn read(&mut self, bytes: &[u8], now_us: u64) -> Option<RobotBye> {
        let (number, mut inbound) = match self.connection.take() {
            Some(connection) => connection,
            None if bytes.is_empty() => return None,
            None => (self.shared.begin(), Inbound::new(now_us)),
        };
        inbound.push(bytes);
        match self.hear(number, &mut inbound, now_us) {
            Ok(true) => {
                self.connection = Some((number, inbound));
                return None;
            }
            Ok(false) => self.shared.disconnect(),
            Err(error) => {
                self.shared.disconnect();
                return Some(error.bye());
            }
        }
        None
    }

    /// The robot closes the connection. `Some` is what it is told when that is not the end of a frame.
    pub fn close(&mut self) -> Option<RobotBye> {
        let (_, inbound) = self.connection.take()?;
        self.shared.disconnect();
        inbound.end().err().map(|error| error.bye())
    }

    /// `false` when the robot leaves.
    fn hear(&mut self, number: u64, inbound: &mut Inbound, now_us: u64) -> Result<bool, AdapterError> {
        while let Some(event) = inbound.next(now_us)? {
            match self.shared.take_in(number, event)? {
                Reply::Welcome(_) => {
                    self.shared.connect(number);
                    if self.description.is_none() {
                        self.set_up(inbound.session.description());
                    }
                }
                Reply::Left(_) => return Ok(false),
                Reply::None => {}
            }
            self.look(number)?;
        }
        inbound.session.check_silence(now_us)?;
        inbound.session.is_ping_due(now_us);
        Ok(true)
    }

    fn set_up(&mut self, description: Option<&RobotDescription>) {
        self.description = description.cloned();
        let cameras = description.map_or(&[][..], |description| &description.cameras[..]);
        self.cameras =
            cameras.iter().map(|camera| (Arc::new(PictureQueue::new(camera)), Unpacker::new(camera))).collect();
        self.shared.deliver_pictures(self.cameras.iter().map(|(queue, _)| Arc::clone(queue)).collect());
    }

    /// What the cameras' threads do.
    fn look(&mut self, number: u64) -> Result<(), AdapterError> {
        for (index, (queue, unpacker)) in self.cameras.iter_mut().enumerate() {
            while let Some(picture) = queue.take() {
                let mut into = I420Buffer::default();
                let RawPicture { connection, .. } = picture;
                assert_eq!(connection, number, "a picture of another connection");
                if unpacker.unpack(&picture, &mut into).map_err(|problem| AdapterError::picture(index, problem))? {
                    assert!(into.as_i420().check().is_ok(), "{}x{}", into.width, into.height);
                }
            }
        }
        Ok(())
    }
}
