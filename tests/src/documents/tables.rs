//! The documents' tables, written from what was measured and from what the programs say of themselves. They stand
//! between `<!-- table: NAME -->` and `<!-- end -->`.

use super::help::Help;
use super::measured::Measured;
use anyhow::{Context, bail};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = "<!-- table: ";
const END: &str = "<!-- end -->";

/// Metrics of the link that are shown though they have no goal.
pub const LINK_EXTRAS: [&str; 5] = ["stage encode mean", "frame_rate", "pictures", "first_picture_p50", "late"];

/// The document with each of its tables written again.
///
/// # Errors
/// When a marker is not closed, names no table, or what the table is made of is missing.
pub fn written(root: &Path, text: &str, helps: &[Help]) -> anyhow::Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        let (before, from) = rest.split_at(at);
        let (marker, after) = from.split_once('\n').context("a table's marker ends the document")?;
        let name = marker.trim_start_matches(BEGIN).trim_end_matches("-->").trim();
        let (_, end) = after.split_once(END).with_context(|| format!("the table {name} has no {END}"))?;
        let table = table(root, name, helps).with_context(|| format!("the table {name}"))?;
        let _ = write!(out, "{before}{marker}\n{}\n{END}", table.trim_end());
        rest = end;
    }
    Ok(out + rest)
}

fn table(root: &Path, name: &str, helps: &[Help]) -> anyhow::Result<String> {
    let measured = |part: &str| Measured::read(root, part);
    match name {
        "programs" => Ok(programs(helps)),
        "demo" => demo(&measured("demo")?),
        "headline" => Ok(headline(&measured("link")?, &measured("bench")?, &measured("recorder")?)),
        "link" => Ok(link(&measured("link")?)),
        "bench" => Ok(bench(&measured("bench")?)),
        "recorder" => Ok(bench(&measured("recorder")?)),
        "latency" => latency(&measured("latency")?),
        "latency-endings" => endings(&measured("latency")?),
        "privacy" => privacy(&measured("privacy")?),
        "fuzz" => Ok(fuzz(&measured("fuzz")?)),
        _ => bail!("there is no such table"),
    }
}

/// What the tables say beyond a program's own line.
const MORE: [(&str, &str); 7] = [
    ("takeover web", "also `takeover-web`"),
    (
        "takeover bridge",
        "also `takeover-bridge`; [docs/bridge.md](docs/bridge.md), [docs/robot-adapter.md](docs/robot-adapter.md)",
    ),
    ("takeover geofence", "[SAFETY.md](SAFETY.md)"),
    ("takeover embodiment", "[docs/embodiments.md](docs/embodiments.md)"),
    ("takeover episode", "[docs/recorder.md](docs/recorder.md), [docs/catalogue.md](docs/catalogue.md)"),
    ("takeover latency-study", "[docs/latency.md](docs/latency.md)"),
    ("takeover seat", "always with `--headless`"),
];

fn programs(helps: &[Help]) -> String {
    let mut out = "| command | what it does |\n| --- | --- |\n".to_owned();
    for help in helps.iter().filter(|help| help.command == "takeover") {
        for (name, about) in help.subcommands() {
            let command = format!("takeover {name}");
            let more =
                MORE.iter().find(|(of, _)| *of == command).map_or(String::new(), |(_, more)| format!(" ({more})"));
            let _ = writeln!(out, "| `{command}` | {about}{more} |");
        }
    }
    for help in helps.iter().filter(|help| help.command == "takeover-console") {
        let about = help.text.lines().next().unwrap_or_default().trim_end_matches('.');
        let _ = writeln!(out, "| `takeover-console` | {about} |");
    }
    out
}

fn demo(measured: &Measured) -> anyhow::Result<String> {
    let run = measured.runs.first().context("nothing was run")?;
    let report: Vec<protocol::api::Evaluation> = serde_json::from_value(run.result.clone())?;
    let table = takeover::demo::table(&report);
    Ok(format!("```\n{}\n```\n\n{}", table.trim_matches('\n'), measured.caption()))
}

