//! The pages for people: plain files, embedded, no build step.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use protocol::Embodiment;
use protocol::v1::{Author, Mode, Reason, TakeoverCause};
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

/// What the pages load.
pub async fn file(Path(file): Path<String>) -> Response {
    match file.as_str() {
        "style.css" => page(CSS, include_str!("../../static/style.css")),
        "dashboard.js" => page(JAVASCRIPT, include_str!("../../static/dashboard.js")),
        "dom.js" => page(JAVASCRIPT, include_str!("../../static/dom.js")),
        "chart.js" => page(JAVASCRIPT, include_str!("../../static/chart.js")),
        "protobuf.js" => page(JAVASCRIPT, include_str!("../../static/protobuf.js")),
        "seat.js" => page(JAVASCRIPT, include_str!("../../static/seat.js")),
        "camera.js" => page(JAVASCRIPT, include_str!("../../static/camera.js")),
        "labels.js" => page(JAVASCRIPT, labels()),
        "vehicle.js" => page(JAVASCRIPT, include_str!("../../static/vehicle.js")),
        _ => (StatusCode::NOT_FOUND, "There is no such file.\n").into_response(),
    }
}

/// The words of [`protocol`] as a JavaScript module, so that pages have no second list of them. Arrays are indexed by
/// the protobuf codes.
fn labels() -> &'static str {
    static MODULE: LazyLock<String> = LazyLock::new(|| {
        let car = Embodiment::ackermann_car();
        let channels: Vec<_> = car.observation.iter().map(|channel| channel.name).collect();
        [
            constant("MODES", &words(|code| Mode::try_from(code).ok().map(Mode::label))),
            constant("AUTHORS", &words(|code| Author::try_from(code).ok().map(Author::label))),
            constant("REASONS", &words(|code| Reason::try_from(code).ok().map(Reason::label))),
            constant("CAUSES", &words(|code| TakeoverCause::try_from(code).ok().map(TakeoverCause::label))),
            constant("OBSERVATIONS", &serde_json::json!({ car.name: channels })),
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
