use super::search::{self, Search};
use super::sql::Sql;
use super::{Store, files, now_ms, signed, unsigned, vehicles};
use crate::api::TakeoverView;
use crate::check;
use crate::reply::{ApiError, ApiResult};
use protocol::api::{Disengagement, Episode, EpisodeView, Verdict};
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

/// A column for each field of an [`EpisodeView`], in the order of [`episode`].
const EPISODE: &str = "SELECT id, vehicle, policy, cause, file, bytes, sha256, start_ms, duration_s, map, opened_by,
    reason, software, weather, x_m, y_m, latitude_deg, longitude_deg, verdict, verdict_by, verdict_note, verdict_ms,
    (SELECT string_agg(s.seat, ',') FROM (SELECT seat FROM episode_seats WHERE episode = episodes.id ORDER BY seat) AS s),
    CASE WHEN preview_video IS NULL THEN 0 ELSE 1 END FROM episodes";

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
        query.fetch_all(&self.readers).await?.iter().map(disengagement).collect()
    }

    /// Newest first.
    pub async fn episodes(&self, search: &Search) -> ApiResult<Vec<EpisodeView>> {
        let before = self.cursor("SELECT seq FROM episodes WHERE id = $1", search.before.as_ref()).await?;
        let mut query = Sql::new(EPISODE);
        search.filter(&mut query, before)?;
        query.fetch_all(&self.readers).await?.iter().map(episode).collect()
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
        query.fetch_all(&self.readers).await?.first().map(episode).transpose()
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
             SELECT l.id, COALESCE(d.vehicle, e.vehicle), v.kind, COALESCE(d.policy, e.policy),
               COALESCE(d.cause, e.cause), COALESCE(d.at_ms, e.start_ms), COALESCE(d.map, e.map),
               CASE WHEN d.id IS NULL THEN 0 ELSE 1 END,
               e.duration_s, e.bytes
             FROM latest l LEFT JOIN disengagements d ON d.id = l.id LEFT JOIN episodes e ON e.id = l.id
             JOIN vehicles v ON v.id = COALESCE(d.vehicle, e.vehicle)
             ORDER BY COALESCE(d.stored_ms, e.stored_ms) DESC, COALESCE(d.seq, e.seq) DESC, l.id LIMIT $1",
        )
        .bind(search::limit(page.limit)?)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(takeover).collect()
    }
}

fn disengagement(row: &AnyRow) -> ApiResult<Disengagement> {
    Ok(Disengagement {
        id: EpisodeId::new(row.try_get::<String, _>(0)?)?,
        vehicle: VehicleId::new(row.try_get::<String, _>(1)?)?,
        policy: PolicyVersion::new(row.try_get::<String, _>(2)?)?,
        cause: row.try_get(3)?,
        at_ms: row.try_get(4)?,
        map: row.try_get(5)?,
        clock_ahead_ms: None,
    })
}

pub(super) fn episode(row: &AnyRow) -> ApiResult<EpisodeView> {
    let seats: Option<String> = row.try_get(22)?;
    let seats = seats.as_deref().unwrap_or_default().split(',').filter(|seat| !seat.is_empty());
    Ok(EpisodeView {
        episode: Episode {
            id: EpisodeId::new(row.try_get::<String, _>(0)?)?,
            vehicle: VehicleId::new(row.try_get::<String, _>(1)?)?,
            policy: PolicyVersion::new(row.try_get::<String, _>(2)?)?,
            cause: row.try_get(3)?,
            file: row.try_get(4)?,
            bytes: unsigned(row.try_get(5)?),
            sha256: row.try_get(6)?,
            start_ms: row.try_get(7)?,
            duration_s: row.try_get(8)?,
            map: row.try_get(9)?,
            trigger: row.try_get(10)?,
            reason: row.try_get(11)?,
            software: row.try_get(12)?,
            weather: row.try_get(13)?,
            seats: seats.map(SeatId::new).collect::<Result<_, _>>()?,
            x_m: row.try_get(14)?,
            y_m: row.try_get(15)?,
            latitude_deg: row.try_get(16)?,
            longitude_deg: row.try_get(17)?,
            clock_ahead_ms: None,
        },
        verdict: verdict(row)?,
        preview: row.try_get::<i64, _>(23)? != 0,
    })
}

fn verdict(row: &AnyRow) -> ApiResult<Option<Verdict>> {
    let Some(verdict) = row.try_get(18)? else { return Ok(None) };
    Ok(Some(Verdict {
        verdict,
        by: row.try_get::<Option<_>, _>(19)?.unwrap_or_default(),
        note: row.try_get::<Option<_>, _>(20)?.unwrap_or_default(),
        at_ms: row.try_get::<Option<_>, _>(21)?.unwrap_or_default(),
    }))
}

fn takeover(row: &AnyRow) -> ApiResult<TakeoverView> {
    Ok(TakeoverView {
        id: EpisodeId::new(row.try_get::<String, _>(0)?)?,
        vehicle: VehicleId::new(row.try_get::<String, _>(1)?)?,
        kind: row.try_get(2)?,
        policy: PolicyVersion::new(row.try_get::<String, _>(3)?)?,
        cause: row.try_get(4)?,
        at_ms: row.try_get(5)?,
        map: row.try_get(6)?,
        counted: row.try_get::<i64, _>(7)? != 0,
        duration_s: row.try_get(8)?,
        bytes: row.try_get::<Option<i64>, _>(9)?.map(unsigned),
        preview: false,
    })
}
