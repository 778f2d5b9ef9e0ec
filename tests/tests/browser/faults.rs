//! What goes wrong is told as what it is: the control plane silent, an answer refused or unreadable, the page itself broken.

use super::Opened;

/// Answers for the control plane: `answers` maps the beginning of an address to `[status, body]`, or to null for silence.
const ANSWERS: &str = r"{
    window.answers = {};
    const fetched = window.fetch;
    window.fetch = (address, options) => {
        const known = Object.keys(window.answers).find((start) => String(address).startsWith(start));
        if (known === undefined) return fetched(address, options);
        const answer = window.answers[known];
        return answer ? Promise.resolve(new Response(answer[1], { status: answer[0] })) : Promise.reject(new TypeError('Failed to fetch'));
    };
}";

impl Opened {
    /// The headings of the panels whose figures are shown as old.
    fn dated(&mut self) -> serde_json::Value {
        let headings = "[...document.querySelectorAll('.dated')].map((panel) => panel.querySelector('h2').textContent)";
        self.page.evaluate(headings).unwrap()
    }

    /// Waits until the line at the top of the dashboard says `words`; the page itself has no fault.
    fn line(&mut self, answers: &str, words: &str) {
        self.page.evaluate(&format!("window.answers = {answers}")).unwrap();
        self.page.wait_until(&format!("document.getElementById('freshness').innerText.includes({words:?})")).unwrap();
        assert_eq!(self.page.evaluate("document.querySelector('.faults')").unwrap(), serde_json::Value::Null);
    }
}

#[test]
fn the_dashboard_tells_silence_refusals_and_its_own_faults_apart() {
    let mut opened = Opened::new();
    opened.page.prepare(ANSWERS).unwrap();
    opened.page.go(&format!("{}/", opened.site.address)).unwrap();
    let fine = "Up to date, every 2 seconds";
    opened.line("{}", fine);
    opened.line(
        "{ '/api/v1/report': [500, '{\"error\":\"the disk is full.\"}'] }",
        "The control plane answers 500 to report: the disk is full; old therefore: Miles per disengagement",
    );
    let of_report = ["MPD, newest policy", "Miles per disengagement by policy"];
    assert_eq!(opened.dated(), serde_json::json!(of_report), "the others are up to date");
    opened.line(
        "{ '/api/v1/fleet': [200, 'not JSON'] }",
        "The control plane's answer to fleet cannot be read as JSON; old therefore: Everything driven",
    );
    opened.line(
        "{ '/api/v1/policies': [200, '{}'] }",
        "The control plane's answer to policies is not a list; old therefore: Policy versions",
    );
    opened.line("{ '/api/': null }", "The control plane does not answer; the figures below are old");
    assert_eq!(opened.dated().as_array().unwrap().len(), 9, "all cards and panels");
    opened.line("{}", fine);
    assert_eq!(opened.dated(), serde_json::json!([]));
    assert!(opened.page.console.is_empty(), "{:#?}", opened.page.console);

    // A part that is broken is named with what broke it; the others go on.
    opened
        .page
        .evaluate(
            "document.getElementById('live-table').remove(); window.answers = { '/api/v1/report': [200, \
        '[{\"policy\":\"v7\",\"role\":\"policy\",\"road\":\"all\",\"miles\":1,\"takeovers\":2,\"mpd\":0.5,\
        \"mpd_low\":0.1,\"mpd_high\":1,\"necessary_mpd\":null,\"crashes_per_100_miles\":0,\"completion\":1,\
        \"mean_speed_mps\":9,\"score\":0.7}]'] }",
        )
        .unwrap();
    opened.page.wait_until("document.querySelector('.faults')?.innerText.includes('the page has no element \"live-table\" (dom.js, line')").unwrap();
    opened
        .page
        .wait_until("document.getElementById('freshness').innerText === 'This page has a fault in: Live vehicles'")
        .unwrap();
    opened.page.wait_until("document.getElementById('report-table').innerText.includes('v7')").unwrap();
    assert!(!opened.page.console.is_empty());
}

