//! The registry: every rule has a page, a fixture in which it fires, and one in which it does not.

mod abandoned;
mod assumable_loop;
mod broken_delivery;
mod can_self_grant;
mod can_take_over;
mod message_cycle;
mod names;
mod users;

use std::collections::BTreeSet;
use std::path::Path;

use patscan::rules::{RULES, Rule};

use crate::patscan::{Patscan, audit, fixture, fixtures};

const SECTIONS: [&str; 5] = [
    "What it means",
    "Why it matters",
    "How patscan knows",
    "How to fix",
    "When it is fine",
];

fn front_matter<'a>(rule: &'a Rule, key: &str) -> Option<&'a str> {
    let (front, _) = rule.page.strip_prefix("---\n")?.split_once("\n---\n")?;
    front
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
        .map(|value| value.trim_matches('"'))
}

#[test]
fn ids_are_unique_and_sorted() {
    let ids: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
    let sorted: Vec<_> = BTreeSet::from_iter(&ids).into_iter().copied().collect();
    assert_eq!(ids, sorted);
}

#[test]
fn every_page_belongs_to_a_rule() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("findings");
    let pages: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = RULES.iter().map(|rule| format!("{}.md", rule.id)).collect();
    assert_eq!(pages, expected);
}

#[test]
fn every_page_names_its_rule_title_and_severity() {
    for rule in RULES {
        assert_eq!(front_matter(rule, "id"), Some(rule.id));
        let title = front_matter(rule, "title").unwrap_or_default();
        assert!(!title.is_empty(), "{} has no title", rule.id);
        assert_eq!(rule.title(), title);
        let severity = front_matter(rule, "severity").unwrap_or_default();
        assert!(
            ["critical", "high", "medium", "low", "info"].contains(&severity),
            "{}: `{severity}`",
            rule.id
        );
        assert_eq!(rule.severity(), severity);
    }
}

#[test]
fn every_page_has_the_five_sections() {
    for rule in RULES {
        let sections: Vec<_> = rule
            .page
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect();
        assert_eq!(sections, SECTIONS, "{}", rule.id);
    }
}

#[test]
fn every_rule_fires_in_one_fixture_and_is_silent_in_another() {
    let fired: Vec<BTreeSet<String>> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| {
            let scenario = entry.unwrap().file_name().into_string().unwrap();
            audit(&scenario)["findings"]
                .as_array()
                .unwrap()
                .iter()
                .map(|finding| finding["rule"].as_str().unwrap().to_owned())
                .collect()
        })
        .collect();
    for rule in RULES {
        assert!(
            fired.iter().any(|rules| rules.contains(rule.id)),
            "{} never fires",
            rule.id
        );
        assert!(
            !fired.iter().all(|rules| rules.contains(rule.id)),
            "{} always fires",
            rule.id
        );
    }
    let known: BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
    assert!(
        fired
            .iter()
            .flatten()
            .all(|rule| known.contains(rule.as_str()))
    );
}

/// The table of the README.
fn table() -> String {
    let header = "| Rule | Severity | What it finds |\n|---|---|---|".to_owned();
    let rows = RULES.iter().map(|rule| {
        let (id, severity, title) = (rule.id, rule.severity(), rule.title());
        format!("| [{id}](findings/{id}.md) | {severity} | {title} |")
    });
    std::iter::once(header)
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

/// What stands in the README between two marks.
fn readme_section(mark: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(file).unwrap();
    let (_, after) = readme.split_once(&format!("<!-- {mark} -->\n")).unwrap();
    let (section, _) = after.split_once(&format!("<!-- /{mark} -->")).unwrap();
    section.trim().to_owned()
}

#[test]
fn the_table_of_the_readme_is_up_to_date() {
    assert_eq!(readme_section("rules"), table());
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let run = Patscan::new(["demo"]).run();
    let shown = format!("```text\n{}```", run.stdout);
    assert_eq!(readme_section("demo"), shown);
}

#[test]
fn the_readme_shows_what_explain_prints() {
    let run = Patscan::new(["explain", "queue-feedback-loop-f4e8", "--demo"]).run();
    let shown = format!("````text\n{}````", run.stdout);
    assert_eq!(readme_section("explain"), shown);
}

#[test]
fn the_readme_shows_what_who_can_prints() {
    let run = Patscan::new(["who-can", "send", "invoices", "--snapshot"])
        .arg(fixture("demo"))
        .run();
    let shown = format!("```text\n{}```", run.stdout);
    assert_eq!(readme_section("who-can"), shown);
}
