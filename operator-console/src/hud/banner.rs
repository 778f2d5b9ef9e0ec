//! The banner: who drives, in words, colour and shape.

use crate::seat::{Connection, EstopPhase, Holder, SeatView};
use crate::tokens;
use bevy_egui::egui::Color32;

/// Shape that goes with a colour, so that nothing is told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The policy drives.
    Circle,
    /// This seat drives.
    Triangle,
    /// The vehicle stops itself.
    Diamond,
    /// Stands.
    Square,
    /// Another seat drives.
    Bars,
    /// No session.
    Cross,
    /// Emergency stop.
    Octagon,
}

/// The full-width strip at the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// Large words.
    pub title: String,
    /// What it means or what to do.
    pub detail: String,
    /// Background.
    pub colour: Color32,
    /// Shape.
    pub mark: Mark,
}

fn banner(title: impl Into<String>, detail: impl Into<String>, colour: Color32, mark: Mark) -> Banner {
    Banner { title: title.into(), detail: detail.into(), colour, mark }
}

impl Banner {
    /// The banner for `view`. Order is by urgency: a pressed emergency stop, a missing link, then who drives.
    #[must_use]
    pub fn of(view: &SeatView) -> Self {
        match (&view.connection, view.estop) {
            (_, EstopPhase::Sent { .. }) => {
                banner("EMERGENCY STOP SENT", "not yet acknowledged by the vehicle", tokens::VERMILLION, Mark::Octagon)
            }
            (Connection::Searching(why), _) => banner("WAITING FOR VEHICLE", why, tokens::GREY, Mark::Cross),
            (Connection::Connecting, _) => {
                let detail = if view.vehicle_id.is_empty() {
                    "asking the control plane".into()
                } else {
                    format!("calling {}", view.vehicle_id)
                };
                banner("WAITING FOR VEHICLE", detail, tokens::GREY, Mark::Cross)
            }
            (Connection::Lost(why), _) => {
                banner("NOT CONNECTED", format!("{why}; calling again"), tokens::GREY, Mark::Cross)
            }
            (Connection::Connected, EstopPhase::Latched) => banner(
                "EMERGENCY STOP",
                "acknowledged by the vehicle; hold R for 3 s to release",
                tokens::VERMILLION,
                Mark::Octagon,
            ),
            (Connection::Connected, EstopPhase::Clear) => Self::of_holder(view),
        }
    }

    fn of_holder(view: &SeatView) -> Self {
        let reason = view.authority.as_ref().map_or("", |a| a.reason().label());
        match &view.holder {
            Holder::Unknown => banner("CONNECTED", "the vehicle has not said who drives", tokens::GREY, Mark::Cross),
            Holder::Me if view.deadman => banner("YOU DRIVE", "H hands back", tokens::ORANGE, Mark::Triangle),
            Holder::Me => banner(
                "YOU DRIVE: DEADMAN RELEASED",
                "hold Shift or a shoulder button",
                tokens::VERMILLION,
                Mark::Triangle,
            ),
            Holder::OtherSeat(seat) => banner("ANOTHER SEAT DRIVES", seat, tokens::PURPLE, Mark::Bars),
            Holder::Policy => banner("POLICY DRIVES", "T takes over", tokens::BLUE, Mark::Circle),
            Holder::Fallback => {
                banner("VEHICLE STOPS ITSELF", format!("{reason}; T takes over"), tokens::VERMILLION, Mark::Diamond)
            }
            Holder::Stopped => banner(
                "STOPPED",
                format!("{reason}; G lets the policy drive, T takes over"),
                tokens::YELLOW,
                Mark::Square,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(connection: Connection, holder: Holder, estop: EstopPhase) -> SeatView {
        SeatView { connection, holder, estop, ..SeatView::empty("desk") }
    }

    #[test]
    fn no_two_states_share_both_colour_and_shape() {
        let holders = [
            Holder::Me,
            Holder::OtherSeat("night".into()),
            Holder::Policy,
            Holder::Fallback,
            Holder::Stopped,
            Holder::Unknown,
        ];
        let mut seen = Vec::new();
        for holder in holders {
            let banner =
                Banner::of(&SeatView { deadman: true, ..view(Connection::Connected, holder, EstopPhase::Clear) });
            assert!(!seen.contains(&(banner.colour, banner.mark)), "{banner:?}");
            seen.push((banner.colour, banner.mark));
        }
    }

    #[test]
    fn sent_and_acknowledged_are_told_apart() {
        let sent = EstopPhase::Sent { since_us: 0, sends: 1 };
        let banner = Banner::of(&view(Connection::Connected, Holder::Policy, sent));
        assert_eq!((banner.title.as_str(), banner.mark), ("EMERGENCY STOP SENT", Mark::Octagon));
        assert!(banner.detail.contains("not yet acknowledged"));
        let banner = Banner::of(&view(Connection::Connected, Holder::Stopped, EstopPhase::Latched));
        assert!(banner.detail.contains("acknowledged by the vehicle"));
        let cut_off = Banner::of(&view(Connection::Lost("timeout".into()), Holder::Unknown, sent));
        assert_eq!(cut_off.title, "EMERGENCY STOP SENT");
    }

    #[test]
    fn a_lost_link_says_why_and_never_that_somebody_drives() {
        let banner = Banner::of(&view(Connection::Lost("no packet for 2 s".into()), Holder::Me, EstopPhase::Clear));
        assert_eq!(banner.title, "NOT CONNECTED");
        assert!(banner.detail.contains("no packet for 2 s"));
    }

    #[test]
    fn driving_without_the_deadman_is_an_alarm() {
        let banner = Banner::of(&view(Connection::Connected, Holder::Me, EstopPhase::Clear));
        assert!(banner.title.contains("DEADMAN") && banner.colour == tokens::VERMILLION);
    }
}
