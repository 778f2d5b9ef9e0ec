//! The policy's thread: a policy that hangs or dawdles delays no control tick. Its silence starts the manoeuvre.

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use policy::{Observation, Policy, PolicyError};
use protocol::v1::{Surroundings, VehicleState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use vehicle_core::{InferenceResult, Sensors};

struct InferenceRequest {
    state: VehicleState,
    surroundings: Arc<Surroundings>,
}

/// The control thread's end. Nothing here waits.
pub(super) struct PolicyRunner {
    requests: Sender<InferenceRequest>,
    answers: Receiver<(InferenceResult, Duration)>,
    policies: Sender<Policy>,
    asked: Option<u64>,
    /// Time that the newest answer took, microseconds.
    pub(super) inference_us: f64,
    /// Looks that found the policy still busy with an earlier one.
    pub(super) skipped: u64,
}

/// A second instance of a policy: the core keeps the one whose manifest people see, the thread the one that runs.
pub(super) fn copy(policy: &Policy) -> Result<Policy, PolicyError> {
    Policy::new(policy.embodiment(), policy.manifest().clone(), policy.network().clone())
}

impl PolicyRunner {
    /// Starts the thread; it ends with this. While `hang` is set it answers nothing.
    pub(super) fn start(policy: Policy, hang: Arc<AtomicBool>) -> Self {
        // One request waits at most: an older one is of no use.
        let (requests, asked) = bounded(1);
        let (answers_in, answers) = unbounded();
        let (policies, new_policies) = unbounded();
        super::spawn("policy", move || run_policy(policy, &asked, &answers_in, &new_policies, &hang));
        Self { requests, answers, policies, asked: None, inference_us: 0.0, skipped: 0 }
    }

    /// Puts another policy into use.
    pub(super) fn take(&self, policy: Policy) {
        let _ = self.policies.send(policy);
    }

    /// Asks when the surroundings are new, and returns the newest result, if there is one.
    pub(super) fn turn(&mut self, sensors: &Sensors) -> Option<InferenceResult> {
        let fresh = sensors.surroundings.as_ref().filter(|s| Some(s.monotonic_us) != self.asked);
        if let Some(surroundings) = fresh {
            self.asked = Some(surroundings.monotonic_us);
            let request = InferenceRequest { state: sensors.state.clone(), surroundings: Arc::clone(surroundings) };
            self.skipped += u64::from(self.requests.try_send(request).is_err());
        }
        let (inference, took) = self.answers.try_iter().last()?;
        self.inference_us = took.as_micros() as f64;
        Some(inference)
    }
}

fn run_policy(
    mut policy: Policy,
    requests: &Receiver<InferenceRequest>,
    answers: &Sender<(InferenceResult, Duration)>,
    policies: &Receiver<Policy>,
    hang: &AtomicBool,
) {
    while let Ok(InferenceRequest { state, surroundings }) = requests.recv() {
        while hang.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        if let Some(newest) = policies.try_iter().last() {
            policy = newest;
        }
        let started = Instant::now();
        let inference = InferenceResult::of(&mut policy, &Observation { state: &state, surroundings: &surroundings });
        if answers.send((inference, started.elapsed())).is_err() {
            return;
        }
    }
}
