//! Who had authority, as stretches of time.

use super::Changes;
use protocol::v1::{Author, AuthorityState, Mode, Reason};

/// Who moves the robot, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authority {
    /// Mode.
    pub mode: Mode,
    /// Whose commands move it.
    pub author: Author,
    /// Why it changed last.
    pub reason: Reason,
    /// The seat that holds authority or held it last; empty for none.
    pub seat: String,
    /// The emergency stop is latched.
    pub estop: bool,
    /// The policy's question; empty for none.
    pub help: String,
}

/// A stretch of time with one mode and author.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// Seconds since the episode's start.
    pub from_s: f32,
    /// Seconds since the episode's start.
    pub to_s: f32,
    /// Mode.
    pub mode: Mode,
    /// Whose commands moved the robot.
    pub author: Author,
}

#[derive(Default)]
pub(super) struct Bands(Changes<Authority>);

impl Bands {
    pub(super) fn push(&mut self, at_s: f32, state: &AuthorityState) {
        let value = Authority {
            mode: state.mode(),
            author: state.author(),
            reason: state.reason(),
            seat: state.seat_id.clone(),
            estop: state.estop_latched,
            help: state.help.as_ref().map_or_else(String::new, |help| help.text.clone()),
        };
        self.0.push(at_s, value);
    }

    pub(super) fn finish(self, length_s: f64) -> (Vec<Band>, Changes<Authority>) {
        let mut bands: Vec<Band> = Vec::new();
        for (from_s, value) in self.0.iter() {
            if let Some(last) = bands.last_mut() {
                last.to_s = from_s;
                if (last.mode, last.author) == (value.mode, value.author) {
                    continue;
                }
            }
            bands.push(Band { from_s, to_s: from_s, mode: value.mode, author: value.author });
        }
        if let Some(last) = bands.last_mut() {
            last.to_s = length_s as f32;
        }
        (bands, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_meet_and_other_changes_make_none() {
        let mut bands = Bands::default();
        let state = |mode: Mode, author: Author, seat: &str| AuthorityState {
            mode: mode.into(),
            author: author.into(),
            seat_id: seat.to_owned(),
            ..Default::default()
        };
        bands.push(0.0, &state(Mode::Monitor, Author::Policy, ""));
        bands.push(1.0, &state(Mode::Monitor, Author::Policy, "desk"));
        bands.push(2.0, &state(Mode::Drive, Author::Operator, "desk"));
        bands.push(3.0, &state(Mode::Drive, Author::Fallback, "desk"));
        let (bands, authority) = bands.finish(5.0);
        let spans: Vec<_> = bands.iter().map(|b| (b.from_s, b.to_s, b.mode, b.author)).collect();
        assert_eq!(
            spans,
            [
                (0.0, 2.0, Mode::Monitor, Author::Policy),
                (2.0, 3.0, Mode::Drive, Author::Operator),
                (3.0, 5.0, Mode::Drive, Author::Fallback)
            ]
        );
        assert_eq!(authority.at(1.5).map(|a| a.seat.as_str()), Some("desk"));
    }
}
