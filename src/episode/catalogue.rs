//! Asking the control plane's catalogue of episodes.

use super::print_json;
use control_plane_client::{ControlPlaneArgs, ControlPlaneClient, Retry};
use protocol::api::{EpisodeView, Verdict};
use protocol::{EpisodeId, PolicyVersion, SeatId, VehicleId};
use std::process::ExitCode;

/// Most rows of one answer.
const PAGE: usize = 1000;

/// A client for a command that is given once.
pub fn client(args: &ControlPlaneArgs) -> anyhow::Result<ControlPlaneClient> {
    Ok(ControlPlaneClient::new(&args.address()?, Retry::Briefly))
}

/// All filters hold together.
#[derive(Debug, Clone, clap::Args)]
pub struct SearchArgs {
    #[command(flatten)]
    control_plane: ControlPlaneArgs,
    /// Road network.
    #[arg(long)]
    map: Option<String>,
    /// Two corners in the road network's coordinates, metres.
    #[arg(long, value_name = "X,Y,X,Y", allow_hyphen_values = true)]
    area: Option<String>,
    /// Degrees on the Earth, for episodes with a position.
    #[arg(long, value_name = "SOUTH,WEST,NORTH,EAST", allow_hyphen_values = true)]
    bbox: Option<String>,
    /// Degrees and metres, for episodes with a position.
    #[arg(long, value_name = "LATITUDE,LONGITUDE,RADIUS", allow_hyphen_values = true)]
    near: Option<String>,
    /// Cause of the takeover, such as safety or stuck.
    #[arg(long)]
    cause: Option<String>,
    /// What opened it, such as takeover or hard_brake.
    #[arg(long)]
    trigger: Option<String>,
    /// Weather: clear, rain or heavy_rain.
    #[arg(long)]
    weather: Option<String>,
    /// Policy version in force when it began.
    #[arg(long)]
    policy: Option<PolicyVersion>,
    /// Version of the software, whole.
    #[arg(long)]
    software: Option<String>,
    /// What a reviewer said: useful, discard, needs-review; none for nobody.
    #[arg(long)]
    verdict: Option<String>,
    /// Vehicle.
    #[arg(long)]
    vehicle: Option<VehicleId>,
    /// A seat that held the vehicle.
    #[arg(long)]
    seat: Option<SeatId>,
    /// Began at this time (UTC) or later.
    #[arg(long, value_name = "YYYY-MM-DD[THH:MM:SS]", value_parser = time_ms)]
    from: Option<i64>,
    /// Began before this time.
    #[arg(long, value_name = "YYYY-MM-DD[THH:MM:SS]", value_parser = time_ms)]
    to: Option<i64>,
    /// Somewhere in its texts.
    #[arg(long)]
    text: Option<String>,
    /// At most so many, newest first.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

impl SearchArgs {
    fn query(&self) -> Vec<(&'static str, String)> {
        let pairs = [
            ("map", self.map.clone()),
            ("area", self.area.clone()),
            ("bbox", self.bbox.clone()),
            ("near", self.near.clone()),
            ("cause", self.cause.clone()),
            ("trigger", self.trigger.clone()),
            ("weather", self.weather.clone()),
            ("policy", self.policy.as_ref().map(ToString::to_string)),
            ("software", self.software.clone()),
            ("verdict", self.verdict.clone()),
            ("vehicle", self.vehicle.as_ref().map(ToString::to_string)),
            ("seat", self.seat.as_ref().map(ToString::to_string)),
            ("from_ms", self.from.as_ref().map(ToString::to_string)),
            ("to_ms", self.to.as_ref().map(ToString::to_string)),
            ("text", self.text.clone()),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Lists what is found.
pub fn search(args: &SearchArgs, json: bool) -> anyhow::Result<ExitCode> {
    let client = client(&args.control_plane)?;
    let mut found: Vec<EpisodeView> = Vec::new();
    while found.len() < args.limit {
        let mut query = args.query();
        query.push(("limit", (args.limit - found.len()).min(PAGE).to_string()));
        query.extend(found.last().map(|last| ("before", last.episode.id.to_string())));
        let page = client.episodes(&query)?;
        let is_last = page.len() < PAGE;
        found.extend(page);
        if is_last {
            break;
        }
    }
    if json {
        return print_json(&found);
    }
    for EpisodeView { episode, verdict, .. } in &found {
        say!(
            "{:32} {}  {:>7.1} s  {:12} {:10} {:14} {:10} {:12} {}",
            episode.id.as_str(),
            utc(episode.start_ms),
            episode.duration_s,
            episode.vehicle.as_str(),
            episode.policy.as_str(),
            if episode.cause.is_empty() { episode.trigger.as_deref().unwrap_or("-") } else { &episode.cause },
            episode.weather.as_deref().unwrap_or("-"),
            verdict.as_ref().map_or("-", |verdict| verdict.verdict.as_str()),
            episode.map,
        )?;
    }
    say!("{} found", found.len())?;
    Ok(ExitCode::SUCCESS)
}

/// What a reviewer says.
#[derive(Debug, Clone, clap::Args)]
pub struct VerdictArgs {
    #[command(flatten)]
    control_plane: ControlPlaneArgs,
    /// Which episode.
    id: EpisodeId,
    /// Learn from it, throw it away, or have somebody else look.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(Verdict::WORDS))]
    verdict: String,
    /// Who says so.
    #[arg(long, env = "USER")]
    by: String,
    /// The reason, in words.
    #[arg(long, default_value = "")]
    note: String,
}

/// Puts it down.
pub fn verdict(args: &VerdictArgs, json: bool) -> anyhow::Result<ExitCode> {
    let verdict = Verdict { verdict: args.verdict.clone(), by: args.by.clone(), note: args.note.clone(), at_ms: 0 };
    let kept = client(&args.control_plane)?.judge(&args.id, &verdict)?;
    if json {
        return print_json(&kept);
    }
    say!("{}: {} by {}", args.id, kept.verdict, kept.by)?;
    Ok(ExitCode::SUCCESS)
}

const DAY_MS: i64 = 86_400_000;

/// Days from 1970 to a date of the Gregorian calendar (Hinnant, days_from_civil).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// `2026-01-31` or `2026-01-31T12:30:00` in milliseconds since 1970.
fn time_ms(text: &str) -> Result<i64, String> {
    let bad = || format!("{text:?} is not a time: use YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS (UTC)");
    let (date, clock) = text.trim_end_matches('Z').split_once('T').unwrap_or((text, "00:00:00"));
    let numbers = |text: &str, separator: char| -> Option<[i64; 3]> {
        let parts: Vec<i64> = text.split(separator).map(str::parse).collect::<Result<_, _>>().ok()?;
        parts.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-').ok_or_else(bad)?;
    let [hour, minute, second] = numbers(clock, ':').ok_or_else(bad)?;
    let usual = [(year, 9999), (month, 12), (day, 31), (hour, 23), (minute, 59), (second, 59)];
    if usual.iter().any(|(value, most)| !(0..=*most).contains(value)) {
        return Err(bad());
    }
    let at = days(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000;
    // A date that there is comes back as it was written.
    let written = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
    if utc(at) == written { Ok(at) } else { Err(bad()) }
}

/// Milliseconds since 1970 for people (Hinnant, civil_from_days).
pub fn utc(at_ms: i64) -> String {
    let z = at_ms.div_euclid(DAY_MS) + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let second = at_ms.rem_euclid(DAY_MS) / 1000;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        assert_eq!(time_ms("1970-01-01"), Ok(0));
        assert_eq!(time_ms("2026-11-29T02:20:07Z"), Ok(1_795_918_807_000));
        assert_eq!(time_ms("2024-02-29"), Ok(1_709_164_800_000));
        assert_eq!(utc(1_709_164_800_000), "2024-02-29 00:00:00");
        for bad in ["2025-02-29", "2026-13-01", "2026-01-01T24:00:00", "now", "2026-01", "99999999999-01-01", ""] {
            assert!(time_ms(bad).unwrap_err().contains(&format!("{bad:?}")));
        }
    }
}
