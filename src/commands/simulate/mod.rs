//! `patscan simulate`: decides authorization requests given as JSON Lines, any service and any action.
//!
//! One request per line in, one decision per line out, in order, while reading. A line that cannot be read is answered by an
//! error in its place. Memory does not grow with the input: of a line and of the policies seen so far only so much is kept.

mod answer;
mod documents;
mod lines;
mod request;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::answer::Answers;
use self::lines::{LONGEST_LINE, Line, read_line};
use self::request::RequestLine;
use super::Outcome;
use crate::cli::SimulateArgs;
use crate::report;

/// Bytes read and written at once.
const BUFFER: usize = 64 * 1024;

#[derive(Serialize)]
struct ErrorLine {
    id: Value,
    error: String,
}

pub(super) fn run(args: &SimulateArgs) -> Result<Outcome> {
    let stdout = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let decided = if args.file.as_os_str() == "-" {
        let stdin = io::stdin().lock();
        decide_lines(BufReader::with_capacity(BUFFER, stdin), stdout)
    } else {
        let file = open(&args.file)?;
        decide_lines(BufReader::with_capacity(BUFFER, file), stdout)
    };
    match decided {
        Ok(0) => Ok(Outcome::Clean),
        Ok(broken) => {
            let lines = if broken == 1 { "line" } else { "lines" };
            super::explain(&format!(
                "exit 2: {broken} {lines} could not be read (their answers say why)"
            ));
            Ok(Outcome::Failed)
        }
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Outcome::Clean),
        Err(error) => Err(anyhow!(
            "cannot decide every line: {error}; check the input and the disk"
        )),
    }
}

fn open(path: &Path) -> Result<File> {
    let opened = File::open(path).and_then(|file| {
        if file.metadata()?.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a folder",
            ));
        }
        Ok(file)
    });
    opened.map_err(|error| {
        anyhow!(
            "cannot read `{}`: {error}; give a file of JSON Lines, or `-` for standard input",
            path.display()
        )
    })
}

/// Decides every line of `input`, empty ones included; returns how many could not be read. Whenever no further input is at
/// hand, what is decided is written out, so that a caller can wait for an answer before it asks again.
///
/// # Errors
/// When reading or writing fails.
pub fn decide_lines(mut input: BufReader<impl Read>, mut output: impl Write) -> io::Result<u64> {
    let mut broken = 0;
    let mut answers = Answers::new();
    let mut line = Vec::new();
    loop {
        let answered = match read_line(&mut input, &mut line)? {
            Line::Whole => decide_line(&line, &mut answers, &mut output)?,
            Line::TooLong => Err(ErrorLine {
                id: Value::Null,
                error: format!(
                    "the request cannot be read: the line is longer than {} MiB",
                    LONGEST_LINE / 1024 / 1024
                ),
            }),
            Line::End => break,
        };
        if let Err(error) = answered {
            broken += 1;
            report::write_json_line(&error, &mut output)?;
        }
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
    output.flush()?;
    Ok(broken)
}

/// Writes the decision of a line, or returns why there is none.
fn decide_line(
    line: &[u8],
    answers: &mut Answers,
    output: &mut impl Write,
) -> io::Result<std::result::Result<(), ErrorLine>> {
    let mut request = match RequestLine::read(line) {
        Ok(request) => request,
        Err(error) => {
            return Ok(Err(ErrorLine {
                id: id_of(line),
                error: format!("the request cannot be read: {error}"),
            }));
        }
    };
    let id = std::mem::take(&mut request.id);
    match answers.answer(request) {
        Ok(answer) => report::write_json_line(&answer.with_id(&id), output).map(Ok),
        Err(error) => Ok(Err(ErrorLine { id, error })),
    }
}

/// The id of a line that is JSON but no request.
fn id_of(line: &[u8]) -> Value {
    #[derive(Deserialize)]
    struct OnlyId {
        #[serde(default)]
        id: Value,
    }
    serde_json::from_slice::<OnlyId>(line).map_or(Value::Null, |line| line.id)
}
