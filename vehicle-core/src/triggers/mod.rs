//! When an episode is recorded that no takeover opens: looks at every tick for what the configuration asks for. Sans-IO.

mod distance;
mod watch;

pub use distance::{disagreement, time_to_collision_s};
pub use watch::TriggerWatch;

use crate::authority::Change;
use crate::mileage::VehicleMetadata;
use crate::{Sensors, Tick};
use protocol::trigger::{Fired, RuleError, Situation, TriggerConfig};
use protocol::v1::LinkStats;
use protocol::{Attachment, Channels, Embodiment, EpisodeId, EpisodeInfo, FaultCode, PolicyVersion};

/// Evaluates the triggers of one vehicle, tick by tick.
#[derive(Debug)]
pub struct TriggerEvaluator {
    watch: TriggerWatch,
    vehicle: VehicleMetadata,
    limits: Vec<(f64, f64)>,
    channels: Channels,
    /// From its origin to the front end, and half of its width, metres.
    body_m: (f64, f64),
    attachments: Vec<Attachment>,
    count: u64,
    /// What the policy or a candidate would do, while it is fresh.
    proposed: Option<Vec<f64>>,
    confidence: f64,
}

/// A change of a trigger, with the description of the episode that it opens.
#[derive(Debug)]
pub struct TriggeredEpisode {
    /// Which trigger began or ended.
    pub fired: Fired,
    /// The episode's description, should it open one.
    pub info: EpisodeInfo,
}

impl TriggerEvaluator {
    /// For `vehicle`; `attachments` belong to every episode.
    ///
    /// # Errors
    /// [`RuleError`] naming the rule that cannot be read.
    pub fn new(
        triggers: TriggerConfig,
        vehicle: VehicleMetadata,
        embodiment: &Embodiment,
        attachments: Vec<Attachment>,
    ) -> Result<Self, RuleError> {
        Ok(Self {
            watch: TriggerWatch::new(triggers)?,
            vehicle,
            limits: embodiment.action.iter().map(|channel| (channel.min, channel.max)).collect(),
            channels: *embodiment.channels(),
            body_m: (embodiment.front_m(), embodiment.half_width_m()),
            attachments,
            count: 0,
            proposed: None,
            confidence: 1.0,
        })
    }

    /// What every episode carries.
    #[must_use]
    pub fn attachments(&self) -> Vec<Attachment> {
        self.attachments.clone()
    }

    /// Looks at a tick, which is `wall_ns` since 1970. `candidate` is what a policy on trial would do now; without one
    /// the policy in use is compared while somebody else drives.
    pub fn evaluate(
        &mut self,
        wall_ns: u64,
        sensors: &Sensors,
        tick: &Tick,
        link: &LinkStats,
        candidate: Option<&[f64]>,
        policy: &PolicyVersion,
    ) -> Vec<TriggeredEpisode> {
        if let Some(proposal) = &tick.proposal {
            self.proposed = Some(proposal.action.clone());
            self.confidence = proposal.confidence;
        }
        let observation = &sensors.state.observation;
        let channel = |index: Option<usize>| index.and_then(|i| observation.get(i)).copied().unwrap_or(0.0);
        let speed_mps = channel(self.channels.speed);
        let by_policy = tick.command.author() == protocol::v1::Author::Policy;
        let shadow = candidate.or(self.proposed.as_deref().filter(|_| !by_policy));
        let is_driven = tick.authority.mode() == protocol::v1::Mode::Drive || by_policy;
        let faults: Vec<String> = sensors.state.faults.iter().filter(|code| opens_episode(code)).cloned().collect();
        let situation = Situation {
            speed_mps,
            acceleration_mps2: channel(self.channels.acceleration),
            time_to_collision_s: nearest_s(sensors, speed_mps, self.body_m),
            latency_ms: link.command_age_ms + link.picture_age_ms,
            loss: link.loss,
            confidence: self.confidence,
            disagreement: shadow
                .filter(|_| is_driven)
                .map(|action| disagreement(action, &tick.command.action, &self.limits)),
            mode: tick.authority.mode().label(),
            author: tick.command.author().label(),
            faults: &faults,
            fallback: tick.changes.iter().any(|change| matches!(change, Change::FallbackBegan(_))),
            estop: tick.authority.estop_latched || sensors.estop_pressed,
            help: tick.authority.help.as_ref().map(|help| help.text.as_str()),
            bookmark: tick.bookmark.as_deref(),
        };
        let fired = self.watch.look(wall_ns, &situation);
        fired.into_iter().filter_map(|fired| self.describe(wall_ns, fired, policy, sensors)).collect()
    }

    fn describe(
        &mut self,
        wall_ns: u64,
        fired: Fired,
        policy: &PolicyVersion,
        sensors: &Sensors,
    ) -> Option<TriggeredEpisode> {
        self.count += 1;
        let id = EpisodeId::new(format!("{}-t{:04}", self.vehicle.prefix, self.count)).ok()?;
        let mut info = self.vehicle.describe_at(id, policy, sensors);
        if let Fired::Begins { trigger, name, .. } = &fired {
            info.cause = trigger.cause().label().to_owned();
            tracing::info!(trigger = trigger.label(), %name, wall_ns, "triggered");
        }
        Some(TriggeredEpisode { fired, info })
    }
}

fn opens_episode(code: &str) -> bool {
    FaultCode::from_code(code).is_none_or(FaultCode::opens_episode)
}

fn nearest_s(sensors: &Sensors, speed_mps: f64, (front_m, half_width_m): (f64, f64)) -> f64 {
    let objects = sensors.surroundings.iter().flat_map(|surroundings| &surroundings.objects);
    let times = objects.map(|object| {
        let half_m = f64::from(object.width_m).min(f64::from(object.length_m)) / 2.0;
        let moving = [object.x_m, object.y_m, object.velocity_x_mps, object.velocity_y_mps].map(f64::from);
        let [x_m, y_m, vx_mps, vy_mps] = moving;
        time_to_collision_s((speed_mps, front_m, half_width_m), (x_m, y_m, vx_mps, vy_mps), half_m)
    });
    times.fold(f64::INFINITY, f64::min)
}