/// Three figures that count.
fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 100.0 || v == 0.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 0.1 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// How the cases and metrics of the link are called.
const LINK: [(&str, &str, &str); 23] = [
    ("clean", "pixel_to_pixel_p50", "nothing happens to a packet: from the picture's capture to its decoding, median"),
    ("clean", "pixel_to_pixel_p95", "the same, p95"),
    ("clean", "stage encode mean", "of that, encoding in software, mean"),
    ("clean", "command_added_p99", "commands, added by software, p99"),
    ("clean", "vehicle_cpu", "processor, vehicle"),
    ("clean", "seat_cpu", "processor, seat"),
    ("clean", "clock_error_max", "greatest error of the clock estimate"),
    ("clean", "stages_accounted", "share of a picture's age that the named stages account for"),
    ("rtt50", "pixel_to_pixel_p95", "50 ms round trip: capture to decoding, p95"),
    ("rtt50", "clock_error_max", "the same: greatest error of the clock estimate"),
    ("loss10", "late_or_missing", "30 ms round trip, 10 % random loss: pictures late (150 ms) or missing"),
    ("loss10", "command_age_p999", "the same: age of the newest command, p99.9"),
    ("loss30", "late_or_missing", "30 % random loss: late or missing"),
    ("burst", "late_or_missing", "10 % loss in bursts of 5: late or missing"),
    ("satellite", "frozen_per_50s", "240 ms round trip, 5 % loss: frozen in 50 s"),
    ("satellite", "frame_rate", "the same: pictures a second"),
    ("1mbit", "late", "1 Mbit/s: late"),
    ("1mbit", "frame_rate", "the same: pictures a second"),
    ("step", "below_150ms_again", "8 to 1 to 8 Mbit/s: below 150 ms again"),
    ("connect", "first_picture_p50", "a new seat at 50 ms round trip: first picture, median"),
    ("connect", "first_picture_p95", "the same, p95"),
    ("blackout", "picture_after_blackout_p95", "nothing for 5 s of each 30 s: picture after it"),
    ("failover", "longest_gap", "two paths at once, the first dead for 5 s: longest gap between pictures"),
];

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// One row: what, measured, goal, verdict.
fn link_row(figures: &[&Value], case: &str, metric: &str, words: &str) -> String {
    let found = figures.iter().find(|f| text(f, "case") == case && text(f, "metric") == metric);
    let Some((found, value)) = found.and_then(|found| Some((found, found["value"].as_f64()?))) else {
        return format!("| {words} | not measured | - |");
    };
    let unit = text(found, "unit");
    let goal = match (found["goal"].as_f64(), found["met"].as_bool()) {
        (Some(goal), Some(true)) => format!("{} {unit}", figure(goal)),
        (Some(goal), _) => format!("{} {unit}, **missed**", figure(goal)),
        _ => "-".to_owned(),
    };
    format!("| {words} | {} {unit} | {goal} |", figure(value))
}

fn link(measured: &Measured) -> String {
    let figures: Vec<&Value> = measured.runs.iter().filter_map(|run| run.result.as_array()).flatten().collect();
    let mut out = "| network | measured | goal |\n| --- | --- | --- |\n".to_owned();
    for (case, metric, words) in LINK {
        let _ = writeln!(out, "{}", link_row(&figures, case, metric, words));
    }
    // Goals that are too new to have words of their own.
    for found in figures.iter().filter(|f| !f["goal"].is_null()) {
        let (case, metric) = (text(found, "case"), text(found, "metric"));
        if !LINK.iter().any(|(c, m, _)| (*c, *m) == (case, metric)) {
            let words = format!("{case}: {}", metric.replace('_', " "));
            let _ = writeln!(out, "{}", link_row(&figures, case, metric, &words));
        }
    }
    format!("{out}\n{}", measured.caption())
}

/// Rows of `takeover bench`: what stands beside several peers is one row.
fn bench_rows(measured: &Measured) -> Vec<(String, String, String)> {
    let mut all: Vec<(String, String, String)> = Vec::new();
    for row in measured.runs.iter().filter_map(|run| run.result.as_array()).flatten() {
        let (name, unit) = (text(row, "name"), text(row, "unit"));
        let value = format!("{} {unit}", figure(row["value"].as_f64().unwrap_or(f64::NAN)));
        let peer = format!("{}: {}", text(row, "peer"), figure(row["peer_value"].as_f64().unwrap_or(f64::NAN)));
        match all.iter_mut().find(|(known, ..)| known == name) {
            Some((.., peers)) => *peers = format!("{peers}; {peer}"),
            None => all.push((name.to_owned(), value, peer)),
        }
    }
    all
}

fn bench(measured: &Measured) -> String {
    let mut out = "| what | measured | held against |\n| --- | --- | --- |\n".to_owned();
    for (name, value, peers) in bench_rows(measured) {
        let _ = writeln!(out, "| {name} | {value} | {peers} |");
    }
    format!("{out}\n{}", measured.caption())
}

fn fuzz(measured: &Measured) -> String {
    const COUNTS: [&str; 5] = ["seconds", "executions", "edges", "corpus", "crashes"];
    let mut out = format!("| target | {} |\n| --- |{}\n", COUNTS.join(" | "), " ---: |".repeat(COUNTS.len()));
    for row in measured.runs.iter().filter_map(|run| run.result.as_array()).flatten() {
        let counts = COUNTS.map(|key| row[key].to_string()).join(" | ");
        let _ = writeln!(out, "| `{}` | {counts} |", text(row, "target"));
    }
    format!("{out}\n{}", measured.caption())
}

