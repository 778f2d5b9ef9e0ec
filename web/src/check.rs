//! What a body must satisfy beyond its JSON types. Each error names the field and its value.

use crate::objects::is_sha256;
use crate::reply::{ApiError, ApiResult};
use crate::store::NOBODY;
use protocol::VehicleId;
use protocol::api::{
    Disengagement, Episode, Evaluation, Mileage, Policy, Trip, VehicleRegistration, VehicleStatus, Verdict,
};
use protocol::erasure::Asked;
use protocol::units::METRES_PER_MILE;
use protocol::v1::TakeoverCause;

/// Longest free text (map, software, embodiment), bytes.
const MAX_TEXT: usize = 128;
/// Longest text of several lines, bytes.
const MAX_LONG_TEXT: usize = 4096;
/// Most episodes of one erasure that names them.
const MAX_IDS: usize = 1000;
/// Most seats of one episode.
const MAX_SEATS: usize = 100;
/// Longest distance a single row may claim, metres: a thousand times round the Earth.
const MAX_METRES: f64 = 4e10;
/// Longest episode, seconds: what 64 bits of nanoseconds hold.
const MAX_DURATION_S: f64 = 2e10;
/// Fastest mean speed, m/s.
const MAX_SPEED_MPS: f64 = 1_000.0;
/// Most takeovers or episodes of one trip.
const MAX_ROWS: usize = 10_000;
/// Most reasons of refusals.
const MAX_REASONS: usize = 100;
/// How far a sender's own arithmetic for an interval may be off, relative.
const TOLERANCE: f64 = 1e-6;

fn refuse<T>(field: &str, value: impl std::fmt::Debug, rule: &str) -> ApiResult<T> {
    Err(ApiError::invalid(format!("{field}: {value:?} is not valid: {rule}")))
}

/// Short free text.
pub fn text(field: &str, value: &str) -> ApiResult<()> {
    if value.len() > MAX_TEXT || value.chars().any(char::is_control) {
        return refuse(field, value, "use up to 128 bytes without control characters");
    }
    Ok(())
}

fn amount(field: &str, value: f64, most: f64) -> ApiResult<()> {
    if !(value.is_finite() && (0.0..=most).contains(&value)) {
        return refuse(field, value, &format!("use a number from 0 to {most}"));
    }
    Ok(())
}

fn one_of(field: &str, value: &str, allowed: &[&str]) -> ApiResult<()> {
    if !allowed.contains(&value) {
        return refuse(field, value, &format!("use one of {}", allowed.join(", ")));
    }
    Ok(())
}

fn count(field: &str, value: u64) -> ApiResult<()> {
    if i64::try_from(value).is_err() {
        return refuse(field, value, "use a number below 2^63");
    }
    Ok(())
}

fn time(field: &str, value: i64) -> ApiResult<()> {
    if value < 0 {
        return refuse(field, value, "use milliseconds since 1970, not negative");
    }
    Ok(())
}

/// A hash as this program writes it.
pub fn sha256(field: &str, value: &str) -> ApiResult<()> {
    if !is_sha256(value) {
        return refuse(field, value, "use 64 lower-case hex digits");
    }
    Ok(())
}

fn cause(field: &str, value: &str) -> ApiResult<()> {
    let known = (0..).map_while(|code| TakeoverCause::try_from(code).ok()).map(TakeoverCause::label);
    one_of(field, value, &known.collect::<Vec<_>>())
}

/// The name of a file directly in the episodes folder: nothing that could leave it.
pub fn file_name(field: &str, value: &str) -> ApiResult<()> {
    let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if value.len() > MAX_TEXT || !plain || value.starts_with(['.', '-']) || !value.ends_with(".mcap") {
        return refuse(field, value, "use a plain file name of letters, digits, '-', '_' and '.' that ends in .mcap");
    }
    Ok(())
}

pub fn trip_id(value: &str) -> ApiResult<()> {
    if protocol::EpisodeId::new(value).is_err() {
        return refuse("id", value, "use 1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.', starting with a letter or digit");
    }
    Ok(())
}

