//! From episode files to a policy that drives.

#![allow(clippy::unwrap_used)]

mod road;

use closed_loop::virtual_drive::Recording;
use policy::{FEATURES, MAX_CHANNELS, Policy};
use protocol::{Embodiment, EpisodeId, PolicyVersion};
use sim::road::RoadNetwork;
use sim::scenario_event::ScenarioEvent;
use std::path::PathBuf;
use std::sync::Arc;
use trainer::comparison::{GateBudget, compare};
use trainer::figures::rows;
use trainer::fleet::FleetPlan;
use trainer::flywheel::Progress;
use trainer::gate::GateDecision;
use trainer::policy_seat::PolicySeat;
use trainer::seeds::SeedPurpose;
use trainer::{
    Dataset, Frame, FrameLabel, PRE_TAKEOVER_FRAMES, Split, TrainConfig, TrainError, TrainedNet, Weighting,
    episode_files, manifest_of, publish, quantize, train,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn version(text: &str) -> PolicyVersion {
    PolicyVersion::new(text).unwrap()
}

fn distrust_untrained(seed: u64, steps: usize) -> TrainConfig {
    let weighting = Weighting { distrusted: vec![version("v0")], ..Weighting::default() };
    TrainConfig { seed, steps, weighting, ..TrainConfig::default() }
}

fn recorded(episodes: u64) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..episodes {
        road::episode(folder.path(), seed, 4.0, 40.0);
    }
    let files = episode_files(folder.path()).unwrap();
    assert_eq!(files.len(), episodes as usize);
    (folder, files)
}

#[test]
fn a_policy_trained_on_takeovers_drives_where_the_untrained_one_leaves_the_lane() {
    let car = Embodiment::ackermann_car();
    let (_folder, files) = recorded(24);
    let mut dataset = Dataset::new(&car);
    dataset.add(&files, &|_, _| ()).unwrap();
    let config = distrust_untrained(1, 2_500);
    let trained = train(&dataset, &config, None, &mut |p| println!("{p:?}")).unwrap();
    let quantized = quantize(&trained, &dataset).unwrap();
    println!("{:?}\n{:?} f32 {} us", trained.validation, quantized.agreement(), quantized.f32_microseconds);
    let manifest = manifest_of(version("v1"), Some(version("v0")), &dataset, &trained, &quantized);
    let out = tempfile::tempdir().unwrap();
    publish(out.path(), &car, manifest, quantized.network).unwrap();
    let mut policy = Policy::load(&out.path().join("v1")).unwrap();
    assert_eq!(policy.manifest().episodes.len(), 24);

    let mut untrained = Policy::untrained(&car, version("v0"), 1).unwrap();
    let (mut good, mut bad) = (0.0, 0.0);
    for seed in 1_000..1_010 {
        let (seconds, worst) = road::drive(&mut policy, seed, 60.0);
        println!("seed {seed}: {seconds:.1} s, greatest offset {worst:.2} m");
        good += seconds;
        bad += road::drive(&mut untrained, seed, 60.0).0;
    }
    println!("trained {good:.0} s, untrained {bad:.0} s");
    assert!(good > 500.0 && bad < 120.0, "trained {good:.0} s, untrained {bad:.0} s of 600");
}

#[test]
fn the_same_seed_and_data_give_the_same_bytes_in_any_order_of_reading() {
    let car = Embodiment::ackermann_car();
    let (_folder, mut files) = recorded(4);
    let make = |files: &[PathBuf], seed| {
        let mut dataset = Dataset::new(&car);
        for file in files {
            dataset.add(std::slice::from_ref(file), &|_, _| ()).unwrap();
        }
        let trained = train(&dataset, &distrust_untrained(seed, 60), None, &mut |_| ()).unwrap();
        let quantized = quantize(&trained, &dataset).unwrap();
        let manifest = manifest_of(version("v1"), None, &dataset, &trained, &quantized);
        let out = tempfile::tempdir().unwrap();
        publish(out.path(), &car, manifest, quantized.network).unwrap();
        std::fs::read(out.path().join("v1/manifest.json")).unwrap()
    };
    let first = make(&files, 7);
    files.reverse();
    assert!(first == make(&files, 7));
    assert!(first != make(&files, 8));
}

