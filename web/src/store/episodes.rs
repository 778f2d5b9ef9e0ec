use super::row::{Columns, FromRow, bad};
use super::search::{self, Search};
use super::sql::Sql;
use super::{Store, files, now_ms, signed, vehicles};
use crate::check;
use crate::reply::{ApiError, ApiResult};
use protocol::api::{Disengagement, Episode, EpisodeView, TakeoverView, Verdict};
use protocol::{EpisodeId, PolicyVersion, SeatId, VehicleId};
use serde::Deserialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// Which rows of a list, newest first.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// At most this many, 1 to 1000; 100 when absent.
    pub limit: Option<u32>,
    /// Only rows stored before the one with this id: the last id of the page before.
    pub before: Option<EpisodeId>,
    /// Only this policy.
    pub policy: Option<PolicyVersion>,
    /// Only this cause.
    pub cause: Option<String>,
    /// Only this vehicle.
    pub vehicle: Option<VehicleId>,
}

/// A column for each field of an [`EpisodeView`].
const EPISODE: &str = "SELECT id, vehicle, policy, cause, file, bytes, sha256, start_ms, duration_s, map, opened_by,
    reason, software, weather, x_m, y_m, latitude_deg, longitude_deg, verdict, verdict_by, verdict_note, verdict_ms,
    (SELECT string_agg(s.seat, ',') FROM (SELECT seat FROM episode_seats WHERE episode = episodes.id ORDER BY seat) AS s)
    AS seats, CASE WHEN preview_video IS NULL THEN 0 ELSE 1 END AS has_preview FROM episodes";

pub(super) async fn insert_disengagement(tx: &mut AnyConnection, d: &Disengagement) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO disengagements (id, vehicle, policy, cause, at_ms, map, stored_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
    )
    .bind(d.id.as_str())
    .bind(d.vehicle.as_str())
    .bind(d.policy.as_str())
    .bind(&d.cause)
    .bind(d.at_control_plane_ms())
    .bind(&d.map)
    .bind(now_ms())
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn insert_episode(tx: &mut AnyConnection, e: &Episode) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO episodes (id, vehicle, policy, cause, file, bytes, sha256, start_ms, duration_s, map, stored_ms,
           opened_by, reason, software, weather, x_m, y_m, latitude_deg, longitude_deg)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(e.id.as_str())
    .bind(e.vehicle.as_str())
    .bind(e.policy.as_str())
    .bind(&e.cause)
    .bind(&e.file)
    .bind(signed(e.bytes))
    .bind(&e.sha256)
    .bind(e.start_control_plane_ms())
    .bind(e.duration_s)
    .bind(&e.map)
    .bind(now_ms())
    .bind(&e.trigger)
    .bind(&e.reason)
    .bind(&e.software)
    .bind(&e.weather)
    .bind(e.x_m)
    .bind(e.y_m)
    .bind(e.latitude_deg)
    .bind(e.longitude_deg)
    // The driver takes an absent f64 for an f32: a statement that it kept would expect one from then on.
    .persistent(false)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    for seat in &e.seats {
        sqlx::query("INSERT INTO episode_seats (episode, seat) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(e.id.as_str())
            .bind(seat.as_str())
            .execute(&mut *tx)
            .await?;
    }
    Ok(true)
}

impl Store {
    /// Whether it is new.
    pub async fn disengagement(&self, d: &Disengagement) -> ApiResult<bool> {
        let mut tx = self.write().await?;
        vehicles::mention(&mut tx, &d.vehicle, "live").await?;
        if self.is_erased(&mut tx, &d.id).await? {
            return Ok(false);
        }
        let mut is_new = insert_disengagement(&mut tx, d).await?;
        if is_new && self.is_of_erased_time(&mut tx, d).await? {
            self.sever_late(&mut tx, &d.id).await?;
            is_new = false;
        }
        tx.commit().await?;
        Ok(is_new)
    }

