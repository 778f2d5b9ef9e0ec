use crate::app::{App, Shared};
use crate::reply::ApiResult;
use crate::store::Counts;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use protocol::api::Fleet;
use protocol::units::METRES_PER_MILE;
use std::fmt::Write;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// OpenMetrics text. No vehicle, seat or session is named.
pub async fn metrics(State(app): Shared) -> ApiResult<Response> {
    let text = exposition(&app, &app.store.fleet().await?, app.store.counts().await?);
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

struct Exposition(String);

impl Exposition {
    /// One family. `kind` is `counter` or `gauge`; samples are `(labels, value)`.
    fn family(&mut self, name: &str, kind: &str, help: &str, samples: &[(String, f64)]) {
        let suffix = if kind == "counter" { "_total" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# TYPE {name} {kind}\n# HELP {name} {help}");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "{name}{suffix}{labels} {value}");
        }
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help, &[(String::new(), value as f64)]);
    }
}

fn exposition(app: &App, fleet: &Fleet, counts: Counts) -> String {
    let mut out = Exposition(String::new());
    let authority = |kind: &str, author: &str| format!("{{kind=\"{kind}\",authority=\"{author}\"}}");
    let metres: Vec<_> = fleet
        .totals
        .iter()
        .flat_map(|t| {
            [
                (authority(&t.kind, "policy"), t.driven.miles * METRES_PER_MILE),
                (authority(&t.kind, "other"), t.manual_miles * METRES_PER_MILE),
            ]
        })
        .collect();
    out.family("takeover_distance_meters", "counter", "Distance driven, by authority.", &metres);
    let causes: Vec<_> = fleet
        .by_cause
        .iter()
        .map(|c| (format!("{{kind=\"{}\",cause=\"{}\"}}", c.kind, c.cause), c.disengagements as f64))
        .collect();
    out.family("takeover_disengagements", "counter", "Takeovers, by cause.", &causes);
    out.one("takeover_episodes", "counter", "Finished episodes.", counts.episodes);
    out.one("takeover_episodes_bytes", "gauge", "Size of all finished episodes.", counts.episode_bytes);
    out.one("takeover_upload_bytes", "counter", "Bytes of uploads received.", app.uploads.received());
    out.one("takeover_uploads", "gauge", "Uploads under way.", app.uploads.under_way());
    out.one("takeover_trips", "counter", "Finished trips.", counts.trips);
    let versions = [
        ("{status=\"published\"}".into(), counts.published as f64),
        ("{status=\"refused\"}".into(), counts.refused as f64),
    ];
    out.family("takeover_policies", "gauge", "Policy versions.", &versions);
    let signal = app.hub.counts();
    let peers =
        [("{kind=\"vehicle\"}".into(), signal.vehicles as f64), ("{kind=\"seat\"}".into(), signal.seats as f64)];
    out.family("takeover_signalling_peers", "gauge", "Peers connected to signalling.", &peers);
    out.one("takeover_signalling_forwarded", "counter", "Signalling messages handed over.", signal.forwarded);
    out.one("takeover_signalling_refused", "counter", "Signalling messages refused.", signal.refused);
    let vehicles = app.live.totals();
    out.one(
        "takeover_control_missed_deadlines",
        "gauge",
        "Control ticks of all vehicles, since they started, that ended after the next was due.",
        vehicles.missed_deadlines,
    );
    let late_s = vehicles.lateness_max_us * 1e-6;
    out.family(
        "takeover_control_lateness_max_seconds",
        "gauge",
        "Latest control tick of any vehicle in its last second.",
        &[(String::new(), late_s)],
    );
    let refused: Vec<_> =
        vehicles.refused.iter().map(|(reason, n)| (format!("{{reason=\"{reason}\"}}"), *n as f64)).collect();
    out.family("takeover_messages_refused", "gauge", "Seats' messages that vehicles did not act on.", &refused);
    let classes: Vec<_> =
        app.requests.classes().map(|(class, n)| (format!("{{class=\"{class}xx\"}}"), n as f64)).collect();
    out.family("takeover_http_requests", "counter", "Requests answered, by class of status.", &classes);
    out.0.push_str("# EOF\n");
    out.0
}