#[test]
fn every_page_shows_its_uncaught_errors_and_what_did_not_load() {
    let mut opened = Opened::new();
    let address = opened.site.address.clone();
    for path in ["/", "/episodes.html", "/vehicle.html?id=car-1", "/seat.html", "/seat.html?id=car-1"] {
        opened.page.go(&format!("{address}{path}")).unwrap();
        opened.page.wait_until("document.readyState === 'complete'").unwrap();
        assert_eq!(
            opened.page.evaluate("document.querySelector('.faults')").unwrap(),
            serde_json::Value::Null,
            "{path}"
        );
        opened
            .page
            .evaluate("setTimeout(() => healthy.call()); Promise.reject(new Error('nobody listens')); 1")
            .unwrap();
        opened
            .page
            .evaluate(
                "document.body.append(Object.assign(document.createElement('script'), { src: '/static/none.js' })); 1",
            )
            .unwrap();
        for words in
            ["This page has a fault.", "ReferenceError: healthy is not defined", "Error: nobody listens", "none.js"]
        {
            opened
                .page
                .wait_until(&format!("document.querySelector('.faults')?.innerText.includes({words:?})"))
                .unwrap();
        }
    }
    // A module that something needs is missing: without the page's own script, the page still says so.
    for (path, script) in [
        ("/", "dashboard.js"),
        ("/vehicle.html?id=car-1", "vehicle.js"),
        ("/seat.html", "seat.js"),
        ("/episodes.html", "episodes.js"),
    ] {
        let blocked = serde_json::json!({ "urls": ["*/static/dom.js"] });
        opened.page.call("Network.setBlockedURLs", &blocked).unwrap();
        opened.page.go(&format!("{address}{path}")).unwrap();
        let words = format!("{script} or something that it needs did not load");
        opened.page.wait_until(&format!("document.querySelector('.faults')?.innerText.includes({words:?})")).unwrap();
    }
}

#[test]
fn the_other_pages_say_who_is_to_blame() {
    let mut opened = Opened::new();
    let address = opened.site.address.clone();
    opened.page.prepare(ANSWERS).unwrap();
    for (path, place) in [("/seat.html", "vehicles"), ("/vehicle.html?id=car-1", "health")] {
        opened.page.go(&format!("{address}{path}")).unwrap();
        for (answer, words) in [
            (
                "[503, '{\"error\":\"too many requests\"}']",
                "The control plane answers 503 to vehicles: too many requests",
            ),
            ("[200, '<html>']", "The control plane's answer to vehicles cannot be read as JSON"),
            ("null", "The control plane does not answer"),
        ] {
            opened.page.wait_until("window.answers").unwrap();
            opened.page.evaluate(&format!("window.answers = {{ '/api/v1/vehicles': {answer} }}")).unwrap();
            opened
                .page
                .wait_until(&format!("document.getElementById('{place}').innerText.includes({words:?})"))
                .unwrap();
        }
    }
    opened.page.go(&format!("{address}/episodes.html")).unwrap();
    opened.page.wait_until("document.getElementById('found').innerText.startsWith('0 found')").unwrap();
    let search = |answer: &str| {
        format!(
            "window.answers = {{ '/api/v1/episodes': {answer} }}; document.getElementById('search').requestSubmit()"
        )
    };
    for (answer, words) in
        [("[500, 'oops']", "answers 500 to episodes."), ("null", "does not answer."), ("[200, '{}']", "is not a list.")]
    {
        opened.page.evaluate(&search(answer)).unwrap();
        opened.page.wait_until(&format!("document.getElementById('problem').innerText.includes({words:?})")).unwrap();
    }
    // A refused call is not silence: this page's own name for the vehicle is wrong.
    assert_eq!(opened.page.evaluate("document.querySelector('.faults')").unwrap(), serde_json::Value::Null);
    assert!(opened.page.console.is_empty(), "{:#?}", opened.page.console);
}
