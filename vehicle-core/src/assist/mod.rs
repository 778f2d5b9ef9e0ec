//! Remote assistance (SAE J3016): the policy drives and asks, a person answers, the vehicle drives the answer.
//!
//! Only in `Assist`. When something stands in the lane ahead, the [`Assistant`] stops the vehicle with room to swerve and
//! asks which way: a [`PathQuestion`] with the ways round it that fit. The answer picks one, sets waypoints of its own
//! or declines; it is refused when no such question is open or the way does not fit ([`road`]). The chosen path is driven
//! slowly, giving way to whatever moves, under the same gate as everything else; then the policy goes on. The policy
//! holds authority all along, so a takeover, a fault or an e-stop ends it like any other driving of the policy.

mod drive;
mod offer;
pub mod road;

use super::geofence::Geofence;
use super::pursuit;
use drive::Chosen;
use policy::Corridor;
use protocol::Embodiment;
use protocol::v1::{
    AuthorityState, ChosenPath, PathAnswer, PathQuestion, Pose2, Reason, Surroundings, TrackedObject, Waypoint,
};
use road::{Shape, Thing};

/// A question is open for this long, microseconds.
pub const OPEN_US: u64 = 30_000_000;
/// After a question was declined the same is not asked again for this long, microseconds.
pub const QUIET_US: u64 = 20_000_000;
/// Something must have stood in the way for this long before it is asked about, microseconds.
const SURE_US: u64 = 600_000;
/// What stands in the way is noticed from this far, metres.
const NOTICE_M: f64 = 60.0;
/// Comfortable deceleration towards a place to stop at, m/s^2.
const COMFORT_MPS2: f64 = 1.5;
/// Time in which a speed above the limit is brought down to it, seconds.
const HOLD_S: f64 = 0.4;

/// What the assistant asks of the actuators.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AssistSetpoint {
    /// Nothing: the policy drives.
    Free,
    /// The policy drives, at most so fast, m/s.
    AtMost(f64),
    /// The chosen path: acceleration, m/s^2, and curvature, 1/m.
    Path(f64, Option<f64>),
}

/// An open question and where it was asked.
#[derive(Debug, Clone, PartialEq)]
struct Open {
    message: PathQuestion,
    pose: Pose2,
    seen: Surroundings,
}

/// What changed for the person at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Nothing.
    None,
    /// A question was asked.
    Asked,
    /// The lane is blocked and no way round it fits.
    NoWay,
    /// The last question or complaint is over.
    Settled,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Assistant {
    asked: u64,
    blocked_since_us: Option<u64>,
    at_most_mps: Option<f64>,
    quiet_until_us: u64,
    complained: bool,
    question: Option<Open>,
    chosen: Option<Chosen>,
    things: Vec<Thing>,
}

/// What the vehicle knows when it looks around.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Now, by the vehicle's clock.
    pub now_us: u64,
    /// Where the vehicle is.
    pub pose: &'a Pose2,
    /// How fast.
    pub speed_mps: f64,
    /// What it sees.
    pub surroundings: &'a Surroundings,
    /// The permitted area.
    pub geofence: Option<&'a Geofence>,
    /// What the vehicle is made of.
    pub embodiment: &'a Embodiment,
}

impl Look<'_> {
    fn shape(&self) -> Shape {
        Shape::of(self.embodiment, drive::SPEED_MPS)
    }
}

impl Assistant {
    /// The vehicle is not in `Assist`, or somebody else drives: nothing is asked and nothing remembered.
    pub fn rest(&mut self) {
        let (asked, things) = (self.asked, std::mem::take(&mut self.things));
        *self = Self { asked, things, ..Self::default() };
    }

    /// Looks around, while the policy drives in `Assist`.
    pub fn look(&mut self, look: &Look) -> News {
        let Ok(corridor) = Corridor::new(&look.surroundings.corridor) else { return News::None };
        self.things.clear();
        self.things.extend(look.surroundings.objects.iter().map(|o: &TrackedObject| Thing::of(o, corridor)));
        if let Some(chosen) = &mut self.chosen {
            if chosen.look(look, &self.things) {
                return News::None;
            }
            self.chosen = None;
        }
        let own = look.shape();
        let blockage = road::blockage(&own, &self.things, NOTICE_M);
        let Some(blockage) = blockage else {
            self.blocked_since_us = None;
            self.at_most_mps = None;
            return self.settle();
        };
        let room_m = (blockage.near_m - own.front_m - offer::STAND_OFF_M).max(0.0);
        self.at_most_mps = Some((2.0 * COMFORT_MPS2 * room_m).sqrt());
        let since_us = *self.blocked_since_us.get_or_insert(look.now_us);
        let sure = look.now_us.saturating_sub(since_us) >= SURE_US;
        if self.question.as_ref().is_some_and(|open| look.now_us >= open.message.expires_us) {
            self.question = None;
        }
        if !sure || self.question.is_some() || look.now_us < self.quiet_until_us {
            return News::None;
        }
        self.ask(look, corridor, &blockage)
    }