    /// Whether it is new.
    pub async fn episode(&self, e: &Episode) -> ApiResult<bool> {
        let mut tx = self.write().await?;
        vehicles::mention(&mut tx, &e.vehicle, "live").await?;
        self.refuse_erased(&mut tx, e).await?;
        if self.was_removed(&mut tx, &e.id).await? {
            return Ok(false);
        }
        let is_new = insert_episode(&mut tx, e).await?;
        if is_new {
            files::complete(&mut tx, &e.id).await?;
        }
        tx.commit().await?;
        Ok(is_new)
    }

    pub async fn disengagements(&self, page: &Page) -> ApiResult<Vec<Disengagement>> {
        check::long_text("cause", page.cause.as_deref().unwrap_or_default())?;
        let before = self.cursor("SELECT seq FROM disengagements WHERE id = $1", page.before.as_ref()).await?;
        let mut query = Sql::new(
            "SELECT id, vehicle, policy, cause, at_ms, map FROM disengagements
             WHERE vehicle NOT IN ('erased-live', 'erased-virtual')",
        );
        if let Some(seq) = before {
            query.push(" AND seq < ").bind(seq);
        }
        for (column, value) in [
            (" AND policy = ", page.policy.as_ref().map(PolicyVersion::as_str)),
            (" AND cause = ", page.cause.as_deref()),
            (" AND vehicle = ", page.vehicle.as_ref().map(VehicleId::as_str)),
        ] {
            if let Some(value) = value {
                query.push(column).bind(value);
            }
        }
        query.push(" ORDER BY seq DESC LIMIT ").bind(search::limit(page.limit)?);
        Ok(Disengagement::from_rows(&query.fetch_all(&self.readers).await?)?)
    }

    /// Newest first.
    pub async fn episodes(&self, search: &Search) -> ApiResult<Vec<EpisodeView>> {
        let before = self.cursor("SELECT seq FROM episodes WHERE id = $1", search.before.as_ref()).await?;
        let mut query = Sql::new(EPISODE);
        search.filter(&mut query, before)?;
        Ok(EpisodeView::from_rows(&query.fetch_all(&self.readers).await?)?)
    }

    async fn cursor(&self, sql: &'static str, before: Option<&EpisodeId>) -> ApiResult<Option<i64>> {
        let Some(id) = before else { return Ok(None) };
        let seq = sqlx::query_scalar(sql).bind(id.as_str()).fetch_optional(&self.readers).await?;
        seq.map(Some)
            .ok_or_else(|| ApiError::invalid(format!("before: {:?} is not valid: there is no such row", id.as_str())))
    }

    pub async fn find_episode(&self, id: &EpisodeId) -> ApiResult<Option<EpisodeView>> {
        let mut query = Sql::new(EPISODE);
        query.push(" WHERE id = ").bind(id.as_str());
        Ok(query.fetch_all(&self.readers).await?.first().map(EpisodeView::from_row).transpose()?)
    }