pub fn registration(v: &VehicleRegistration) -> ApiResult<()> {
    vehicle(&v.vehicle)?;
    one_of("kind", &v.kind, &["live", "virtual"])?;
    text("embodiment", &v.embodiment)?;
    text("map", &v.map)?;
    text("software", &v.software)
}

pub fn mileage(m: &Mileage) -> ApiResult<()> {
    vehicle(&m.vehicle)?;
    amount("autonomous_m", m.autonomous_m, MAX_METRES)?;
    amount("manual_m", m.manual_m, MAX_METRES)
}

pub fn disengagement(d: &Disengagement) -> ApiResult<()> {
    vehicle(&d.vehicle)?;
    cause("cause", &d.cause)?;
    time("at_ms", d.at_ms)?;
    text("map", &d.map)
}

pub fn episode(e: &Episode) -> ApiResult<()> {
    vehicle(&e.vehicle)?;
    // What no takeover opened, such as an import, may have no cause.
    let is_takeover = e.trigger.as_deref().is_none_or(|trigger| trigger == "takeover");
    if is_takeover || !e.cause.is_empty() {
        cause("cause", &e.cause)?;
    }
    file_name("file", &e.file)?;
    count("bytes", e.bytes)?;
    sha256("sha256", &e.sha256)?;
    time("start_ms", e.start_ms)?;
    amount("duration_s", e.duration_s, MAX_DURATION_S)?;
    text("map", &e.map)?;
    known(e)
}

/// What earlier releases do not tell of an episode.
fn known(e: &Episode) -> ApiResult<()> {
    for (field, value) in [("trigger", &e.trigger), ("software", &e.software), ("weather", &e.weather)] {
        text(field, value.as_deref().unwrap_or_default())?;
    }
    long_text("reason", e.reason.as_deref().unwrap_or_default())?;
    if e.seats.len() > MAX_SEATS {
        return refuse("seats", e.seats.len(), "an episode names at most 100");
    }
    for (field, value, most) in [
        ("x_m", e.x_m, MAX_METRES),
        ("y_m", e.y_m, MAX_METRES),
        ("latitude_deg", e.latitude_deg, 90.0),
        ("longitude_deg", e.longitude_deg, 180.0),
    ] {
        if value.is_some_and(|value| !value.is_finite() || value.abs() > most) {
            return refuse(field, value, &format!("use a number from -{most} to {most}"));
        }
    }
    Ok(())
}

pub fn verdict(v: &Verdict) -> ApiResult<()> {
    one_of("verdict", &v.verdict, &Verdict::WORDS)?;
    filled("by", &v.by)?;
    long_text("note", &v.note)
}

pub fn erasure(asked: &Asked) -> ApiResult<()> {
    let selectors = [asked.vehicle.is_some(), asked.person.is_some(), !asked.ids.is_empty()];
    if selectors.iter().filter(|selector| **selector).count() != 1 {
        return Err(ApiError::invalid("name either a vehicle, a person or ids, and one of them only"));
    }
    if asked.ids.len() > MAX_IDS {
        return refuse("ids", asked.ids.len(), "name at most 1000 at a time");
    }
    filled("reason", &asked.reason)
}

/// Nobody takes the name under which erased takeovers are counted.
fn vehicle(id: &VehicleId) -> ApiResult<()> {
    if NOBODY.contains(&id.as_str()) {
        return refuse("vehicle", id.as_str(), "the name is taken by what was erased");
    }
    Ok(())
}

/// Short free text that must not be empty.
pub fn filled(field: &str, value: &str) -> ApiResult<()> {
    if value.trim().is_empty() {
        return refuse(field, value, "it must not be empty");
    }
    text(field, value)
}

/// Free text of people, lines and all.
pub fn long_text(field: &str, value: &str) -> ApiResult<()> {
    if value.len() > MAX_LONG_TEXT || value.contains('\0') {
        return refuse(field, value, "use up to 4096 bytes without the character 0");
    }
    Ok(())
}