/// The few that the README shows.
fn headline(of_link: &Measured, of_bench: &Measured, of_recorder: &Measured) -> String {
    const OF_LINK: [(&str, &str); 5] = [
        ("clean", "pixel_to_pixel_p95"),
        ("rtt50", "pixel_to_pixel_p95"),
        ("loss10", "late_or_missing"),
        ("satellite", "frozen_per_50s"),
        ("failover", "longest_gap"),
    ];
    const OF_BENCH: [&str; 4] = [
        "vehicle core in virtual time, 1 core",
        "policy proposal, int8, median",
        "SIGKILL, most lost of 200 kills",
        "end of post-roll to finished file",
    ];
    let figures: Vec<&Value> = of_link.runs.iter().filter_map(|run| run.result.as_array()).flatten().collect();
    let mut out = "| what | measured | goal |\n| --- | --- | --- |\n".to_owned();
    for (case, metric) in OF_LINK {
        let words = LINK.iter().find(|(c, m, _)| (*c, *m) == (case, metric)).map_or(metric, |(.., words)| words);
        let words = words.replace("the same, p95", "nothing happens to a packet: capture to decoding, p95");
        let _ = writeln!(out, "{}", link_row(&figures, case, metric, &words));
    }
    for (name, value, peers) in bench_rows(of_bench).into_iter().chain(bench_rows(of_recorder)) {
        if OF_BENCH.contains(&name.as_str()) {
            let _ = writeln!(out, "| {name} | {value} | {peers} |");
        }
    }
    let all = [of_link, of_bench, of_recorder];
    let dates: BTreeSet<&str> = all.iter().flat_map(|part| &part.runs).map(|run| run.date.as_str()).collect();
    let machines: BTreeSet<&str> = all.iter().map(|part| part.machine.as_str()).collect();
    let list = |words: BTreeSet<&str>| words.into_iter().collect::<Vec<_>>().join(", ");
    format!(
        "{out}\n`make docs` ({}); {}. The commands stand in [docs/measurements.md](docs/measurements.md).\n",
        list(dates),
        list(machines)
    )
}

const WAYS: [&str; 4] = ["baseline", "governor", "predictive", "trajectory"];

fn rows(measured: &Measured) -> anyhow::Result<(&Vec<Value>, Vec<f64>)> {
    let run = measured.runs.first().context("nothing was run")?;
    let rows = run.result["rows"].as_array().context("the study has no rows")?;
    let mut delays: Vec<f64> = rows.iter().filter_map(|row| row["one_way_ms"].as_f64()).collect();
    delays.sort_by(f64::total_cmp);
    delays.dedup();
    Ok((rows, delays))
}

fn by_way(measured: &Measured, cell: impl Fn(&Value) -> String) -> anyhow::Result<String> {
    let (rows, delays) = rows(measured)?;
    let mut out = format!("| one way | {} |\n|{}\n", WAYS.join(" | "), " --- |".repeat(WAYS.len() + 1));
    for delay in delays {
        let of = |way: &str| rows.iter().find(|r| text(r, "mode") == way && r["one_way_ms"] == delay).map(&cell);
        let cells: Vec<String> = WAYS.iter().map(|way| of(way).unwrap_or_else(|| "-".to_owned())).collect();
        let _ = writeln!(out, "| {delay:.0} ms | {} |", cells.join(" | "));
    }
    Ok(out)
}

fn latency(measured: &Measured) -> anyhow::Result<String> {
    let percent = |value: &Value| 100.0 * value.as_f64().unwrap_or(f64::NAN);
    let table = by_way(measured, |row| {
        let share = &row["completed"];
        let verdict = match (percent(&row["goal"]), row["met"].as_bool()) {
            (_, Some(true)) => ", goal reached".to_owned(),
            (goal, Some(false)) => format!(", **goal of {goal:.0} % missed**"),
            _ => String::new(),
        };
        let (low, high) = (percent(&share["low"]), percent(&share["high"]));
        let lane_cm = percent(&row["lane_rms_m"]);
        let speed = row["speed_mps"].as_f64().unwrap_or(f64::NAN);
        format!("{:.1} % ({low:.0} to {high:.0}), {lane_cm:.0} cm, {speed:.1} m/s{verdict}", percent(&share["value"]))
    })?;
    let trips = rows(measured)?.0.first().and_then(|row| row["trips"].as_u64()).unwrap_or_default();
    Ok(format!("{table}\n{trips} trips a cell. {}", measured.caption()))
}