#[test]
fn frames_of_a_recorded_takeover_have_the_labels_of_the_scheme() {
    let car = Embodiment::ackermann_car();
    let (_folder, files) = recorded(3);
    let mut dataset = Dataset::new(&car);
    dataset.add(&files, &|done, total| assert!(done <= total)).unwrap();
    let [rollout, pre, demonstration, takeover] = dataset.label_counts();
    // 4 s of policy and 36 s of driver at 10 Hz, three times.
    assert_eq!((rollout, pre, demonstration), (3 * 25, 3 * PRE_TAKEOVER_FRAMES, 0));
    assert_eq!(takeover, 3 * 360);
    for (_, episode) in dataset.episodes() {
        assert_eq!(episode.sha256.len(), 64);
        let perturbed = episode.frames.iter().filter(|f| f.perturbed).count();
        assert!(perturbed > 500, "{perturbed}");
        assert!(episode.frames.iter().all(|f| !f.perturbed || f.label == FrameLabel::Takeover));
        let asked = episode.frames.iter().filter(|f| f.help == Some(true)).count();
        assert_eq!(asked, 30);
    }
}

#[test]
fn a_known_law_is_learnt_from_its_examples() {
    let car = Embodiment::ackermann_car();
    let mut dataset = Dataset::new(&car);
    let mut state = 0x1234_5678u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    for episode in 0..20 {
        let mut frames = Vec::new();
        for i in 0..400u64 {
            let features: [f32; FEATURES] = std::array::from_fn(|_| random());
            let mut target = [0.0; MAX_CHANNELS];
            target[0] = (1.5 * features[3] - features[40]).clamp(-0.8, 0.8);
            target[1] = 0.7 * features[9] + 0.3 * features[100] * features[101].max(0.0);
            let help = Some(features[20] > 0.5);
            frames.push(Frame {
                time_ns: i,
                monotonic_us: i,
                odometer_m: 0.0,
                features,
                target,
                label: FrameLabel::Demonstration,
                help,
                perturbed: false,
            });
        }
        dataset.insert(EpisodeId::new(format!("e{episode}")).unwrap(), version("v0"), String::new(), frames);
    }
    let config = TrainConfig { steps: 3_000, ..TrainConfig::default() };
    let trained = train(&dataset, &config, None, &mut |_| ()).unwrap();
    println!("{:?}", trained.validation);
    // Answering nothing at all has a loss of about 0.2.
    assert!(trained.validation.loss < 0.03, "{:?}", trained.validation);
    assert!(trained.validation.recall_at_5_percent > 0.9 && trained.validation.calibration_error < 0.08);
    // Goes on from there: no worse after few steps with a low rate.
    let net = trained.network.with_kinds([policy::LayerKind::Q8_0; 2]).unwrap();
    let parent = Policy::new(&car, policy::Manifest::new(version("v1"), None, 0), net).unwrap();
    let again = TrainConfig { steps: 100, learning_rate: 1e-4, ..config };
    let child = train(&dataset, &again, Some(&parent), &mut |_| ()).unwrap();
    let scratch = train(&dataset, &again, None, &mut |_| ()).unwrap();
    let best = |net: &TrainedNet| net.curve.iter().map(|p| p.validation).fold(f64::INFINITY, f64::min);
    println!("parent {:.4}, child {:.4}, from scratch {:.4}", best(&trained), best(&child), best(&scratch));
    assert!(best(&child) < 1.1 * best(&trained) && best(&scratch) > 2.0 * best(&child));
}

#[test]
fn what_cannot_be_learnt_from_is_said() {
    let car = Embodiment::ackermann_car();
    let mut dataset = Dataset::new(&car);
    let none = train(&dataset, &TrainConfig::default(), None, &mut |_| ());
    assert!(matches!(none, Err(TrainError::NoFrames { episodes: 0 })));
    let config = TrainConfig { learning_rate: f64::NAN, ..TrainConfig::default() };
    assert!(train(&dataset, &config, None, &mut |_| ()).err().unwrap().to_string().contains("learning_rate is NaN"));
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("x.mcap");
    std::fs::write(&wrong, b"no episode").unwrap();
    let error = dataset.add(&episode_files(folder.path()).unwrap(), &|_, _| ()).unwrap_err().to_string();
    assert!(error.contains("x.mcap"), "{error}");
    assert!(episode_files(&folder.path().join("missing")).is_err());
    assert_eq!(dataset.frames(Split::Train).len(), 0);
}

struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: &str) {}
    fn end(&self) {}
}

fn fleet(purpose: SeedPurpose, trips: usize) -> FleetPlan {
    let road = |name: &str| Arc::new(RoadNetwork::built_in(name).unwrap());
    FleetPlan {
        name: "test".into(),
        roads: vec![road("soderleden"), road("fabriksgatan")],
        seed: 3,
        purpose,
        events: ScenarioEvent::ALL.to_vec(),
        trips,
        route_m: 600.0,
        max_time_s: 60.0,
        recording: Recording::Off,
        assists: false,
        turn: None,
        necessity: None,
    }
}

#[test]
fn operator_and_reference_in_the_policys_seat_get_farther_than_who_has_learnt_nothing() {
    let car = Embodiment::ackermann_car();
    let plan = fleet(SeedPurpose::Report, 6);
    let of = |seat: &PolicySeat| {
        let reports = plan.drive(seat, |_| ()).unwrap();
        let rows = rows(seat, &plan, &reports);
        println!("{:#?}", rows[2]);
        let [soderleden, fabriksgatan, all] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!([&soderleden.road, &fabriksgatan.road, &all.road], ["soderleden", "fabriksgatan", "all"]);
        assert!((soderleden.miles + fabriksgatan.miles - all.miles).abs() < 1e-9);
        assert_eq!(soderleden.takeovers + fabriksgatan.takeovers, all.takeovers);
        assert_eq!(all.domains.iter().map(|domain| domain.takeovers).sum::<u64>(), all.takeovers);
        let bounds =
            [(all.score, all.score_low, all.score_high), (all.completion, all.completion_low, all.completion_high)];
        assert!(bounds.iter().all(|(value, low, high)| low <= value && value <= high), "{all:?}");
        assert_eq!(*all, all.clone().derived(), "what follows from the counts");
        (rows, reports)
    };
    let untrained: PolicySeat = Policy::untrained(&car, version("v0"), 1).unwrap().into();
    let (nothing, _) = of(&untrained);
    for seat in [PolicySeat::operator(&car).unwrap(), PolicySeat::reference(&car).unwrap()] {
        let (rows, reports) = of(&seat);
        let (all, nothing) = (&rows[2], &nothing[2]);
        assert!(all.mpd > 10.0 * nothing.mpd && all.score > 0.5, "{all:?}");
        assert!(all.mean_speed_mps > 5.0 && all.free_speed_share > 0.5, "{all:?}");
        assert_eq!((all.role.label(), all.training_seed), (seat.policy.manifest().version.as_str(), None));
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one_thread.install(|| plan.drive(&seat, |_| ()).unwrap()), reports, "whatever the number of cores");
    }
}

#[test]
fn the_gate_ships_who_drives_better_and_nobody_else() {
    let car = Embodiment::ackermann_car();
    let plan = fleet(SeedPurpose::Gate, 0);
    let untrained = |seed| PolicySeat::from(Policy::untrained(&car, version(&format!("random-{seed}")), seed).unwrap());
    let reference = PolicySeat::reference(&car).unwrap();
    let budget = GateBudget { error: 0.05, core_minutes: 0.4 };
    let ask = |against: &PolicySeat, candidates: &[PolicySeat]| {
        compare(&plan, against, candidates, &budget, &Silent).unwrap()
    };
    let report = ask(&untrained(1), &[untrained(2), reference.clone()]);
    assert_eq!(
        (report.decision, report.ships.as_ref().map(PolicyVersion::as_str)),
        (GateDecision::Ship, Some("reference"))
    );
    assert!(report.pairs < report.budget_pairs && report.against.trips == report.candidates[1].trips, "{report:?}");
    assert_eq!(report, ask(&untrained(1), &[untrained(2), reference.clone()]), "the same seed, the same decision");
    assert_eq!(ask(&reference, &[untrained(1), untrained(2)]).decision, GateDecision::Refuse);
    // Against itself every pair cancels.
    let same = ask(&reference, std::slice::from_ref(&reference));
    assert_eq!((same.decision, same.looks[0].z[0]), (GateDecision::Inconclusive, Some(0.0)));
}