pub fn policy(p: &Policy) -> ApiResult<()> {
    if p.version.as_str() == "latest" {
        return refuse("version", p.version.as_str(), "the name is taken by /api/v1/policies/latest");
    }
    if p.parent.as_ref() == Some(&p.version) {
        return refuse("parent", p.version.as_str(), "a version cannot be its own parent");
    }
    one_of("status", &p.status, &["published", "refused"])?;
    if let Some(withdrawn) = &p.withdrawn {
        return refuse("withdrawn", &withdrawn.reason, "publish the version, then POST .../withdraw");
    }
    sha256("sha256", &p.sha256)?;
    count("episodes", p.episodes)?;
    count("frames", p.frames)
}

/// Whatever follows from the counts must be as [`protocol::mpd`] derives it: nobody posts rosier figures.
pub fn evaluation(e: &Evaluation) -> ApiResult<()> {
    text("road", &e.road)?;
    amount("miles", e.miles, MAX_METRES / METRES_PER_MILE)?;
    let counts = [
        ("takeovers", Some(e.takeovers)),
        ("necessary", e.necessary),
        ("crashes", Some(e.crashes)),
        ("near_misses", Some(e.near_misses)),
        ("help_requests", Some(e.help_requests)),
        ("trips", Some(e.trips)),
        ("completed", Some(e.completed)),
    ];
    counts.into_iter().try_for_each(|(field, value)| count(field, value.unwrap_or_default()))?;
    if e.necessary.is_some_and(|necessary| necessary > e.takeovers) || e.completed > e.trips {
        let parts = (e.necessary, e.takeovers, e.completed, e.trips);
        return refuse("necessary, takeovers, completed, trips", parts, "a part is not more than the whole");
    }
    let speeds = [("mean_speed_mps", e.mean_speed_mps), ("free_speed_share", e.free_speed_share)];
    speeds.into_iter().try_for_each(|(field, value)| amount(field, value, MAX_SPEED_MPS))?;
    amount("score", e.score, 1.0)?;
    if e.domains.len() > MAX_ROWS || e.events.len() > MAX_ROWS {
        return refuse("domains, events", (e.domains.len(), e.events.len()), "use at most 10000 of each");
    }
    for text in e.events.iter().chain(&e.trained_on).chain(&e.gated_on).chain(e.domains.iter().map(|d| &d.domain)) {
        self::text("events, trained_on, gated_on, domains", text)?;
    }
    derived(e, &e.clone().derived())
}

/// Whether the derived figures are right, but for the last digits.
fn derived(e: &Evaluation, right: &Evaluation) -> ApiResult<()> {
    let near = |a: f64, b: f64| a.is_finite() && (a - b).abs() <= TOLERANCE * b.abs().max(1e-9);
    let figures = |e: &Evaluation| {
        [
            ("mpd", Some(e.mpd)),
            ("mpd_low", Some(e.mpd_low)),
            ("mpd_high", e.mpd_high),
            ("necessary_mpd", e.necessary_mpd),
            ("necessary_mpd_low", e.necessary_mpd_low),
            ("necessary_mpd_high", e.necessary_mpd_high),
            ("crashes_per_100_miles", e.crashes_per_100_miles),
            ("crashes_per_100_miles_low", e.crashes_per_100_miles_low),
            ("crashes_per_100_miles_high", e.crashes_per_100_miles_high),
            ("near_misses_per_100_miles", e.near_misses_per_100_miles),
            ("near_misses_per_100_miles_low", e.near_misses_per_100_miles_low),
            ("near_misses_per_100_miles_high", e.near_misses_per_100_miles_high),
            ("help_requests_per_100_miles", e.help_requests_per_100_miles),
            ("help_requests_per_100_miles_low", e.help_requests_per_100_miles_low),
            ("help_requests_per_100_miles_high", e.help_requests_per_100_miles_high),
            ("completion", Some(e.completion)),
            ("completion_low", Some(e.completion_low)),
            ("completion_high", Some(e.completion_high)),
        ]
    };
    for ((field, posted), (_, right)) in figures(e).into_iter().zip(figures(right)) {
        let is_right = match (posted, right) {
            (Some(posted), Some(right)) => near(posted, right),
            (posted, right) => posted == right,
        };
        if !is_right {
            return refuse(field, posted, &format!("the counts of the row give {right:?}"));
        }
    }
    Ok(())
}

