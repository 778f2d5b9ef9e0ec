//! The robot in another process as the bridge sets it up.

use super::hello::video_spec;
use super::pictures::{PictureQueue, Unpacker};
use super::server::RobotServer;
use crate::robots::{PictureSource, PreparedCamera, PreparedRobot, RobotError, RobotFactory};
use protocol::v1::RobotCamera;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use vehicle_core::ControlRate;
use video::I420Buffer;

/// How an episode calls the place where a robot drives that does not say.
const NO_MAP: &str = "unmapped";

impl RobotFactory for RobotServer {
    /// Waits for the first robot to connect.
    fn prepare(&self, _: ControlRate, stop: &AtomicBool) -> Result<Option<PreparedRobot>, RobotError> {
        tracing::info!(address = self.address(), "waiting for the robot");
        let Some(described) = self.wait_for_robot(stop) else { return Ok(None) };
        let queues: Vec<_> = described.cameras.iter().map(|camera| Arc::new(PictureQueue::new(camera))).collect();
        self.deliver_pictures(queues.clone());
        let robot = Box::new(self.robot(&described));
        let prepare = |(index, (camera, queue)): (usize, (&RobotCamera, Arc<PictureQueue>))| {
            let fault = self.picture_fault();
            PreparedCamera {
                description: camera.camera.clone().unwrap_or_default(),
                video: video_spec(camera),
                pictures: Box::new(ReceivedPictures {
                    queue,
                    unpacker: Unpacker::new(camera),
                    fault: Box::new(move |connection, problem| fault(index, connection, problem)),
                }),
            }
        };
        Ok(Some(PreparedRobot {
            robot,
            origin: self.origin(),
            cameras: described.cameras.iter().zip(queues).enumerate().map(prepare).collect(),
            expects: described.expects,
            map: if described.map.is_empty() { NO_MAP.to_owned() } else { described.map },
            seed: None,
            attachments: described.embodiment.attachment().into_iter().collect(),
            embodiment: described.embodiment,
        }))
    }
}

/// The pictures that a robot sends.
struct ReceivedPictures {
    queue: Arc<PictureQueue>,
    unpacker: Unpacker,
    /// Ends the connection over which a picture came that cannot be decoded.
    fault: Box<dyn Fn(u64, String) + Send>,
}

impl PictureSource for ReceivedPictures {
    fn next(&mut self, timeout: Duration, into: &mut I420Buffer) -> Option<u64> {
        let raw = self.queue.next(timeout)?;
        match self.unpacker.unpack(&raw, into) {
            Ok(shown) => shown.then_some(raw.capture_us),
            Err(problem) => {
                (self.fault)(raw.connection, problem);
                None
            }
        }
    }
}
