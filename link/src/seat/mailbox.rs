//! What the vehicle sends, on its way to the person.

use crate::lidar::LidarScan;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use protocol::v1;
use video::{DecodedPicture, EncodedFrame};

/// Something of the vehicle or about the link.
#[derive(Debug, Clone, PartialEq)]
pub enum FromVehicle {
    /// The session can be used in both directions; comes before every state and event of it (pictures may be earlier).
    Connected,
    /// The session is lost or could not be made; the link calls again.
    Lost {
        /// For the person.
        reason: String,
    },
    /// The vehicle's newest state; may arrive out of order.
    State(Box<v1::StateDatagram>),
    /// A lidar scan.
    Scan(LidarScan),
    /// A reliable message.
    Event(v1::VehicleEvent),
    /// A coded frame; only without `SeatOptions::decode`.
    Frame(EncodedFrame),
    /// A decoded picture; only with `SeatOptions::decode`.
    Picture(DecodedPicture),
}

/// Two bounded queues: a seat that does not look loses old pictures first, and never what happened.
pub(super) struct Mailbox {
    messages: (Sender<FromVehicle>, Receiver<FromVehicle>),
    pictures: (Sender<FromVehicle>, Receiver<FromVehicle>),
}

const MESSAGES: usize = 1024;
/// Coded frames must not be left out singly, so there is room for two seconds of them; decoded ones have their own bound.
const FRAMES: usize = 64;
const PICTURES: usize = 2;

impl Mailbox {
    pub(super) fn new() -> Self {
        Self { messages: bounded(MESSAGES), pictures: bounded(FRAMES) }
    }

    pub(super) fn put(&self, message: FromVehicle) {
        let ((sender, receiver), room) = match message {
            FromVehicle::Picture(_) => (&self.pictures, PICTURES),
            FromVehicle::Frame(_) => (&self.pictures, FRAMES),
            _ => (&self.messages, MESSAGES),
        };
        while sender.len() >= room {
            let _ = receiver.try_recv();
        }
        if let Err(TrySendError::Full(message)) = sender.try_send(message) {
            let _ = receiver.try_recv();
            let _ = sender.try_send(message);
        }
    }

    pub(super) fn take(&self) -> Option<FromVehicle> {
        self.messages.1.try_recv().or_else(|_| self.pictures.1.try_recv()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_that_does_not_look_gets_the_newest_pictures_and_every_event() {
        let mailbox = Mailbox::new();
        mailbox.put(FromVehicle::Connected);
        for sequence in 0..10 {
            mailbox.put(FromVehicle::Picture(DecodedPicture { sequence, ..Default::default() }));
        }
        assert_eq!(mailbox.take(), Some(FromVehicle::Connected));
        let left: Vec<u32> = std::iter::from_fn(|| match mailbox.take() {
            Some(FromVehicle::Picture(picture)) => Some(picture.sequence),
            _ => None,
        })
        .collect();
        assert_eq!(left, [8, 9]);
    }
}
