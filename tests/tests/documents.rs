//! What the documents say is true: every command works, in a form of seconds; every name exists; every table is what was
//! measured, and what is the same each time still is.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

// The server that the control plane's own tests start.
#[path = "../../web/tests/common/postgres.rs"]
#[allow(dead_code)]
mod postgres;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tests::documents::entry::{Entry, Table};
use tests::documents::markdown::Kind;
use tests::documents::measured::{Measured, processor};
use tests::documents::names::{Known, corpus, placeholders, tree};
use tests::documents::stage::{Stage, timed};
use tests::documents::{cargo, documents, help, parts, read_all, root};
use tests::{Site, program, run};

/// Entries that are tried at the same time.
const AT_ONCE: usize = 3;
const PROGRAMS: [&str; 4] = ["takeover", "takeover-web", "takeover-bridge", "takeover-console"];

fn table() -> Table {
    Table::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("documents.toml")).unwrap()
}

fn helps() -> Vec<help::Help> {
    PROGRAMS.iter().flat_map(|name| help::all(name).unwrap()).collect()
}

#[test]
fn every_command_has_an_entry_and_every_entry_a_command() {
    let differences = table().differences(&read_all(&root()).unwrap(), &root());
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

#[test]
fn every_command_of_the_documents_works() {
    let folder = tempfile::tempdir().unwrap();
    let (table, code) = (table(), read_all(&root()).unwrap());
    let set_up = timed(|| Stage::set_up(folder.path(), &code).unwrap());
    println!("{:6.1} s  the site", set_up.took_s);
    let mut stage = set_up.outcome;
    let database = postgres::Postgres::start();
    stage.define("DATABASE", database.database("fleet"));
    // One of them by its number, for whoever writes an entry.
    let only: Option<usize> = std::env::var("ENTRY").ok().and_then(|number| number.parse().ok());
    let chosen: Vec<(usize, &Entry)> =
        table.entry.iter().enumerate().filter(|(number, _)| only.is_none_or(|only| only == *number)).collect();
    let (last, first): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|(_, entry)| entry.last);
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let attempt = |(number, entry): &(usize, &Entry)| {
        let tried = timed(|| stage.try_entry(*number, entry));
        println!("{:6.1} s  {number:3}  {}", tried.took_s, entry.named[0]);
        if let Err(error) = tried.outcome {
            failures.lock().unwrap().push(format!("entry {number}, {:?}: {error:#}", entry.named));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(entry) = first.get(next.fetch_add(1, Ordering::Relaxed)) {
                    attempt(entry);
                }
            });
        }
    });
    last.iter().for_each(attempt);
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
}

#[test]
fn every_name_in_a_document_exists() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let (root, table, helps) = (root(), table(), helps());
    let paths = tree(&root);
    let mut text = corpus(&root, &paths);
    text.extend(helps.iter().map(|help| help.text.as_str()));
    // Faults have their names from the programs that rehearse them.
    let faults = closed_loop::fault_trials::Fault::ALL.map(|fault| serde_json::to_string(&fault).unwrap());
    let rehearsed = tests::rehearsal::Failing::ALL.map(|fault| serde_json::to_string(&fault).unwrap());
    text.extend(faults.iter().chain(&rehearsed).map(String::as_str));
    let options: BTreeSet<String> = helps
        .iter()
        .flat_map(help::Help::options)
        .flat_map(|(name, _)| {
            let words = name.split([' ', ',', '=']).filter(|word| word.starts_with("--")).map(str::to_owned);
            words.collect::<Vec<_>>()
        })
        .collect();
    let url = site.address.clone();
    let has_route = Box::new(move |path: &str| {
        let answer = ureq::get(format!("{url}{path}")).config().http_status_as_error(false).build().call();
        answer.is_ok_and(|answer| answer.status() != 404)
    });
    let known = Known { corpus: text, options, paths, has_route };
    let code = read_all(&root).unwrap();
    let problems =
        code.iter().filter_map(|c| Some(format!("{}: `{}`: {}", c.place, c.text, known.problem(c, &table)?)));
    let problems: Vec<String> = problems.collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_link_leads_somewhere_and_nothing_is_left_to_fill_in() {
    let (root, table) = (root(), table());
    let mut problems = Vec::new();
    for path in documents(&root).unwrap() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        problems.extend(placeholders(&name, &text, &table.capitals));
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("http") && !target.starts_with('#')) {
            let file = target.split('#').next().unwrap_or(target);
            if !path.parent().unwrap().join(file).exists() {
                problems.push(format!("{name}: there is no {target}"));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_option_of_every_program_is_described() {
    let mut bare = Vec::new();
    for help in helps() {
        let about = help.text.lines().next().unwrap_or_default();
        if about.is_empty() || about.starts_with("Usage:") {
            bare.push(format!("{} says nothing of itself", help.command));
        }
        let unsaid = help.options().into_iter().filter(|(_, about)| about.is_empty());
        bare.extend(unsaid.map(|(option, _)| format!("{} {option}", help.command)));
    }
    assert!(bare.is_empty(), "without a description:\n{}", bare.join("\n"));
}

#[test]
fn every_cargo_line_is_understood_by_cargo() {
    let root = root();
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for path in tree(&root) {
        if path.extension().is_some_and(|ending| ending == "sh") || path.ends_with("Makefile") {
            let text = std::fs::read_to_string(root.join(&path)).unwrap();
            lines.extend(cargo::calls(&text).into_iter().map(|(n, words)| (format!("{}:{n}", path.display()), words)));
        }
    }
    assert!(lines.len() >= 8, "{lines:?}");
    for code in read_all(&root).unwrap().into_iter().filter(|c| c.kind == Kind::Command) {
        lines.extend(cargo::calls(&code.text).into_iter().map(|(_, words)| (code.place.to_string(), words)));
    }
    let wrong: Vec<String> = lines
        .iter()
        .filter_map(|(place, words)| Some(format!("{place}: {:#}", cargo::understands(&root, words).err()?)))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_table_is_what_was_measured() {
    let documents = program("examples/documents").unwrap();
    run(Command::new(documents).arg("check")).unwrap();
}

/// What is driven in virtual time is the same each time: when a small form of a measurement differs from what it was when
/// the large one was made, the document's table is no longer true. It is the same to the last bit on processors of one
/// kind only; on another nothing can be compared, which fails unless `ANY_PROCESSOR` is set.
#[test]
fn small_forms_of_the_measurements_still_give_the_same() {
    let mut compared = 0;
    for part in &parts::PARTS {
        if part.small.is_empty() {
            continue;
        }
        let kept = Measured::read(&root(), part.name).unwrap();
        let lines: Vec<&str> = kept.small.iter().map(|small| small.run.as_str()).collect();
        let again =
            format!("measure again with `make docs ARGS={}`, and read what the documents say about it", part.name);
        assert_eq!(lines, part.small, "{} was measured with other lines: {again}", part.name);
        for small in &kept.small {
            if small.processor != processor() {
                println!("{}: measured on {}, this is {}: not compared", part.name, small.processor, processor());
                continue;
            }
            let took = timed(|| part.small(&root(), &small.run).unwrap());
            println!("{}: {:.1} s", part.name, took.took_s);
            assert_eq!(
                took.outcome.result, small.result,
                "{} drives otherwise than when it was measured: {again}",
                part.name
            );
            compared += 1;
        }
    }
    println!("{compared} compared");
    let may_differ = std::env::var_os("ANY_PROCESSOR").is_some();
    assert!(
        compared > 0 || may_differ,
        "nothing was compared: all was measured on other processors than this ({}). Set ANY_PROCESSOR if that is right",
        processor()
    );
}
