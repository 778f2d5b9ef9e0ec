//! What must hold before a person may take over, each point with its reason.

/// One point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What must hold.
    pub name: &'static str,
    /// Whether it does.
    pub passed: bool,
    /// Why not, or the figure that says so.
    pub detail: String,
}

/// What the checklist looks at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// There is a session with the vehicle.
    pub connected: bool,
    /// The session may only watch.
    pub watch_only: bool,
    /// Age of the vehicle's last state, microseconds.
    pub state_age_us: Option<u64>,
    /// Whether there is a picture.
    pub has_picture: bool,
    /// For how long the picture has not been live, microseconds.
    pub stale_us: Option<u64>,
    /// How far the two clocks may be apart, microseconds.
    pub clock_uncertainty_us: Option<f64>,
    /// The deadman is held.
    pub deadman: bool,
    /// Pedals and stick are let go.
    pub neutral: bool,
    /// The emergency stop is pressed or latched.
    pub estopped: bool,
    /// Another seat that drives.
    pub other_seat: Option<String>,
    /// Why the robot cannot be driven with pedals and a wheel, if it cannot.
    pub undrivable: Option<String>,
}

const STATE_FRESH_US: u64 = 300_000;
const CLOCK_GOOD_US: f64 = 100_000.0;

fn check(name: &'static str, passed: bool, failed_because: impl Into<String>) -> Check {
    Check { name, passed, detail: if passed { String::new() } else { failed_because.into() } }
}

/// The list, in the order in which a person can act on it.
#[must_use]
pub fn checklist(facts: &Facts) -> Vec<Check> {
    let ms = |us: u64| us / 1000;
    let state_fresh = facts.state_age_us.is_some_and(|age| age <= STATE_FRESH_US);
    let picture_live = facts.has_picture && facts.stale_us.is_none();
    vec![
        check("connected", facts.connected, "no session with the vehicle"),
        check("seat may drive", !facts.watch_only, "this seat only watches"),
        check(
            "state fresh",
            state_fresh,
            facts.state_age_us.map_or("none received".into(), |age| format!("{} ms old", ms(age))),
        ),
        check(
            "picture live",
            picture_live,
            facts.stale_us.map_or("no picture yet".into(), |stale| format!("stale for {} ms", ms(stale))),
        ),
        check(
            "clocks agree",
            facts.clock_uncertainty_us.is_some_and(|u| u <= CLOCK_GOOD_US),
            facts.clock_uncertainty_us.map_or("not yet synchronised".into(), |u| format!("only to {:.0} ms", u / 1e3)),
        ),
        check("controls fit", facts.undrivable.is_none(), facts.undrivable.clone().unwrap_or_default()),
        check("emergency stop clear", !facts.estopped, "release it first: hold R for 3 s"),
        check(
            "authority free",
            facts.other_seat.is_none(),
            facts.other_seat.as_ref().map(|seat| format!("seat {seat} drives")).unwrap_or_default(),
        ),
        check("pedals and stick neutral", facts.neutral, "let go of pedals and stick"),
        check("deadman held", facts.deadman, "hold Shift or a shoulder button"),
    ]
}

/// The failed points in one line; `None` when all passed.
#[must_use]
pub fn failures(list: &[Check]) -> Option<String> {
    let failed: Vec<String> = list.iter().filter(|c| !c.passed).map(|c| format!("{} ({})", c.name, c.detail)).collect();
    (!failed.is_empty()).then(|| failed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Facts {
        Facts {
            connected: true,
            state_age_us: Some(20_000),
            has_picture: true,
            clock_uncertainty_us: Some(900.0),
            deadman: true,
            neutral: true,
            ..Facts::default()
        }
    }

    #[test]
    fn everything_in_order_passes() {
        assert_eq!(failures(&checklist(&ready())), None);
    }

    #[test]
    fn each_fact_alone_stops_a_takeover_and_says_why() {
        type Fail = fn(&mut Facts);
        let wrong: [(&str, Fail); 10] = [
            ("no session", |f| f.connected = false),
            ("only watches", |f| f.watch_only = true),
            ("400 ms old", |f| f.state_age_us = Some(400_000)),
            ("stale for 350 ms", |f| f.stale_us = Some(350_000)),
            ("not yet synchronised", |f| f.clock_uncertainty_us = None),
            ("six_joint_arm", |f| f.undrivable = Some("six_joint_arm has no wheel".into())),
            ("hold R", |f| f.estopped = true),
            ("seat night drives", |f| f.other_seat = Some("night".into())),
            ("let go", |f| f.neutral = false),
            ("hold Shift", |f| f.deadman = false),
        ];
        for (why, fail) in wrong {
            let mut facts = ready();
            fail(&mut facts);
            let list = checklist(&facts);
            assert_eq!(list.iter().filter(|c| !c.passed).count(), 1, "{why}");
            assert!(failures(&list).unwrap().contains(why), "{why}: {:?}", failures(&list));
        }
    }
}
