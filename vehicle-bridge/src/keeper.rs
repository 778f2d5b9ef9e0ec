//! What a vehicle hands to the recorder besides its messages: when to keep an episode, and the map, the scenario and
//! the cameras' calibration that belong to it. Sans-IO; the bridge in real time and its tests call it.

use crate::core::authority::Change;
use crate::core::{Sensors, Tick};
use crate::ledger::Account;
use protocol::foxglove::{CameraCalibration, FrameTransform, FrameTransforms, Quaternion, Vector3};
use protocol::v1::LinkStats;
use protocol::{Embodiment, EpisodeId, PolicyVersion};
use recorder::trigger::{Fired, RuleError, Situation, TriggerConfig, Watch, disagreement, time_to_collision_s};
use recorder::{Attachment, EpisodeInfo};
use sim::camera::CameraSpec;
use sim::road::RoadNetwork;
use sim::world::WorldConfig;

/// Faults of these kinds open no episode: a recorder in trouble has nowhere to keep it, and a late tick shows in the
/// control timing.
const NO_EPISODE: [&str; 4] = ["recorder_", "control_deadline", "audit_", "upload_"];
/// From the middle of the rear axle to the front bumper, and half the width, of the car in time to collision, m.
const REACH_M: f64 = 3.8;
const HALF_WIDTH_M: f64 = 1.0;

/// See the module.
#[derive(Debug)]
pub struct Keeper {
    watch: Watch,
    account: Account,
    limits: Vec<(f64, f64)>,
    attachments: Vec<Attachment>,
    count: u64,
    /// What the policy or a candidate would do, while it is fresh.
    proposed: Option<Vec<f64>>,
    confidence: f64,
}

/// Something fired; with the description of an episode of its own.
#[derive(Debug)]
pub struct Keep {
    /// What.
    pub fired: Fired,
    /// For an episode of its own.
    pub info: EpisodeInfo,
}

impl Keeper {
    /// A keeper for the vehicle of these books.
    ///
    /// # Errors
    /// [`RuleError`] naming the rule that cannot be read.
    pub fn new(
        triggers: TriggerConfig,
        account: Account,
        embodiment: &Embodiment,
        attachments: Vec<Attachment>,
    ) -> Result<Self, RuleError> {
        Ok(Self {
            watch: Watch::new(triggers)?,
            account,
            limits: embodiment.action.iter().map(|channel| (channel.min, channel.max)).collect(),
            attachments,
            count: 0,
            proposed: None,
            confidence: 1.0,
        })
    }

    /// What belongs to every episode.
    #[must_use]
    pub fn attachments(&self) -> Vec<Attachment> {
        self.attachments.clone()
    }

