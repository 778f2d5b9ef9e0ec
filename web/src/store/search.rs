//! Which episodes somebody looks for.

use super::sql::Sql;
use crate::check;
use crate::reply::{ApiError, ApiResult};
use protocol::api::Verdict;
use protocol::{EpisodeId, PolicyVersion, SeatId, VehicleId};
use serde::Deserialize;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;
/// One degree of latitude, metres, on a sphere of the Earth's mean radius.
const METRES_PER_DEGREE: f64 = 111_195.08;
/// Longest radius: beyond it a degree of longitude differs too much within the circle.
const MAX_RADIUS_M: f64 = 100_000.0;
/// What the free text is looked for in.
const TEXTS: &str = "LOWER(id || ' ' || vehicle || ' ' || cause || ' ' || map || ' ' || policy || ' ' || \
                     COALESCE(reason, '') || ' ' || COALESCE(opened_by, '') || ' ' || COALESCE(weather, '') || ' ' || \
                     COALESCE(software, '') || ' ' || COALESCE(verdict_note, ''))";

/// All filters hold together; those that are absent let everything pass. Newest stored first.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// At most this many, 1 to 1000; 100 when absent.
    pub limit: Option<u32>,
    /// Only rows stored before the one with this id: the last id of the page before.
    pub before: Option<EpisodeId>,
    /// Policy in force when it began.
    pub policy: Option<PolicyVersion>,
    /// Cause of the takeover.
    pub cause: Option<String>,
    /// The vehicle that it belongs to.
    pub vehicle: Option<VehicleId>,
    /// A seat that held the vehicle.
    pub seat: Option<SeatId>,
    /// Road network.
    pub map: Option<String>,
    /// Weather.
    pub weather: Option<String>,
    /// Version of the software, whole.
    pub software: Option<String>,
    /// One of [`Verdict::WORDS`], or `none` for those that nobody has looked at.
    pub verdict: Option<String>,
    /// What opened it.
    pub trigger: Option<String>,
    /// Started at this time or later, milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Started before this time.
    pub to_ms: Option<i64>,
    /// Somewhere in its texts, upper or lower case.
    pub text: Option<String>,
    /// `X,Y,X,Y`: two corners in the road network's coordinates, metres.
    pub area: Option<String>,
    /// `SOUTH,WEST,NORTH,EAST` in degrees; west may be greater than east.
    pub bbox: Option<String>,
    /// `LATITUDE,LONGITUDE,RADIUS` in degrees and metres.
    pub near: Option<String>,
}

/// A limit that was asked for, or the usual one.
pub fn limit(asked: Option<u32>) -> ApiResult<i64> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(i64::from(limit)),
        limit => Err(ApiError::invalid(format!("limit: {limit} is not valid: use 1 to {MAX_LIMIT}"))),
    }
}

impl Search {
    /// Adds the conditions, the order and the limit to a query on the episodes; `before` is the cursor's place.
    pub(super) fn filter(&self, query: &mut Sql, before: Option<i64>) -> ApiResult<()> {
        // PostgreSQL knows no character 0, and SQLite looks for no text beyond 50,000 bytes.
        for (field, value) in [
            ("cause", &self.cause),
            ("map", &self.map),
            ("weather", &self.weather),
            ("software", &self.software),
            ("trigger", &self.trigger),
            ("text", &self.text),
        ] {
            check::long_text(field, value.as_deref().unwrap_or_default())?;
        }
        query.push(" WHERE TRUE");
        if let Some(seq) = before {
            query.push(" AND seq < ").bind(seq);
        }
        for (column, value) in [
            (" AND policy = ", self.policy.as_ref().map(PolicyVersion::as_str)),
            (" AND cause = ", self.cause.as_deref()),
            (" AND vehicle = ", self.vehicle.as_ref().map(VehicleId::as_str)),
            (" AND map = ", self.map.as_deref()),
            (" AND weather = ", self.weather.as_deref()),
            (" AND software = ", self.software.as_deref()),
            (" AND opened_by = ", self.trigger.as_deref()),
        ] {
            if let Some(value) = value {
                query.push(column).bind(value);
            }
        }
        if let Some(seat) = &self.seat {
            query.push(" AND id IN (SELECT episode FROM episode_seats WHERE seat = ").bind(seat.as_str()).push(")");
        }
        if let Some(from_ms) = self.from_ms {
            query.push(" AND start_ms >= ").bind(from_ms);
        }
        if let Some(to_ms) = self.to_ms {
            query.push(" AND start_ms < ").bind(to_ms);
        }
        self.filter_verdict(query)?;
        self.filter_text(query);
        self.filter_place(query)?;
        query.push(" ORDER BY seq DESC LIMIT ").bind(limit(self.limit)?);
        Ok(())
    }

