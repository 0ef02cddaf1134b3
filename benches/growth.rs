//! How the cost of each stage grows with the account: a table with the factor from each size to the next.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench whose account cannot be read has nothing to measure"
)]

mod measured;

use std::hint::black_box;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use self::measured::{Input, sizes};

/// A stage is run again until this is spent, and its fastest run counts: what else the machine does only makes it slower, and
/// the first run of a size has to get its memory from the system.
const ENOUGH: Duration = Duration::from_secs(2);
const RUNS: RangeInclusive<usize> = 4..=10;

/// One line of the table: what grows, and how much of it there is at each size.
struct Line {
    what: &'static str,
    unit: Unit,
    amounts: Vec<f64>,
}

#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Bytes,
    Pairs,
}

impl Line {
    fn of(what: &'static str, unit: Unit) -> Self {
        Self {
            what,
            unit,
            amounts: Vec::new(),
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{:<12}", self.what)?;
        let mut before = None;
        for amount in &self.amounts {
            let (scaled, unit) = match self.unit {
                Unit::Seconds => (amount * 1e3, "ms"),
                Unit::Bytes => (amount / 1e6, "MB"),
                Unit::Pairs => (amount / 1e6, "M "),
            };
            write!(out, "{scaled:>12.2} {unit}")?;
            match before {
                Some(before) => write!(out, " {:>6.1}x", amount / before)?,
                None => write!(out, "        ")?,
            }
            before = Some(*amount);
        }
        writeln!(out)
    }
}

fn main() -> io::Result<()> {
    let sizes = sizes();
    let mut out = io::stdout().lock();
    let mut snapshot = Line::of("snapshot", Unit::Bytes);
    let mut documents = Line::of("documents", Unit::Bytes);
    let mut pairs = Line::of("pairs", Unit::Pairs);
    let mut report = Line::of("report", Unit::Bytes);
    let mut parse = Line::of("parse", Unit::Seconds);
    let mut matrix = Line::of("matrix", Unit::Seconds);
    let mut access = Line::of("access", Unit::Seconds);
    let mut loops = Line::of("loops", Unit::Seconds);
    let mut analyze = Line::of("analyze", Unit::Seconds);
    for size in &sizes {
        let input = Input::of(*size);
        snapshot.amounts.push(size_of(input.snapshot.len()));
        documents.amounts.push(size_of(input.bytes_of_documents()));
        pairs.amounts.push(size_of(input.pairs()));
        parse.amounts.push(fastest(|| input.parse()));
        matrix.amounts.push(fastest_after(
            || input.prepared(),
            |mut access| {
                access.decide();
                access
            },
        ));
        access
            .amounts
            .push(fastest(|| input.access().principals.len()));
        let computed = input.access();
        loops.amounts.push(fastest(|| input.loops(&computed)));
        drop(computed);
        let mut length = 0;
        analyze.amounts.push(fastest_of(|| {
            let (written, took) = input.analyze();
            length = written;
            took
        }));
        report.amounts.push(size_of(length));
    }
    write!(out, "{:<12}", "")?;
    for size in &sizes {
        write!(out, "{size:>12}           ")?;
    }
    writeln!(out)?;
    for line in [
        snapshot, documents, pairs, parse, matrix, access, loops, analyze, report,
    ] {
        line.write(&mut out)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "no count is that large")]
fn size_of(count: usize) -> f64 {
    count as f64
}

/// The seconds that the fastest run took.
fn fastest(run: impl Fn() -> usize) -> f64 {
    fastest_after(|| (), |()| run())
}

/// The same where each run takes something that is made before and whose making does not count, nor does dropping the
/// result.
fn fastest_after<T, R>(make: impl Fn() -> T, run: impl Fn(T) -> R) -> f64 {
    fastest_of(|| {
        let input = make();
        let before = Instant::now();
        let result = black_box(run(input));
        let took = before.elapsed();
        drop(result);
        took
    })
}

/// The same where each run says how long it took.
fn fastest_of(mut run: impl FnMut() -> Duration) -> f64 {
    let begun = Instant::now();
    let mut fastest = Duration::MAX;
    for number in 1..=*RUNS.end() {
        fastest = fastest.min(run());
        if number >= *RUNS.start() && begun.elapsed() > ENOUGH {
            break;
        }
    }
    fastest.as_secs_f64()
}
