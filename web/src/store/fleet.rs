use super::row::{Columns, FromRow};
use super::{Store, unsigned};
use crate::reply::ApiResult;
use protocol::PolicyVersion;
use protocol::api::{CauseCount, Fleet, FleetRow, FleetTotal, MilesPerDisengagement};
use protocol::units;
use sqlx::Row;
use sqlx::any::AnyRow;

/// How many rows there are, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub episodes: u64,
    pub episode_bytes: u64,
    pub published: u64,
    pub refused: u64,
    pub trips: u64,
}

struct Exposure {
    kind: String,
    policy: PolicyVersion,
    autonomous_m: f64,
    manual_m: f64,
    takeovers: u64,
}

impl Store {
    /// Distance and takeovers over everything driven.
    pub async fn fleet(&self) -> ApiResult<Fleet> {
        let rows = self.exposure().await?;
        let mut totals = Vec::with_capacity(2);
        for kind in ["live", "virtual"] {
            let vehicles: i64 =
                sqlx::query_scalar("SELECT COUNT(*) FROM vehicles WHERE kind = $1 AND id <> 'erased-' || $1")
                    .bind(kind)
                    .fetch_one(&self.readers)
                    .await?;
            totals.push(total(kind, unsigned(vehicles), &rows));
        }
        let by_policy = rows.into_iter().map(fleet_row).collect();
        Ok(Fleet { totals, by_policy, by_cause: self.causes().await? })
    }

    async fn exposure(&self) -> ApiResult<Vec<Exposure>> {
        let rows = sqlx::query(include_str!("exposure.sql")).fetch_all(&self.readers).await?;
        Ok(Exposure::from_rows(&rows)?)
    }

    async fn causes(&self) -> ApiResult<Vec<CauseCount>> {
        let rows = sqlx::query(
            "SELECT v.kind AS kind, d.cause AS cause, COUNT(*) AS takeovers FROM disengagements d JOIN vehicles v ON v.id = d.vehicle
             GROUP BY v.kind, d.cause ORDER BY v.kind, d.cause",
        )
        .fetch_all(&self.readers)
        .await?;
        Ok(CauseCount::from_rows(&rows)?)
    }

    pub async fn counts(&self) -> ApiResult<Counts> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM episodes) AS episodes,
               (SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM episodes) AS episode_bytes,
               (SELECT COUNT(*) FROM policies WHERE status = 'published') AS published,
               (SELECT COUNT(*) FROM policies WHERE status = 'refused') AS refused,
               (SELECT COUNT(*) FROM trips) AS trips",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(Counts::from_row(&row)?)
    }
}

impl FromRow for Exposure {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            kind: row.try_get("kind")?,
            policy: row.parsed("policy")?,
            autonomous_m: row.try_get("autonomous_m")?,
            manual_m: row.try_get("manual_m")?,
            takeovers: row.count("takeovers")?,
        })
    }
}

impl FromRow for CauseCount {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self { kind: row.try_get("kind")?, cause: row.try_get("cause")?, disengagements: row.count("takeovers")? })
    }
}

impl FromRow for Counts {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            episodes: row.count("episodes")?,
            episode_bytes: row.count("episode_bytes")?,
            published: row.count("published")?,
            refused: row.count("refused")?,
            trips: row.count("trips")?,
        })
    }
}

fn total(kind: &str, vehicles: u64, rows: &[Exposure]) -> FleetTotal {
    let of_kind = || rows.iter().filter(|row| row.kind == kind);
    // Not `sum`: that of nothing is -0.
    let metres = of_kind().fold(0.0, |sum, row| sum + row.autonomous_m);
    let manual = of_kind().fold(0.0, |sum, row| sum + row.manual_m);
    FleetTotal {
        kind: kind.to_owned(),
        vehicles,
        manual_miles: units::miles(manual),
        driven: MilesPerDisengagement::new(metres, of_kind().map(|row| row.takeovers).sum()),
    }
}

fn fleet_row(row: Exposure) -> FleetRow {
    FleetRow {
        kind: row.kind,
        policy: row.policy,
        manual_miles: units::miles(row.manual_m),
        driven: MilesPerDisengagement::new(row.autonomous_m, row.takeovers),
    }
}
