use super::*;

fn episode(id: &str, days_old: i64, verdict: Option<&str>, cause: &str, gib: u64) -> Candidate {
    Candidate {
        id: EpisodeId::new(id).unwrap(),
        file: format!("{id}.mcap"),
        sha256: String::new(),
        bytes: gib << 30,
        cause: cause.into(),
        verdict: verdict.map(str::to_owned),
        vehicle: "car".into(),
        kind: "live".into(),
        map: "town".into(),
        weather: Some("rain".into()),
        trigger: None,
        stored_ms: 1_000_000_000_000 - days_old * 86_400_000,
    }
}

fn due(rules: &str, episodes: &[Candidate]) -> Vec<(String, String)> {
    let rules = Retention::parse(rules).unwrap();
    rules.due(episodes, 1_000_000_000_000).into_iter().map(|(e, why)| (e.id.to_string(), why)).collect()
}

const RULES: &str = r#"
[[rule]]
verdict = "useful"
always = true
[[rule]]
verdict = "discard"
keep_days = 7
[[rule]]
cause = "precaution"
weather = "rain"
keep_days = 30
"#;

#[test]
fn the_first_rule_that_fits_decides() {
    let episodes = [
        episode("a", 400, Some("useful"), "precaution", 1),
        episode("b", 40, None, "precaution", 1),
        episode("c", 40, None, "safety", 1),
        episode("d", 20, None, "precaution", 1),
        episode("e", 8, Some("discard"), "safety", 1),
        episode("f", 6, Some("discard"), "precaution", 1),
    ];
    let gone = due(RULES, &episodes);
    assert_eq!(gone.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["b", "e"]);
    assert!(gone[1].1.contains("rule 2") && gone[1].1.contains("7 days"), "{gone:?}");
    assert!(due("", &episodes).is_empty());
}

#[test]
fn beyond_the_total_the_oldest_go_but_never_what_is_always_kept() {
    let episodes = [
        episode("a", 9, Some("useful"), "safety", 2),
        episode("b", 8, None, "safety", 2),
        episode("c", 7, None, "safety", 2),
        episode("d", 6, None, "safety", 2),
    ];
    let gone = due(&format!("max_total_gib = 4.5\n{RULES}"), &episodes);
    assert_eq!(gone.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    assert!(due("max_total_gib = 8", &episodes).is_empty());
}

#[test]
fn rules_without_sense_are_named() {
    for (text, named) in [
        ("[[rule]]\nverdict = \"good\"\nkeep_days = 1", "\"good\""),
        ("[[rule]]\ncause = \"mood\"\nkeep_days = 1", "\"mood\""),
        ("[[rule]]\nkeep_days = -3", "-3"),
        ("[[rule]]\nkeep_days = nan", "NaN"),
        ("[[rule]]\ncause = \"safety\"", "keep_days or always"),
        ("[[rule]]\nkeep_days = 1\nalways = true", "keep_days or always"),
        ("max_total_gib = -1", "-1"),
        ("[[rule]]\ncolour = \"red\"\nkeep_days = 1", "colour"),
        ("max_total_gib = \"much\"", "max_total_gib"),
    ] {
        let error = Retention::parse(text).unwrap_err().to_string();
        assert!(error.contains(named), "{named} not in {error}");
    }
}
