//! Rows read back by the reader of the same crate, cell by cell.

use super::*;
use crate::finding::Kind;
use crate::report::example::{self, hostile, hostile_names, report};
use crate::report::text::is_hidden;
use proptest::prelude::*;
use std::collections::HashMap;

type Row = HashMap<String, String>;

fn rows(report: &Report) -> Vec<Row> {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.chars().any(|one| one != '\n' && is_hidden(one)));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap(), &COLUMNS[..]);
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

/// What a cell says, without the mark against formulas.
fn said(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

fn assert_rows(report: &Report) {
    let rows = rows(report);
    let mut left = rows.iter();
    for finding in &report.findings {
        let resources: Vec<Option<&ResourceRef>> = match &*finding.resources {
            [] => vec![None],
            some => some.iter().map(Some).collect(),
        };
        for resource in resources {
            let row = left.next().unwrap();
            let arn = resource.map_or("", |resource| &resource.entity.arn);
            assert_eq!(said(&row["id"]), said(&sanitise(&finding.id)));
            assert_eq!(said(&row["title"]), said(&sanitise(&finding.title)));
            assert_eq!(
                said(&row["subject_arn"]),
                said(&sanitise(&finding.subject.arn))
            );
            assert_eq!(said(&row["resource_arn"]), said(&sanitise(arn)));
            assert_eq!(row["severity"], finding.severity.as_str());
            assert_eq!(row["status"], finding.status.as_str());
            let owner = finding.waiver.as_ref().map_or("", |waiver| &waiver.owner);
            assert_eq!(said(&row["waiver_owner"]), said(&sanitise(owner)));
        }
    }
    assert!(left.next().is_none());
    for cell in rows.iter().flat_map(HashMap::values) {
        assert!(
            !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']),
            "{cell}"
        );
    }
}

#[test]
fn every_finding_has_a_row_for_each_resource() {
    assert_rows(&report());
    let rows = rows(&report());
    let of = |rule: &str| rows.iter().filter(|row| row["rule"] == rule).count();
    assert_eq!(
        (
            of("public-queue"),
            of("queue-feedback-loop"),
            of("unused-role")
        ),
        (1, 8, 1)
    );
    let wired = rows.iter().find(|row| row["grade"] == "wired").unwrap();
    assert_eq!(wired["resource_kind"], "queue");
    assert_eq!(wired["scanned_at"], "2026-01-31T07:58:12Z");
    assert_eq!(wired["complete"], "false");
    assert_eq!(wired["waiver_owner"], "");
}

#[test]
fn what_is_left_out_of_a_row_is_counted_in_it() {
    let mut report = report();
    let wide = &mut report.findings[0].finding;
    wide.more_resources = 4711;
    let one = wide.principals[0].clone();
    wide.principals = vec![one; MOST_PRINCIPALS + 3];
    let rows = rows(&report);
    assert_eq!(rows[0]["more_resources"], "4711");
    assert_eq!(rows[0]["more_principals"], "3");
    assert_eq!(
        rows[0]["principal_arns"].split("; ").count(),
        MOST_PRINCIPALS
    );
    assert_eq!(rows[1]["more_resources"], "0");
}

#[test]
fn formulas_stay_text() {
    for (raw, shown) in [
        ("=cmd()", "'=cmd()"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", r"'\t=1"),
        ("\r=1", r"'\r=1"),
        ("＝1", "'＝1"),
        ("a=1", "a=1"),
        ("", ""),
        ("\u{202e}=1", r"\u{202e}=1"),
    ] {
        assert_eq!(cell(raw), shown);
    }
}

#[test]
fn nothing_found_leaves_the_header() {
    assert!(rows(&example::clean()).is_empty());
    let mut nameless = report();
    nameless.findings[0].finding.subject = crate::finding::Entity::new(Kind::Anyone, "*");
    assert_rows(&nameless);
}

#[test]
fn hostile_names_stay_in_their_cells() {
    assert_rows(&hostile(&hostile_names()));
    for name in hostile_names() {
        assert_rows(&hostile(&[name]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_text_stays_in_its_cell(texts in proptest::collection::vec(any::<String>(), 1..24)) {
        assert_rows(&hostile(&texts));
    }

    #[test]
    fn any_formula_stays_text(texts in proptest::collection::vec("[=+@\t\r\"',;|-]{1,4}[a-z()!]{0,9}", 1..24)) {
        assert_rows(&hostile(&texts));
    }
}
