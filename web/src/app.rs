//! The routes and what surrounds each of them.

use crate::live::Live;
use crate::reply::ApiError;
use crate::retention::Retention;
use crate::routes::{
    episodes, erasures, files, fleet, geofences, metrics, pages, policies, retention, seats, signalling, trips,
    uploads, vehicles,
};
use crate::signal::{Hub, IceConfig};
use crate::store::Store;
use crate::uploads::Uploads;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CONNECTION, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};
use protocol::signing::SigningKey;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// Largest body, bytes.
const MAX_BODY: usize = 1024 * 1024;
/// Largest trip, bytes: it carries many rows.
const MAX_TRIP: usize = 16 * 1024 * 1024;
/// Pages load nothing from elsewhere and sit in no foreign frame.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; object-src 'none'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What every handler may use.
pub struct App {
    pub store: Store,
    pub hub: Hub,
    pub ice: IceConfig,
    pub live: Live,
    pub data_dir: PathBuf,
    pub uploads: Arc<Uploads>,
    /// Whether uploaded episodes appear in the episodes folder by their names, too.
    pub by_name: bool,
    /// Signs proofs of erasures and orders to vehicles; the key of grants.
    pub key: SigningKey,
    /// Held while episodes are removed.
    pub removing: tokio::sync::Mutex<()>,
    /// How long episodes are kept.
    pub retention: Option<Retention>,
    pub stop: watch::Receiver<bool>,
    pub requests: Requests,
}

/// Requests answered, by the first digit of the status.
#[derive(Debug, Default)]
pub struct Requests([AtomicU64; 6]);

impl Requests {
    fn count(&self, status: StatusCode) {
        if let Some(class) = self.0.get(usize::from(status.as_u16() / 100)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// `(first digit, requests)` of the classes that HTTP knows.
    pub fn classes(&self) -> impl Iterator<Item = (usize, u64)> {
        self.0.iter().enumerate().skip(1).map(|(class, count)| (class, count.load(Ordering::Relaxed)))
    }
}

/// Shared by all handlers.
pub type Shared = State<Arc<App>>;

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/vehicles", post(vehicles::register).get(vehicles::list))
        .route("/vehicles/{vehicle}/geofence", put(geofences::set).get(geofences::find))
        .route("/vehicles/{vehicle}/geofence/remove", post(geofences::remove))
        .route("/status", post(vehicles::status))
        .route("/mileage", post(vehicles::mileage))
        .route("/disengagements", post(episodes::post_disengagement).get(episodes::list_disengagements))
        .route("/takeovers", get(episodes::takeovers))
        .route("/episodes", post(episodes::post).get(episodes::list))
        .route("/episodes/{id}", get(episodes::find))
        .route("/episodes/{id}/file", get(files::episode))
        .route("/episodes/{id}/verdict", put(episodes::judge))
        .route("/episodes/{id}/{kind}", get(files::of_episode))
        .route("/erasures", post(erasures::post).get(erasures::list))
        .route("/retention", post(retention::run).get(retention::rules))
        .route("/removals", get(retention::removals))
        .route("/uploads", post(uploads::begin))
        .route("/uploads/{sha256}", patch(uploads::append))
        .route("/policies", post(policies::publish).get(policies::list))
        .route("/policies/latest", get(policies::latest))
        .route("/policies/{version}", get(policies::find))
        .route("/policies/{version}/withdraw", post(policies::withdraw))
        .route("/policies/{version}/restore", post(policies::restore))
        .route("/policies/{version}/{file}", get(files::policy))
        .route("/evaluations", post(policies::evaluate).get(policies::evaluations))
        .route("/report", get(policies::report))
        .route("/trips", post(trips::post).layer(DefaultBodyLimit::max(MAX_TRIP)))
        .route("/trips/{id}", get(trips::find))
        .route("/fleet", get(fleet::fleet))
        .route("/seats/revoked", get(seats::revoked))
        .route("/seats/{seat}/revoke", post(seats::revoke))
        .route("/seats/{seat}/allow", post(seats::allow))
        .route("/signal", get(signalling::connect))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    Router::new()
        .nest("/api/v1", api)
        .route("/healthz", get(fleet::health))
        .route("/metrics", get(metrics::metrics))
        .route("/", get(pages::dashboard))
        .route("/episodes.html", get(pages::episodes))
        .route("/vehicle.html", get(pages::vehicle))
        .route("/seat.html", get(pages::seat))
        .route("/static/{file}", get(pages::file))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(app.clone(), surround))
        .with_state(app)
}

async fn unknown(uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        return ApiError::not_found(format!("there is no {}", uri.path())).into_response();
    }
    (StatusCode::NOT_FOUND, "There is no such page. The dashboard is at /\n").into_response()
}

async fn wrong_method(request: Request) -> ApiError {
    let text = format!("{} does not work with {}", request.method(), request.uri().path());
    ApiError::Client(StatusCode::METHOD_NOT_ALLOWED, text)
}

async fn surround(State(app): Shared, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    app.requests.count(response.status());
    let unread_body = response.status() == StatusCode::PAYLOAD_TOO_LARGE;
    let headers = response.headers_mut();
    if unread_body {
        // The rest of the body is still on its way, so the connection cannot carry another request.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}