    /// Looks at a tick, which is `wall_ns` since 1970. `candidate` is what a policy on trial would do now; without one
    /// the policy in use is compared while somebody else drives.
    pub fn look(
        &mut self,
        wall_ns: u64,
        sensors: &Sensors,
        tick: &Tick,
        link: &LinkStats,
        candidate: Option<&[f64]>,
        policy: &PolicyVersion,
    ) -> Vec<Keep> {
        if let Some(proposal) = &tick.proposal {
            self.proposed = Some(proposal.action.clone());
            self.confidence = proposal.confidence;
        }
        let observation = &sensors.state.observation;
        let channel = |index: usize| observation.get(index).copied().unwrap_or(0.0);
        let by_policy = tick.command.author() == protocol::v1::Author::Policy;
        let shadow = candidate.or(self.proposed.as_deref().filter(|_| !by_policy));
        let is_driven = tick.authority.mode() == protocol::v1::Mode::Drive || by_policy;
        let faults: Vec<String> = sensors.state.faults.iter().filter(|code| opens_episode(code)).cloned().collect();
        let situation = Situation {
            speed_mps: channel(0),
            acceleration_mps2: channel(1),
            time_to_collision_s: nearest_s(sensors, channel(0)),
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
        fired.into_iter().filter_map(|fired| self.keep(wall_ns, fired, policy, sensors)).collect()
    }

    fn keep(&mut self, wall_ns: u64, fired: Fired, policy: &PolicyVersion, sensors: &Sensors) -> Option<Keep> {
        self.count += 1;
        let id = EpisodeId::new(format!("{}-t{:04}", self.account.prefix, self.count)).ok()?;
        let mut info = self.account.describe_at(id, policy, sensors);
        if let Fired::Begins { trigger, name, .. } = &fired {
            info.cause = trigger.cause().label().to_owned();
            tracing::info!(trigger = trigger.label(), %name, wall_ns, "worth keeping");
        }
        Some(Keep { fired, info })
    }
}

fn opens_episode(code: &str) -> bool {
    !NO_EPISODE.iter().any(|prefix| code.starts_with(prefix))
}

fn nearest_s(sensors: &Sensors, speed_mps: f64) -> f64 {
    let objects = sensors.surroundings.iter().flat_map(|surroundings| &surroundings.objects);
    let times = objects.map(|object| {
        let half_m = f64::from(object.width_m).min(f64::from(object.length_m)) / 2.0;
        let moving = [object.x_m, object.y_m, object.velocity_x_mps, object.velocity_y_mps].map(f64::from);
        let [x_m, y_m, vx_mps, vy_mps] = moving;
        time_to_collision_s((speed_mps, REACH_M, HALF_WIDTH_M), (x_m, y_m, vx_mps, vy_mps), half_m)
    });
    times.fold(f64::INFINITY, f64::min)
}

/// The map of a drive, whole.
#[must_use]
pub fn map(network: &RoadNetwork) -> Attachment {
    Attachment {
        name: format!("{}.xodr", network.name()),
        media_type: "application/xml".to_owned(),
        data: network.xodr().to_owned().into(),
    }
}

/// The scenario of a simulated drive: with the map, all that is needed to drive it again.
#[must_use]
pub fn scenario(network: &RoadNetwork, world: &WorldConfig) -> Attachment {
    let text = serde_json::json!({
        "map": network.name(),
        "seed": world.seed,
        "traffic_per_km": world.traffic_per_km,
        "difficulties": world.difficulties,
        "difficulty_spacing_m": world.difficulty_spacing_m,
        "cruise_cap_mps": world.cruise_cap_mps,
        "target_length_m": world.target_length_m,
    });
    Attachment {
        name: "scenario.json".to_owned(),
        media_type: "application/json".to_owned(),
        data: text.to_string().into_bytes().into(),
    }
}

/// A camera's intrinsics at `at_ns`: a pinhole without distortion, focal length and centre in pixels.
#[must_use]
pub fn calibration(name: &str, spec: &CameraSpec, at_ns: u64) -> CameraCalibration {
    let (f, cx, cy) = (spec.focal_px(), spec.width as f64 / 2.0, spec.height as f64 / 2.0);
    CameraCalibration {
        timestamp: Some(crate::scribe::timestamp(at_ns)),
        frame_id: format!("camera_{name}"),
        width: spec.width as u32,
        height: spec.height as u32,
        distortion_model: "plumb_bob".to_owned(),
        d: vec![0.0; 5],
        k: vec![f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0],
        r: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p: vec![f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    }
}

/// Where the cameras sit, in the vehicle's frame: rotations by yaw and then by pitch; x along the optical axis.
#[must_use]
pub fn mounting(cameras: &[(&str, CameraSpec)], at_ns: u64) -> FrameTransforms {
    let transform = |(name, spec): &(&str, CameraSpec)| {
        let ((sy, cy), (sp, cp)) = ((spec.yaw_rad / 2.0).sin_cos(), (-spec.pitch_rad / 2.0).sin_cos());
        FrameTransform {
            timestamp: Some(crate::scribe::timestamp(at_ns)),
            parent_frame_id: "vehicle".to_owned(),
            child_frame_id: format!("camera_{name}"),
            translation: Some(Vector3 { x: spec.forward_m, y: 0.0, z: spec.height_m }),
            rotation: Some(Quaternion { x: -sy * sp, y: cy * sp, z: sy * cp, w: cy * cp }),
        }
    };
    FrameTransforms { transforms: cameras.iter().map(transform).collect() }
}
