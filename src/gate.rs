//! `takeover gate`: whether a candidate is better than its predecessor, without a flywheel around it.

use crate::demo::Bars;
use crate::output::end_on_interrupt;
use crate::road::{RoadReport, distinct};
use crate::seat_choice::policy_seat;
use closed_loop::virtual_drive::Recording;
use protocol::Embodiment;
use sim::scenario_event::ScenarioEvent;
use std::path::PathBuf;
use trainer::comparison::{GateBudget, GateReport, GateSide, compare};
use trainer::fleet::FleetPlan;
use trainer::flywheel::Progress;
use trainer::gate::{CandidateState, GateDecision};
use trainer::seeds::SeedPurpose;

/// Drives candidates and their predecessor on the same trips in virtual time until a sequential test has decided whether a
/// candidate is better (ship), all are worse (refuse), or the budget is spent (inconclusive, which ships nothing).
///
/// Several candidates, such as trainings of one data set with several seeds, share the error: the choice among them is paid
/// for. The same options give the same decision on any machine.
#[derive(Debug, Clone, clap::Args)]
pub struct GateArgs {
    /// Folder of a candidate, "operator" or "reference"; several candidates may be given.
    #[arg(long, required = true, num_args = 1.., value_name = "FOLDER")]
    pub candidate: Vec<PathBuf>,
    /// Folder of the predecessor, "operator" or "reference".
    #[arg(long, value_name = "FOLDER")]
    pub against: PathBuf,
    /// What the robot is made of: a built-in embodiment or a TOML file; without it, what the policies say.
    #[arg(long, value_name = "NAME|FILE", value_parser = crate::embodiment::named_or_file)]
    pub embodiment: Option<Embodiment>,
    /// Road networks: OpenDRIVE files or built-in names.
    #[arg(long, num_args = 1.., default_values_t = ["soderleden".to_owned(), "fabriksgatan".to_owned()])]
    pub road: Vec<String>,
    /// Seed of traffic, events and routes; none of its trips is one of training or of a report.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Chance at most that a candidate ships when none is better.
    #[arg(long, default_value_t = GateBudget::default().error)]
    pub error: f64,
    /// Budget, minutes of one core; it is counted in virtual time at 500 seconds a second, so that it holds as many trips on any
    /// machine.
    #[arg(long, default_value_t = GateBudget::default().core_minutes, value_parser = minutes)]
    pub budget: f64,
    /// Longest virtual time of a trip, seconds.
    #[arg(long, default_value_t = 150.0, value_parser = vehicle_bridge::cli::seconds)]
    pub trip_s: f64,
    /// Print the decision and its evidence as JSON.
    #[arg(long)]
    pub json: bool,
}

/// The longest budget: a core's week.
const MOST_MINUTES: f64 = 7.0 * 24.0 * 60.0;

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(minutes) if minutes > 0.0 && minutes <= MOST_MINUTES => Ok(minutes),
        _ => Err(format!("give minutes above 0 and up to {MOST_MINUTES}, such as 20")),
    }
}

/// Decides and prints.
///
/// # Errors
/// When a road or a policy cannot be used, or the settings decide nothing.
pub fn run(args: &GateArgs) -> anyhow::Result<()> {
    let robot = args.embodiment.as_ref();
    let against = policy_seat(&args.against, robot)?;
    let robot = Some(robot.unwrap_or(against.policy.embodiment()));
    let candidates = args.candidate.iter().map(|path| policy_seat(path, robot)).collect::<Result<Vec<_>, _>>()?;
    let plan = FleetPlan {
        name: "gate".into(),
        roads: distinct(&args.road, RoadReport::Short)?,
        seed: args.seed,
        purpose: SeedPurpose::Gate,
        events: ScenarioEvent::ALL.to_vec(),
        trips: 0,
        route_m: 1_500.0,
        max_time_s: args.trip_s,
        recording: Recording::Off,
        assists: false,
        turn: None,
        necessity: None,
    };
    let budget = GateBudget { error: args.error, core_minutes: args.budget };
    end_on_interrupt(|| "")?;
    let bars = Bars::default();
    bars.begin("comparing", (budget.pairs(plan.max_time_s, candidates.len()) * (candidates.len() + 1)) as u64);
    let report = compare(&plan, &against, &candidates, &budget, &bars);
    bars.end();
    let report = report?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        say!("{}", text(&report))?;
    }
    Ok(())
}

/// The report for people.
#[must_use]
pub fn text(report: &GateReport) -> String {
    let decision = match (report.decision, &report.ships) {
        (GateDecision::Ship, Some(version)) => format!("ship {version}"),
        (GateDecision::Ship, None) => "ship".to_owned(),
        (GateDecision::Refuse, _) => "refuse: worse than the predecessor".to_owned(),
        (GateDecision::Inconclusive, _) => "inconclusive: the predecessor stays".to_owned(),
    };
    let mut text = format!(
        "{decision} (error at most {:.0} %), after {} of at most {} pairs of trips on {}\n",
        report.error * 100.0,
        report.pairs,
        report.budget_pairs,
        report.roads.join(", ")
    );
    let last = |index: usize| report.looks.iter().rev().find_map(|look| Some((look.z.get(index)?.as_ref()?, look)));
    for (index, side) in report.candidates.iter().enumerate() {
        let statistic = last(index).map(|(z, look)| format!("z {z:.2}, boundary {:.2}", look.boundary));
        text += &line(side, &statistic.unwrap_or_default());
    }
    text + &line(&report.against, "")
}

fn line(side: &GateSide, statistic: &str) -> String {
    let state = match side.state {
        None => "in use",
        Some(CandidateState::Open) => "open",
        Some(CandidateState::Better) => "better",
        Some(CandidateState::Worse) => "worse",
        Some(CandidateState::GivenUp) => "given up",
    };
    let high = side.mpd_high.map_or("open".to_owned(), |high| format!("{high:.3}"));
    let line = format!(
        "  {:<12} {state:<8} {:>8.2} miles {:>6} takeovers  MPD {:.3} ({:.3} to {high}), {} crashes  {statistic}",
        side.policy.as_str(),
        side.miles,
        side.takeovers,
        side.mpd,
        side.mpd_low,
        side.crashes
    );
    line.trim_end().to_owned() + "\n"
}
