//! The emergency stop as the seat sees it: pressed, sent until the vehicle acknowledges, released by a long hold.

/// How long the reset must be held, microseconds.
pub const RESET_HOLD_US: u64 = 3_000_000;
/// An unacknowledged stop is sent again this often, microseconds.
const RESEND_US: u64 = 200_000;
/// A reset that is held is told the vehicle this often, which measures the hold for itself, microseconds.
const HOLD_US: u64 = 200_000;
/// Statements of the vehicle that are still under way when it answers say nothing about the answer, microseconds.
const SETTLE_US: u64 = 500_000;

/// How far the stop has got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EstopPhase {
    /// Not pressed, not latched.
    #[default]
    Clear,
    /// Pressed here; the vehicle has not answered.
    Sent {
        /// When it was pressed.
        since_us: u64,
        /// How often it went out; 0 while there is no link to send it on.
        sends: u32,
    },
    /// Acknowledged by the vehicle, or pressed elsewhere.
    Latched,
}

/// What to send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EstopSend {
    /// An `EstopRequest`; the same request, to be repeated under one id.
    Stop,
    /// An `EstopResetRequest` in the middle of a hold, after so many milliseconds; no answer is wanted.
    Holding(u64),
    /// An `EstopResetRequest` after a whole hold of so many milliseconds.
    Reset(u64),
}

/// One seat's emergency stop.
#[derive(Debug, Clone, Default)]
pub struct Estop {
    phase: EstopPhase,
    last_send_us: Option<u64>,
    acknowledged_us: Option<u64>,
    hold_since_us: Option<u64>,
    held_told_us: Option<u64>,
    reset_sent: bool,
}

impl Estop {
    /// How far the stop has got.
    #[must_use]
    pub fn phase(&self) -> EstopPhase {
        self.phase
    }

    /// Share of the reset hold that is done, 0 to 1.
    #[must_use]
    pub fn reset_progress(&self, now_us: u64) -> f64 {
        let held = self.hold_since_us.map_or(0, |since| now_us.saturating_sub(since));
        (held as f64 / RESET_HOLD_US as f64).min(1.0)
    }

    /// One press. A second press while the first is under way, or while latched, changes nothing.
    pub fn press(&mut self, now_us: u64) {
        if self.phase == EstopPhase::Clear {
            self.phase = EstopPhase::Sent { since_us: now_us, sends: 0 };
            self.last_send_us = None;
        }
    }

    /// The vehicle answered the stop.
    pub fn acknowledged(&mut self, now_us: u64) {
        self.phase = EstopPhase::Latched;
        self.acknowledged_us = Some(now_us);
    }

    /// The vehicle's statement about its latch.
    pub fn on_latch(&mut self, now_us: u64, latched: bool) {
        if latched {
            self.phase = EstopPhase::Latched;
        } else if self.phase == EstopPhase::Latched
            && self.acknowledged_us.is_none_or(|at| now_us.saturating_sub(at) > SETTLE_US)
        {
            self.phase = EstopPhase::Clear;
            self.acknowledged_us = None;
        }
    }

    /// One tick: `reset_held` is the reset key, `connected` whether there is a link to send on.
    pub fn tick(&mut self, now_us: u64, reset_held: bool, connected: bool) -> Option<EstopSend> {
        self.track_hold(now_us, reset_held);
        if !connected {
            return None;
        }
        match &mut self.phase {
            EstopPhase::Sent { sends, .. } => {
                let due = self.last_send_us.is_none_or(|at| now_us.saturating_sub(at) >= RESEND_US);
                due.then(|| {
                    *sends += 1;
                    self.last_send_us = Some(now_us);
                    EstopSend::Stop
                })
            }
            EstopPhase::Latched => self.reset_due(now_us),
            EstopPhase::Clear => None,
        }
    }