    /// Puts down what a reviewer says; the last word counts. Whether there is such an episode.
    pub async fn judge(&self, id: &EpisodeId, v: &Verdict) -> ApiResult<bool> {
        let mut tx = self.write().await?;
        let done = sqlx::query(
            "UPDATE episodes SET verdict = $2, verdict_by = $3, verdict_note = $4, verdict_ms = $5 WHERE id = $1",
        )
        .bind(id.as_str())
        .bind(&v.verdict)
        .bind(&v.by)
        .bind(&v.note)
        .bind(v.at_ms)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// The latest takeovers with their episodes, newest first. Either half may still be missing; imports are none.
    pub async fn takeovers(&self, page: &Page) -> ApiResult<Vec<TakeoverView>> {
        let rows = sqlx::query(
            "WITH latest (id) AS (
               SELECT id FROM (SELECT id FROM disengagements WHERE vehicle NOT IN ('erased-live', 'erased-virtual')
                               ORDER BY seq DESC LIMIT $1) AS a
               UNION SELECT id FROM (SELECT id FROM episodes WHERE COALESCE(opened_by, '') <> 'import'
                                     ORDER BY seq DESC LIMIT $1) AS b
             )
             SELECT l.id AS id, COALESCE(d.vehicle, e.vehicle) AS vehicle, v.kind AS kind,
               COALESCE(d.policy, e.policy) AS policy, COALESCE(d.cause, e.cause) AS cause,
               COALESCE(d.at_ms, e.start_ms) AS at_ms, COALESCE(d.map, e.map) AS map,
               CASE WHEN d.id IS NULL THEN 0 ELSE 1 END AS counted, e.duration_s AS duration_s, e.bytes AS bytes
             FROM latest l LEFT JOIN disengagements d ON d.id = l.id LEFT JOIN episodes e ON e.id = l.id
             JOIN vehicles v ON v.id = COALESCE(d.vehicle, e.vehicle)
             ORDER BY COALESCE(d.stored_ms, e.stored_ms) DESC, COALESCE(d.seq, e.seq) DESC, l.id LIMIT $1",
        )
        .bind(search::limit(page.limit)?)
        .fetch_all(&self.readers)
        .await?;
        Ok(TakeoverView::from_rows(&rows)?)
    }
}

impl FromRow for Disengagement {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            vehicle: row.parsed("vehicle")?,
            policy: row.parsed("policy")?,
            cause: row.try_get("cause")?,
            at_ms: row.try_get("at_ms")?,
            map: row.try_get("map")?,
            clock_ahead_ms: None,
        })
    }
}

impl FromRow for EpisodeView {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            episode: Episode {
                id: row.parsed("id")?,
                vehicle: row.parsed("vehicle")?,
                policy: row.parsed("policy")?,
                cause: row.try_get("cause")?,
                file: row.try_get("file")?,
                bytes: row.count("bytes")?,
                sha256: row.try_get("sha256")?,
                start_ms: row.try_get("start_ms")?,
                duration_s: row.try_get("duration_s")?,
                map: row.try_get("map")?,
                trigger: row.try_get("opened_by")?,
                reason: row.try_get("reason")?,
                software: row.try_get("software")?,
                weather: row.try_get("weather")?,
                seats: seats(row)?,
                x_m: row.try_get("x_m")?,
                y_m: row.try_get("y_m")?,
                latitude_deg: row.try_get("latitude_deg")?,
                longitude_deg: row.try_get("longitude_deg")?,
                clock_ahead_ms: None,
            },
            verdict: verdict(row)?,
            preview: row.try_get::<i64, _>("has_preview")? != 0,
        })
    }
}

/// Names of seats hold no comma.
fn seats(row: &AnyRow) -> sqlx::Result<Vec<SeatId>> {
    let listed: Option<String> = row.try_get("seats")?;
    let names = listed.as_deref().unwrap_or_default().split(',').filter(|name| !name.is_empty());
    names.map(|name| SeatId::new(name).map_err(|cause| bad("seats", cause))).collect()
}

fn verdict(row: &AnyRow) -> sqlx::Result<Option<Verdict>> {
    let Some(verdict) = row.try_get("verdict")? else { return Ok(None) };
    Ok(Some(Verdict {
        verdict,
        by: row.try_get::<Option<_>, _>("verdict_by")?.unwrap_or_default(),
        note: row.try_get::<Option<_>, _>("verdict_note")?.unwrap_or_default(),
        at_ms: row.try_get::<Option<_>, _>("verdict_ms")?.unwrap_or_default(),
    }))
}

impl FromRow for TakeoverView {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            vehicle: row.parsed("vehicle")?,
            kind: row.try_get("kind")?,
            policy: row.parsed("policy")?,
            cause: row.try_get("cause")?,
            at_ms: row.try_get("at_ms")?,
            map: row.try_get("map")?,
            counted: row.try_get::<i64, _>("counted")? != 0,
            duration_s: row.try_get("duration_s")?,
            bytes: row.optional("bytes", AnyRow::count)?,
            preview: false,
        })
    }
}
