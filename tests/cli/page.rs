//! The page of a report in a real browser: what it shows, and that names from an account do nothing in it.
//!
//! With Chromium where there is one (`PATSCAN_BROWSER` names it); elsewhere these tests say that they looked at nothing. What can be
//! told without a browser is told by the tests beside the writer.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::assert_harmless;
use super::hostile::{hostile_account, hostile_file, marked_up};
use crate::patscan::{Patscan, fixture};

/// A browser that has read a page.
struct Read {
    /// The page as the script left it.
    dom: String,
    /// What was said on the console.
    console: Vec<String>,
}

#[expect(
    clippy::print_stderr,
    reason = "a test that looked at nothing has to say so"
)]
fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PATSCAN_BROWSER") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file());
    if found.is_none() {
        eprintln!("no browser: nothing was looked at; install chromium or set PATSCAN_BROWSER");
    }
    found
}

impl Read {
    /// Reads a page, at a finding if one is named.
    fn page(browser: &Path, page: &Path, finding: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let output = Command::new(browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-first-run",
                "--window-size=1400,900",
                "--enable-logging=stderr",
                "--virtual-time-budget=4000",
                "--dump-dom",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("file://{}#{finding}", page.display()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let console = said.lines().filter(|line| line.contains("CONSOLE"));
        Self {
            dom: String::from_utf8(output.stdout).unwrap(),
            console: console.map(str::to_owned).collect(),
        }
    }

    /// What must hold of every page that was read.
    fn check(&self) {
        assert_eq!(self.console, [""; 0]);
        assert!(
            self.dom.contains("data-ready=\"yes\""),
            "the script did not come to its end"
        );
        assert_harmless(&self.dom);
        assert!(!self.dom.contains("<img") && !self.dom.contains("<iframe"));
        assert!(
            self.dom.contains("<title>patscan: Account "),
            "the title was changed"
        );
    }

    /// What is between a beginning and the next end after it.
    fn between(&self, start: &str, end: &str) -> &str {
        let (_, rest) = self
            .dom
            .split_once(start)
            .unwrap_or_else(|| panic!("{start}"));
        rest.split_once(end).unwrap().0
    }

    fn detail(&self) -> &str {
        self.between("<article id=\"detail\"", "</article>")
    }
}

/// Writes the page and the JSON report of a snapshot.
fn written(snapshot: &Path, folder: &Path, arguments: &[&str]) -> (PathBuf, Value) {
    let page = folder.join("report.html");
    let run = Patscan::new(["analyze", "-q", "-f", "json", "-f"])
        .arg(format!("html={}", page.display()))
        .args(arguments)
        .arg(snapshot)
        .run();
    assert!(run.code != 2, "{}", run.stderr);
    (page, run.json())
}

#[test]
fn the_page_opens_with_the_gravest_finding_and_at_any_other_by_its_address() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (page, report) = written(&fixture("demo"), folder.path(), &[]);
    let findings = report["findings"].as_array().unwrap();
    let read = Read::page(&browser, &page, "");
    read.check();
    assert_eq!(read.dom.matches("role=\"row\"").count(), findings.len());
    let title = findings[0]["title"].as_str().unwrap();
    assert!(read.detail().contains(title), "{}", read.detail());
    let wired = findings
        .iter()
        .find(|finding| finding["resources"][0]["grade"] == "wired");
    let wired = wired.unwrap();
    let read = Read::page(&browser, &page, wired["id"].as_str().unwrap());
    read.check();
    let detail = read.detail();
    for part in [
        wired["title"].as_str().unwrap(),
        wired["remedy"]["summary"].as_str().unwrap(),
        "statement TryAgainLater",
        "How to mend it",
        "Proof",
        "About queue-feedback-loop",
        "class=\"small-picture\"",
        "class=\"line loop\"",
    ] {
        assert!(detail.contains(part), "{part} in {detail}");
    }
}

#[test]
fn what_is_waived_is_shown_when_it_is_asked_for() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let waivers = folder.path().join("waivers.toml");
    std::fs::write(
        &waivers,
        "[[waiver]]\nrule = \"queue-feedback-loop\"\nsubject = \"orders-processor\"\nowner = \"<b>orders</b>\"\nreason = \"meant\"\nexpires = 2999-01-01\n",
    )
    .unwrap();
    let arguments = ["--waivers", waivers.to_str().unwrap()];
    let (page, report) = written(&fixture("demo"), folder.path(), &arguments);
    let findings = report["findings"].as_array().unwrap();
    let waived = findings
        .iter()
        .find(|one| one["status"] == "waived")
        .unwrap();
    let read = Read::page(&browser, &page, "");
    read.check();
    assert_eq!(read.dom.matches("role=\"row\"").count(), findings.len() - 1);
    let read = Read::page(&browser, &page, waived["id"].as_str().unwrap());
    read.check();
    assert_eq!(read.dom.matches("role=\"row\"").count(), findings.len());
    assert!(
        read.detail()
            .contains("accepted (until 2999-01-01), &lt;b&gt;orders&lt;/b&gt;: meant")
    );
}

#[test]
fn names_from_an_account_do_nothing_in_the_page() {
    let Some(browser) = browser() else { return };
    // Whoever gets a name to be loaded is noticed here.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let long = "x".repeat(480);
    let names = [
        format!("<img src=http://{address}/ onerror=document.title=1>"),
        "</script><script>document.title=1</script>".to_owned(),
        "\"><svg onload=document.title=1>".to_owned(),
        "</template></title><iframe srcdoc=x>".to_owned(),
        "javascript:document.title=1//\u{202e}\u{1b}[31m".to_owned(),
        "=cmd()".to_owned(),
        long,
    ];
    let mut account = hostile_account();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    marked_up(&mut account, &names);
    account["roles"][0]["tags"] = json!([{"key": names[0], "value": names[1]}]);
    let (_file_folder, file) = hostile_file(&account);
    let folder = tempfile::tempdir().unwrap();
    let (page, report) = written(&file, folder.path(), &[]);
    let read = Read::page(&browser, &page, "");
    read.check();
    assert!(read.dom.contains("<b>Incomplete.</b>"));
    let findings = report["findings"].as_array().unwrap();
    for name in names {
        let about = findings.iter().find(|finding| {
            let arn = finding["subject"]["arn"].as_str().unwrap();
            arn == format!("arn:aws:iam::111122223333:role/{name}")
        });
        let about = about.unwrap_or_else(|| panic!("{name}"));
        let read = Read::page(&browser, &page, about["id"].as_str().unwrap());
        read.check();
        assert!(read.detail().contains("How to mend it"), "{name}");
    }
    let nobody = listener.accept().unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
}