    fn ask(&mut self, look: &Look, corridor: Corridor, blockage: &road::Blockage) -> News {
        let paths = offer::offer(look, corridor, &self.things, blockage);
        if paths.is_empty() {
            return if std::mem::replace(&mut self.complained, true) { News::None } else { News::NoWay };
        }
        self.complained = false;
        self.asked += 1;
        let message = PathQuestion {
            id: self.asked,
            asked_us: look.now_us,
            text: format!(
                "{} stands in the lane {:.0} m ahead: which way?",
                blockage.what,
                blockage.near_m - look.embodiment.front_m()
            ),
            paths,
            reason: Reason::PathBlocked.into(),
            expires_us: look.now_us + OPEN_US,
        };
        self.question = Some(Open { message, pose: *look.pose, seen: look.surroundings.clone() });
        News::Asked
    }

    fn settle(&mut self) -> News {
        let asked = self.question.take().is_some() || std::mem::take(&mut self.complained);
        if asked { News::Settled } else { News::None }
    }

    /// Takes an answer at `now_us` from a seat that may give one, with the vehicle at `pose`.
    ///
    /// # Errors
    /// [`Reason::NoSuchQuestion`] for a question that is unknown, answered or expired, or a path that was not offered;
    /// [`Reason::NotFinite`], [`Reason::OutOfLimits`] or [`Reason::PathBlocked`] for waypoints that cannot be driven.
    pub fn answer(
        &mut self,
        now_us: u64,
        pose: &Pose2,
        answer: &PathAnswer,
        embodiment: &Embodiment,
        geofence: Option<&Geofence>,
    ) -> Result<(), Reason> {
        let open = self.question.as_ref().filter(|open| open.message.id == answer.question_id);
        let open = open.filter(|open| now_us < open.message.expires_us).ok_or(Reason::NoSuchQuestion)?;
        if answer.declined {
            self.question = None;
            self.quiet_until_us = now_us + QUIET_US;
            return Ok(());
        }
        let (points, path_id) = if answer.waypoints.is_empty() {
            let path = open.message.paths.iter().find(|path| path.id == answer.path_id);
            (path.ok_or(Reason::NoSuchQuestion)?.points.as_slice(), answer.path_id)
        } else {
            (check(open, &answer.waypoints, &Shape::of(embodiment, drive::SPEED_MPS), geofence)?, 0)
        };
        let line = points.iter().map(|p| pursuit::into_map(&open.pose, (p.x_m.into(), p.y_m.into()))).collect();
        let chosen = Chosen::new(open.message.id, path_id, line);
        if !chosen.begins_near(pose) {
            return Err(Reason::PathBlocked);
        }
        self.chosen = Some(chosen);
        self.question = None;
        Ok(())
    }

    /// What to do at a tick.
    #[must_use]
    pub fn setpoint(&self, pose: Option<&Pose2>, speed_mps: f64) -> AssistSetpoint {
        match (&self.chosen, self.at_most_mps) {
            (Some(chosen), _) => {
                let (acceleration, curvature) = chosen.setpoint(pose, speed_mps);
                AssistSetpoint::Path(acceleration, curvature)
            }
            (None, Some(limit)) => AssistSetpoint::AtMost(limit),
            (None, None) => AssistSetpoint::Free,
        }
    }

    /// Writes what people see over `state`, without allocating while nothing changes.
    pub fn show(&self, state: &mut AuthorityState) {
        let own = self.question.as_ref().map(|open| &open.message);
        if state.question.as_ref().map(|q| q.id) != own.map(|q| q.id) {
            state.question = own.cloned().map(Box::new);
        }
        state.chosen_path = self.chosen.as_ref().map(|chosen| ChosenPath {
            question_id: chosen.question_id,
            path_id: chosen.path_id,
            left_m: chosen.left_m(),
        });
    }
}

/// The acceleration, m/s^2, with which the policy is kept below a limit that falls towards a place to stop at.
#[must_use]
pub fn hold_back(speed_mps: f64, limit_mps: f64) -> f64 {
    ((limit_mps - speed_mps) / HOLD_S).max(-2.0 * COMFORT_MPS2)
}

/// Lets a person's waypoints pass, or says why not.
fn check<'a>(
    open: &Open,
    points: &'a [Waypoint],
    own: &Shape,
    geofence: Option<&Geofence>,
) -> Result<&'a [Waypoint], Reason> {
    if !road::is_finite(points) {
        return Err(Reason::NotFinite);
    }
    if !road::is_countable(points) || !road::is_evenly_set(points) {
        return Err(Reason::OutOfLimits);
    }
    let corridor = Corridor::new(&open.seen.corridor).map_err(|_| Reason::PathBlocked)?;
    let things: Vec<Thing> = open.seen.objects.iter().map(|o| Thing::of(o, corridor)).collect();
    let fits = road::is_drivable(points, own)
        && road::is_on_road(points, own, corridor)
        && road::is_clear(points, own, &things)
        && road::is_permitted(points, &open.pose, geofence);
    fits.then_some(points).ok_or(Reason::PathBlocked)
}

#[cfg(test)]
mod tests;