    fn filter_verdict(&self, query: &mut Sql) -> ApiResult<()> {
        match self.verdict.as_deref() {
            None => {}
            Some("none") => {
                query.push(" AND verdict IS NULL");
            }
            Some(word) if Verdict::WORDS.contains(&word) => {
                query.push(" AND verdict = ").bind(word);
            }
            Some(other) => {
                let words = Verdict::WORDS.join(", ");
                return Err(ApiError::invalid(format!("verdict: {other:?} is not valid: use one of {words}, none")));
            }
        }
        Ok(())
    }

    fn filter_text(&self, query: &mut Sql) {
        let Some(text) = self.text.as_deref().filter(|text| !text.is_empty()) else { return };
        let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        query.push(" AND ").push(TEXTS).push(" LIKE LOWER(").bind(&*format!("%{escaped}%")).push(") ESCAPE '\\'");
    }

    fn filter_place(&self, query: &mut Sql) -> ApiResult<()> {
        if let Some(text) = &self.area {
            let [x0, y0, x1, y1] = numbers("area", text, "X,Y,X,Y in metres")?;
            query.push(" AND x_m BETWEEN ").bind(x0.min(x1)).push(" AND ").bind(x0.max(x1));
            query.push(" AND y_m BETWEEN ").bind(y0.min(y1)).push(" AND ").bind(y0.max(y1));
        }
        if let Some(text) = &self.bbox {
            let [south, west, north, east] = numbers("bbox", text, "SOUTH,WEST,NORTH,EAST in degrees")?;
            on_earth("bbox", text, south, west)?;
            on_earth("bbox", text, north, east)?;
            query.push(" AND latitude_deg BETWEEN ").bind(south).push(" AND ").bind(north);
            let joint = if west <= east { " AND longitude_deg <= " } else { " OR longitude_deg <= " };
            query.push(" AND (longitude_deg >= ").bind(west).push(joint).bind(east).push(")");
        }
        if let Some(text) = &self.near {
            let [latitude, longitude, radius_m] = numbers("near", text, "LATITUDE,LONGITUDE,METRES")?;
            on_earth("near", text, latitude, longitude)?;
            if !(0.0..=MAX_RADIUS_M).contains(&radius_m) {
                return Err(ApiError::invalid(format!("near: {text:?} is not valid: the radius is 0 to 100000 m")));
            }
            within(query, latitude, longitude, radius_m);
        }
        Ok(())
    }
}

/// Within a circle on the Earth, taken as flat about its middle.
fn within(query: &mut Sql, latitude: f64, longitude: f64, radius_m: f64) {
    let across = latitude.to_radians().cos();
    query.push(" AND (latitude_deg - ").bind(latitude).push(") * (latitude_deg - ").bind(latitude).push(")");
    // The shorter way round.
    for sign in [" + ", " * "] {
        query.push(sign).push("(CASE WHEN ABS(longitude_deg - ").bind(longitude).push(") > 180 THEN 360 - ABS(");
        query.push("longitude_deg - ").bind(longitude).push(") ELSE ABS(longitude_deg - ").bind(longitude);
        query.push(") END) * ").bind(across);
    }
    let reach_deg = radius_m / METRES_PER_DEGREE;
    query.push(" <= ").bind(reach_deg * reach_deg);
}

fn numbers<const N: usize>(field: &str, text: &str, form: &str) -> ApiResult<[f64; N]> {
    let parsed: Vec<f64> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    let whole = text.split(',').count() == N && parsed.iter().all(|number: &f64| number.is_finite());
    match parsed.try_into() {
        Ok(numbers) if whole => Ok(numbers),
        _ => Err(ApiError::invalid(format!("{field}: {text:?} is not valid: use {form}"))),
    }
}

fn on_earth(field: &str, text: &str, latitude: f64, longitude: f64) -> ApiResult<()> {
    if latitude.abs() > 90.0 || longitude.abs() > 180.0 {
        let rule = "latitudes go from -90 to 90 and longitudes from -180 to 180";
        return Err(ApiError::invalid(format!("{field}: {text:?} is not valid: {rule}")));
    }
    Ok(())
}
