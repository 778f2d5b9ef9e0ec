//! The pages for people: plain files, embedded, no build step.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use protocol::Failure;
use protocol::api::Verdict;
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
const SCRIPTS: [(&str, &str); 35] = scripts!(
    "api.js" "assist.js" "authority.js" "banner.js" "camera.js" "chart.js" "checklist.js" "clock.js"
    "dashboard.js" "deadman.js" "dom.js" "driver.js" "episodes.js" "estop.js" "fault.js" "health.js" "hud.js" "input.js" "latency_breakdown.js"
    "lidar.js" "mapping.js" "messages.js" "pads.js" "parts.js" "picture.js" "protobuf.js" "requests.js" "schema.js" "seat.js"
    "session.js" "stop.js" "timecode.js" "vehicle.js" "voice.js" "wheel.js"
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
        let failures: serde_json::Map<_, _> =
            Failure::ALL.iter().map(|f| (f.code().to_owned(), f.advice().into())).collect();
        [
            constant("MODES", &words(|code| Mode::try_from(code).ok().map(Mode::label))),
            constant("AUTHORS", &words(|code| Author::try_from(code).ok().map(Author::label))),
            constant("REASONS", &words(|code| Reason::try_from(code).ok().map(Reason::label))),
            constant("CAUSES", &words(|code| TakeoverCause::try_from(code).ok().map(TakeoverCause::label))),
            constant("VERDICTS", &Verdict::WORDS.to_vec().into()),
            constant("FAILURES", &failures.into()),
        ]
        .concat()
    });
    &MODULE
}

/// Labels by their codes. Codes have gaps, which are told as `null`; none is as great as [`CODES`].
fn words(label: impl Fn(i32) -> Option<&'static str>) -> serde_json::Value {
    let labels: Vec<_> = (0..CODES).map(label).collect();
    let known = labels.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    labels[..known].to_vec().into()
}

const CODES: i32 = 256;

fn constant(name: &str, value: &serde_json::Value) -> String {
    format!("export const {name} = {value};\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use std::collections::BTreeSet;

    const PAGES: [(&str, &str); 4] = [
        ("index.html", include_str!("../../static/index.html")),
        ("vehicle.html", include_str!("../../static/vehicle.html")),
        ("episodes.html", include_str!("../../static/episodes.html")),
        ("seat.html", include_str!("../../static/seat.html")),
    ];

    /// What stands between `before` and the next `"`, wherever it does.
    fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
    }

    async fn served(name: &str) -> String {
        let response = file(Path(name.to_owned())).await;
        assert_eq!(response.status(), StatusCode::OK, "{name} is not served");
        String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
    }

    /// Every file that a page names, and every one that these import, is served; what is more, each is one of the folder's.
    #[tokio::test]
    async fn whatever_a_page_loads_is_served_and_nothing_is_served_in_vain() {
        let mut loaded = BTreeSet::new();
        for (page, html) in PAGES {
            let mut left: Vec<String> =
                ["src=\"", "href=\""].iter().flat_map(|a| quoted(html, a)).filter_map(of_static).collect();
            assert!(left.contains(&"fault.js".to_owned()), "{page} would not tell of its own faults");
            while let Some(name) = left.pop() {
                if !loaded.insert(name.clone()) {
                    continue;
                }
                let text = served(&name).await;
                if name.ends_with(".js") {
                    let imports =
                        quoted(&text, "from \"").chain(quoted(&text, "import(\"")).filter(|i| i.starts_with('.'));
                    left.extend(imports.map(|import| import.trim_start_matches("./").to_owned()));
                }
            }
        }
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: BTreeSet<String> = names.filter(|n| n.ends_with(".js") || n.ends_with(".css")).collect();
        files.insert("labels.js".into());
        assert_eq!(loaded, files, "left: loaded by the pages, right: in the folder");
    }

    #[test]
    fn every_reason_has_its_words_whatever_its_code() {
        let reasons = words(|code| Reason::try_from(code).ok().map(Reason::label));
        let last = [Reason::RouteDone, Reason::Latency, Reason::Geofence, Reason::PathBlocked];
        for reason in last {
            assert_eq!(reasons[reason as usize], reason.label());
        }
        let newest = Reason::NothingToReset;
        assert_eq!(reasons[newest as usize], newest.label());
        assert_eq!((&reasons[29], reasons.as_array().unwrap().len()), (&serde_json::Value::Null, newest as usize + 1));
    }

    fn of_static(address: &str) -> Option<String> {
        address.strip_prefix("/static/").map(str::to_owned)
    }

    #[test]
    fn the_types_of_the_labels_name_every_label() {
        let types = include_str!("../../types/labels.d.ts");
        let names = |text: &'static str| quoted_words(text).collect::<BTreeSet<_>>();
        assert_eq!(names(types), names(labels()));
    }

    /// The names that a module exports.
    fn quoted_words(text: &str) -> impl Iterator<Item = &str> {
        text.split("export const ").skip(1).filter_map(|rest| rest.split([':', ' ']).next())
    }
}
