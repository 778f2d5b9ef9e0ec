//! The pages for people: plain files, embedded, no build step.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use protocol::api::Verdict;
use protocol::v1::{Author, Mode, Reason, TakeoverCause};
use protocol::{Channel, Embodiment, Failure};
use std::sync::LazyLock;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

fn page(kind: &'static str, text: &str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text.to_owned()).into_response()
}

/// The fleet at a glance.
pub async fn dashboard() -> Response {
    page(HTML, include_str!("../../static/index.html"))
}

/// One vehicle's camera.
pub async fn vehicle() -> Response {
    page(HTML, include_str!("../../static/vehicle.html"))
}

/// The catalogue of episodes.
pub async fn episodes() -> Response {
    page(HTML, include_str!("../../static/episodes.html"))
}

/// A seat that drives.
pub async fn seat() -> Response {
    // Isolated from other sites' pages, the browser gives this one a clock of microseconds instead of tenths of
    // milliseconds.
    let isolated = [("cross-origin-opener-policy", "same-origin"), ("cross-origin-embedder-policy", "require-corp")];
    (isolated, page(HTML, include_str!("../../static/seat.html"))).into_response()
}

macro_rules! scripts {
    ($($name:literal)*) => { [$(($name, include_str!(concat!("../../static/", $name)))),*] };
}

/// Every script but the one that is made from [`protocol`].
const SCRIPTS: [(&str, &str); 28] = scripts!(
    "account.js" "assist.js" "authority.js" "banner.js" "camera.js" "chart.js" "checklist.js" "clock.js" "dashboard.js"
    "deadman.js" "dom.js" "driver.js" "episodes.js" "estop.js" "health.js" "hud.js" "input.js" "lidar.js" "mapping.js" "messages.js"
    "picture.js" "protobuf.js" "requests.js" "seat.js" "session.js" "timecode.js" "vehicle.js" "voice.js"
);

/// What the pages load.
pub async fn file(Path(file): Path<String>) -> Response {
    match file.as_str() {
        "style.css" => page(CSS, include_str!("../../static/style.css")),
        "seat.css" => page(CSS, include_str!("../../static/seat.css")),
        "labels.js" => page(JAVASCRIPT, labels()),
        name => match SCRIPTS.iter().find(|(script, _)| *script == name) {
            Some((_, text)) => page(JAVASCRIPT, text),
            None => (StatusCode::NOT_FOUND, "There is no such file.\n").into_response(),
        },
    }
}

/// The words of [`protocol`] as a JavaScript module, so that pages have no second list of them. Arrays are indexed by
/// the protobuf codes.
fn labels() -> &'static str {
    static MODULE: LazyLock<String> = LazyLock::new(|| {
        let car = Embodiment::ackermann_car();
        let channels: Vec<_> = car.observation.iter().map(|channel| channel.name).collect();
        let failures: serde_json::Map<_, _> =
            Failure::ALL.iter().map(|f| (f.code().to_owned(), f.advice().into())).collect();
        let action = |c: &Channel| serde_json::json!({ "name": c.name, "min": c.min, "max": c.max });
        let actions: Vec<_> = car.action.iter().map(action).collect();
        [
            constant("MODES", &words(|code| Mode::try_from(code).ok().map(Mode::label))),
            constant("AUTHORS", &words(|code| Author::try_from(code).ok().map(Author::label))),
            constant("REASONS", &words(|code| Reason::try_from(code).ok().map(Reason::label))),
            constant("CAUSES", &words(|code| TakeoverCause::try_from(code).ok().map(TakeoverCause::label))),
            constant("VERDICTS", &Verdict::WORDS.to_vec().into()),
            constant("FAILURES", &failures.into()),
            constant("OBSERVATIONS", &serde_json::json!({ car.name: channels })),
            constant("EMBODIMENTS", &serde_json::json!({ car.name: { "action": actions } })),
        ]
        .concat()
    });
    &MODULE
}

fn words(label: impl Fn(i32) -> Option<&'static str>) -> serde_json::Value {
    (0..).map_while(label).collect::<Vec<_>>().into()
}

fn constant(name: &str, value: &serde_json::Value) -> String {
    format!("export const {name} = {value};\n")
}