fn endings(measured: &Measured) -> anyhow::Result<String> {
    by_way(measured, |row| {
        let count = |key: &str| row[key].as_u64().unwrap_or_default();
        let kinds = [("collision", "collisions"), ("off the road", "off_road"), ("time up", "time_up")];
        let some = kinds.iter().filter(|(_, key)| count(key) > 0).map(|(name, key)| format!("{} {name}", count(key)));
        let some: Vec<String> = some.collect();
        if some.is_empty() { "-".to_owned() } else { some.join(", ") }
    })
}

fn privacy(measured: &Measured) -> anyhow::Result<String> {
    let found = &measured.runs.first().context("nothing was run")?.result;
    let row = |kind: &str, what: &str| -> String {
        let all = found[kind].as_array().map(Vec::as_slice).unwrap_or_default();
        let of = |key: &str| all.iter().map(|one| one[key].to_string()).collect::<Vec<_>>().join(" / ");
        let count = all.first().map_or(String::new(), |one| one["shown"].to_string());
        format!("| {count} {what}, {} pixels wide | {} |", of("pixels"), of("found"))
    };
    let wrong = |key: &str, what: &str| {
        let of = &found[key];
        format!("| {} {what}: wrongly covered | {} faces, {} plates |", of["pictures"], of["faces"], of["plates"])
    };
    let lines = [
        "| what | found |\n| --- | --- |".to_owned(),
        row("faces", "frontal faces (25x25 pixels each, of scikit-image's part of LFW, scaled, in drawn streets)"),
        row("plates", "drawn plates, turned by up to 40 degrees, shaded, noisy, in drawn streets"),
        wrong("wrong_in_photographs", "photographs without people and plates"),
        wrong("wrong_in_streets", "drawn streets without either"),
        format!("| one look at 1280x720, one core | {} ms |", found["look_ms"]),
    ];
    Ok(format!("{}\n\n{}", lines.join("\n"), measured.caption()))
}

#[cfg(test)]
mod tests {
    use super::super::measured::Run;
    use super::*;
    use serde_json::json;

    #[test]
    fn figures_have_three_that_count() {
        let texts = [0.0, 0.0512, 0.457, 9.7, 15.52, 826.4, 11_000.0].map(figure);
        assert_eq!(texts, ["0", "0.051", "0.46", "9.7", "15.5", "826", "11000"]);
    }

    fn measured(machine: &str, command: &str, result: Value) -> Measured {
        let run = Run { command: command.into(), date: "2026-11-30".into(), took_s: 5.0, result };
        Measured { machine: machine.into(), runs: vec![run], small: Vec::new() }
    }

    #[test]
    fn what_was_not_measured_says_so_and_every_table_says_where_its_figures_are_from() {
        let figure =
            json!({"case": "clean", "metric": "clock_error_max", "value": 0.5, "unit": "ms", "goal": 1.0, "met": true});
        let of_link = measured("1 core, linux", "takeover link-report", json!([figure]));
        let table = link(&of_link);
        assert!(table.contains("| greatest error of the clock estimate | 0.5 ms | 1 ms |"), "{table}");
        assert!(table.contains("| 8 to 1 to 8 Mbit/s: below 150 ms again | not measured | - |"), "{table}");
        assert_eq!(table.matches("not measured").count(), LINK.len() - 1, "{table}");
        let none = || measured("2 cores, linux", "takeover bench", json!([]));
        let table = headline(&of_link, &none(), &none());
        assert!(table.contains("`make docs` (2026-11-30); 1 core, linux, 2 cores, linux. The commands"), "{table}");
        let row = json!({"target": "wire", "seconds": 60, "executions": 9, "edges": 8, "corpus": 7, "crashes": 0});
        let table = fuzz(&measured("1 core, linux", "make fuzz", json!([row])));
        assert!(table.contains("| `wire` | 60 | 9 | 8 | 7 | 0 |") && table.contains("`make fuzz` (2026"), "{table}");
    }

    #[test]
    fn only_what_stands_between_the_markers_is_written() {
        let help = Help {
            command: "takeover".into(),
            text: "About\n\nCommands:\n  web      Run the control plane\n  help     Print this\n\nOptions:\n".into(),
        };
        let text = "Before\n<!-- table: programs -->\nold\n<!-- end -->\nafter\n";
        let new = written(Path::new("/nowhere"), text, &[help]).unwrap();
        assert!(new.starts_with("Before\n<!-- table: programs -->\n| command |"), "{new}");
        assert!(
            new.contains("| `takeover web` | Run the control plane (also `takeover-web`) |\n<!-- end -->\nafter\n"),
            "{new}"
        );
        assert!(written(Path::new("/nowhere"), "<!-- table: nonsense -->\n<!-- end -->", &[]).is_err());
        assert!(written(Path::new("/nowhere"), "<!-- table: programs -->\n", &[]).is_err());
    }
}