    fn track_hold(&mut self, now_us: u64, reset_held: bool) {
        if reset_held && self.phase == EstopPhase::Latched {
            self.hold_since_us.get_or_insert(now_us);
        } else {
            self.hold_since_us = None;
            self.held_told_us = None;
            self.reset_sent = false;
        }
    }

    fn reset_due(&mut self, now_us: u64) -> Option<EstopSend> {
        let held_us = now_us.saturating_sub(self.hold_since_us?);
        if self.reset_sent {
            return None;
        }
        if held_us >= RESET_HOLD_US {
            self.reset_sent = true;
            return Some(EstopSend::Reset(held_us / 1000));
        }
        let due = self.held_told_us.is_none_or(|at| now_us.saturating_sub(at) >= HOLD_US);
        due.then(|| {
            self.held_told_us = Some(now_us);
            EstopSend::Holding(held_us / 1000)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_US: u64 = 10_000;

    #[test]
    fn one_press_is_repeated_until_acknowledged() {
        let mut estop = Estop::default();
        estop.press(0);
        let sent = (0..100).filter(|i| estop.tick(i * TICK_US, false, true) == Some(EstopSend::Stop)).count();
        assert_eq!(sent, 5, "every 200 ms of a second");
        assert_eq!(estop.phase(), EstopPhase::Sent { since_us: 0, sends: 5 });
        estop.acknowledged(1_000_000);
        assert_eq!(estop.tick(2_000_000, false, true), None);
        assert_eq!(estop.phase(), EstopPhase::Latched);
    }

    #[test]
    fn a_press_without_a_link_goes_out_with_the_first_tick_of_the_next_one() {
        let mut estop = Estop::default();
        estop.press(0);
        assert_eq!(estop.tick(TICK_US, false, false), None);
        assert_eq!(estop.phase(), EstopPhase::Sent { since_us: 0, sends: 0 });
        assert_eq!(estop.tick(5_000_000, false, true), Some(EstopSend::Stop));
    }

    #[test]
    fn an_older_statement_does_not_unlatch() {
        let mut estop = Estop::default();
        estop.press(0);
        estop.on_latch(1000, false);
        assert!(matches!(estop.phase(), EstopPhase::Sent { .. }), "sent before the vehicle heard of it");
        estop.acknowledged(50_000);
        estop.on_latch(60_000, false);
        assert_eq!(estop.phase(), EstopPhase::Latched);
        estop.on_latch(900_000, false);
        assert_eq!(estop.phase(), EstopPhase::Clear);
    }

    #[test]
    fn a_stop_pressed_elsewhere_shows_here() {
        let mut estop = Estop::default();
        estop.on_latch(0, true);
        assert_eq!(estop.phase(), EstopPhase::Latched);
    }

    #[test]
    fn reset_needs_one_unbroken_hold_of_three_seconds() {
        let mut estop = Estop::default();
        estop.on_latch(0, true);
        let mut sent = Vec::new();
        for i in 0..1000 {
            // Let go for one tick at 2.9 s.
            if let Some(EstopSend::Reset(ms)) = estop.tick(i * TICK_US, i != 290, true) {
                sent.push((i * TICK_US / 1000, ms));
            }
        }
        assert_eq!(sent, [(5910, 3000)], "once, three seconds after the hold started over");
    }

    #[test]
    fn holding_reset_before_the_stop_does_not_count() {
        let mut estop = Estop::default();
        for i in 0..400 {
            assert_eq!(estop.tick(i * TICK_US, true, true), None);
        }
        estop.on_latch(4_000_000, true);
        assert_eq!(estop.tick(4_000_000, true, true), Some(EstopSend::Holding(0)));
        assert_eq!(estop.tick(4_190_000, true, true), None);
        assert_eq!(estop.tick(6_990_000, true, true), Some(EstopSend::Holding(2990)));
        assert_eq!(estop.tick(7_000_000, true, true), Some(EstopSend::Reset(3000)));
    }
}