pub fn trip(t: &Trip) -> ApiResult<()> {
    vehicle(&t.vehicle)?;
    trip_id(&t.id)?;
    amount("autonomous_m", t.autonomous_m, MAX_METRES)?;
    amount("manual_m", t.manual_m, MAX_METRES)?;
    for (field, rows) in [("disengagements", t.disengagements.len()), ("episodes", t.episodes.len())] {
        if rows > MAX_ROWS {
            return refuse(field, rows, "a trip holds at most 10000");
        }
    }
    for (i, d) in t.disengagements.iter().enumerate() {
        within(&format!("disengagements[{i}]"), disengagement(d))?;
        if d.vehicle != t.vehicle || d.policy != t.policy {
            let whose = format!("{} with {}", d.vehicle, d.policy);
            return refuse(&format!("disengagements[{i}]"), whose, "it must be of the trip's vehicle and policy");
        }
    }
    for (i, e) in t.episodes.iter().enumerate() {
        within(&format!("episodes[{i}]"), episode(e))?;
        if e.vehicle != t.vehicle {
            return refuse(&format!("episodes[{i}].vehicle"), e.vehicle.as_str(), "it must be the trip's vehicle");
        }
    }
    Ok(())
}

fn within(place: &str, result: ApiResult<()>) -> ApiResult<()> {
    result.map_err(|e| match e {
        ApiError::Client(status, text) => ApiError::Client(status, format!("{place}.{text}")),
        other => other,
    })
}

pub fn status(s: &VehicleStatus) -> ApiResult<()> {
    use protocol::v1::{Author, Mode};
    let modes = (0..).map_while(|code| Mode::try_from(code).ok()).map(Mode::label);
    one_of("mode", &s.mode, &modes.collect::<Vec<_>>())?;
    let authors = (0..).map_while(|code| Author::try_from(code).ok()).map(Author::label);
    one_of("author", &s.author, &authors.collect::<Vec<_>>())?;
    if !s.speed_mps.is_finite() {
        return refuse("speed_mps", s.speed_mps, "use a number");
    }
    if s.refused.len() > MAX_REASONS {
        return refuse("refused", s.refused.len(), "use up to 100 reasons");
    }
    let plain =
        |reason: &&String| reason.len() <= MAX_TEXT && reason.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if let Some(odd) = s.refused.keys().find(|reason| !plain(reason)) {
        return refuse("refused", odd, "use a-z and '_'");
    }
    if let Some(t) = &s.timing {
        for figure in [t.lateness_p50_us, t.lateness_p99_us, t.lateness_max_us, t.work_max_us] {
            amount("timing", figure, 1e12)?;
        }
    }
    if let Some(u) = &s.upload {
        count("upload.episodes", u.episodes)?;
        count("upload.bytes", u.bytes)?;
        amount("upload.rate_bps", u.rate_bps, 1e15)?;
        amount("upload.limit_bps", u.limit_bps.unwrap_or(0.0), 1e15)?;
    }
    let clock = s.clock.unwrap_or_default();
    for (field, difference) in [("clock.control_plane", clock.control_plane), ("clock.seat", clock.seat)] {
        if let Some(d) = difference {
            amount(field, d.ahead_ms.abs(), 3.2e15)?;
            amount(field, d.uncertainty_ms, 3.2e15)?;
        }
    }
    s.round_trip_ms.map_or(Ok(()), |rtt| amount("round_trip_ms", rtt, 1e9))
}
