//! A run that is killed while it writes leaves each file as it was or as it should be, never half, and is in nobody's way.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

/// How often a run is killed.
const ROUNDS: u32 = 12;
const FORMATS: [&str; 9] = [
    "html", "json", "jsonl", "csv", "junit", "sarif", "ocsf", "asff", "markdown",
];
const OLD: &[u8] = b"what stood here before\n";

/// An account whose reports take a while to be written.
fn snapshot() -> Value {
    let queues: Vec<Value> = (0..90)
        .map(|number| {
            let arn = format!("arn:aws:sqs:eu-west-1:111122223333:queue-{number:03}");
            json!({"arn": arn, "url": "https://queue", "attributes": {}})
        })
        .collect();
    let roles: Vec<Value> = (0..90)
        .map(|number| {
            json!({
                "arn": format!("arn:aws:iam::111122223333:role/worker-{number:03}"), "id": format!("AROA{number:03}"),
                "trust": {"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
                "inline": [{"name": "own", "document": {"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"],
                     "Resource": "arn:aws:sqs:eu-west-1:111122223333:queue-*"}]}}]
            })
        })
        .collect();
    json!({"schema": "patscan.snapshot/v1", "account": {
        "id": "111122223333", "partition": "aws", "regions": ["eu-west-1"], "scanned_at": "2026-01-31T08:00:00Z",
        "organization": {"membership": "none"}, "roles": roles, "queues": queues}})
}

/// A folder that runs write to.
struct Place(PathBuf);

impl Place {
    fn start(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_patscan"));
        command.env_clear().args(["analyze", "-q", "account.json"]);
        for format in FORMATS {
            command.args(["-f", &format!("{format}=out.{format}")]);
        }
        command.current_dir(&self.0).stdout(Stdio::null());
        command.spawn().unwrap()
    }

    fn output(&self, format: &str) -> PathBuf {
        self.0.join(format!("out.{format}"))
    }

    fn temporary(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).unwrap().flatten();
        let paths = entries.map(|entry| entry.path());
        paths
            .filter(|path| {
                path.file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with(".patscan-")
            })
            .collect()
    }

    /// Waits until something is written to a file that was not there before.
    fn wait_for_writing(&self, child: &mut Child, known: &[PathBuf]) {
        let is_written = |path: &PathBuf| {
            !known.contains(path) && std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
        };
        while child.try_wait().unwrap().is_none() && !self.temporary().iter().any(is_written) {
            sleep(Duration::from_millis(1));
        }
    }
}

/// The same for every run: when a report is made is written in digits.
fn without_digits(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    for byte in &mut bytes {
        if byte.is_ascii_digit() {
            *byte = b'0';
        }
    }
    bytes
}

/// The next of a row of numbers that look random (xorshift).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn seed() -> u64 {
    let named = std::env::var("PATSCAN_SEED").ok();
    named.map_or_else(
        || {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            u64::try_from(now.unwrap().as_nanos() & u128::from(u64::MAX)).unwrap() | 1
        },
        |seed| seed.parse().unwrap(),
    )
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "whoever looks for what went wrong wants the same row of numbers"
)]
fn a_killed_run_leaves_every_file_old_or_new() {
    let mut state = seed();
    println!("PATSCAN_SEED={state}");
    let folder = tempfile::tempdir().unwrap();
    let place = Place(folder.path().to_owned());
    std::fs::write(folder.path().join("account.json"), snapshot().to_string()).unwrap();

    let mut whole = place.start();
    place.wait_for_writing(&mut whole, &[]);
    let begun = Instant::now();
    whole.wait().unwrap();
    let window = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let wanted = FORMATS.map(|format| without_digits(&place.output(format)));
    assert!(wanted.iter().all(|bytes| bytes.len() > 1000));

    let (mut old, mut new, mut left) = (0, 0, 0);
    for round in 0..ROUNDS {
        for format in FORMATS {
            std::fs::write(place.output(format), OLD).unwrap();
        }
        let known = place.temporary();
        let mut child = place.start();
        place.wait_for_writing(&mut child, &known);
        sleep(Duration::from_micros(next(&mut state) % window.max(1)));
        child.kill().unwrap();
        child.wait().unwrap();
        for (format, wanted) in FORMATS.iter().zip(&wanted) {
            let path = place.output(format);
            if std::fs::read(&path).unwrap() == OLD {
                old += 1;
            } else {
                assert!(
                    without_digits(&path) == *wanted,
                    "round {round}: {format} is half"
                );
                new += 1;
            }
        }
        left += place.temporary().len().saturating_sub(known.len());
    }
    println!("{old} files old, {new} new, {left} temporary files left");
    assert!(old > 0 && left > 0, "no run was killed in time");

    // What is left is in nobody's way, and goes once nobody can be writing it any more.
    for path in place.temporary() {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_mins(5))
            .unwrap();
    }
    let status = place.start().wait().unwrap();
    assert_eq!(status.code(), Some(1));
    for (format, wanted) in FORMATS.iter().zip(&wanted) {
        assert!(without_digits(&place.output(format)) == *wanted, "{format}");
    }
    assert_eq!(place.temporary(), Vec::<PathBuf>::new());
}
