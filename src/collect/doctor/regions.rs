//! Which regions answer: each that would be scanned is asked for one queue, which a scan begins with as well.

use std::time::{Duration, Instant};

use aws_sdk_sqs::Client;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::Standing;
use crate::collect::Scan;
use crate::collect::attributes::arn_of_url;
use crate::collect::calls::LIST_QUEUES;
use crate::collect::failure::Kind;
use crate::collect::regions::KnownRegions;

/// Regions asked at once.
const AT_ONCE: usize = 4;

/// A region of the account, or one that was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedRegion {
    /// Its name.
    pub name: String,
    /// How it answered; none for a region that would not be scanned.
    pub answering: Option<Answering>,
}

/// How a region answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answering {
    /// With queues, or that there are none.
    Answers {
        /// How long it took, in milliseconds.
        milliseconds: u64,
    },
    /// That the caller may not ask: the endpoint is there.
    Refuses {
        /// How long it took, in milliseconds.
        milliseconds: u64,
        /// The error code.
        code: String,
    },
    /// Not at all, or with something that is no answer to the question.
    Fails {
        /// The error code, or a word for what failed on the way there.
        code: String,
    },
}

impl AskedRegion {
    /// Whether a scan would get its answers from the region; permissions are another question.
    pub fn is_readable(&self) -> bool {
        !matches!(self.answering, Some(Answering::Fails { .. }))
    }
}

/// A queue to ask about.
#[derive(Debug, Clone)]
pub(super) struct FoundQueue {
    pub(super) region: String,
    pub(super) url: String,
    /// None when the URL does not tell it.
    pub(super) arn: Option<String>,
}

/// Asks the regions to be scanned, and lists the others that are enabled beside them. Of all queues that were named, that of
/// the first region.
pub(super) async fn ask(
    scan: &Scan<'_>,
    known: Option<&KnownRegions>,
    chosen: &[String],
) -> (Vec<AskedRegion>, Option<FoundQueue>) {
    let mut answers: Vec<(AskedRegion, Option<FoundQueue>)> = stream::iter(chosen.to_vec())
        .map(|name| one(scan, name))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let others = known.into_iter().flatten();
    let others = others.filter(|(name, enabled)| **enabled && !chosen.contains(name));
    answers.extend(others.map(|(name, _)| {
        let region = AskedRegion {
            name: name.clone(),
            answering: None,
        };
        (region, None)
    }));
    answers.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    let queue = answers.iter().find_map(|(_, queue)| queue.clone());
    let regions = answers.into_iter().map(|(region, _)| region).collect();
    (regions, queue)
}

async fn one(scan: &Scan<'_>, name: String) -> (AskedRegion, Option<FoundQueue>) {
    let client = Client::new(&scan.session.in_region(&name));
    let begun = Instant::now();
    let request = client.list_queues().max_results(1).send();
    let answer = scan.reader.call(&LIST_QUEUES, Some(&name), request).await;
    let milliseconds = whole_milliseconds(begun.elapsed());
    let (answering, url) = match answer {
        Ok(page) => (
            Answering::Answers { milliseconds },
            page.queue_urls.unwrap_or_default().into_iter().next(),
        ),
        Err(failure) if failure.kind == Kind::Refused => {
            let code = failure.code;
            (Answering::Refuses { milliseconds, code }, None)
        }
        Err(failure) => (Answering::Fails { code: failure.code }, None),
    };
    let queue = url.map(|url| FoundQueue {
        arn: arn_of_url(&url, &scan.partition, &name).map(|arn| arn.to_string()),
        region: name.clone(),
        url,
    });
    let region = AskedRegion {
        name,
        answering: Some(answering),
    };
    (region, queue)
}

fn whole_milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The region that regional services are asked in: one with a queue, or else the usual one where it answers, or the first that
/// does.
pub(super) fn for_probes(
    regions: &[AskedRegion],
    queue: Option<&FoundQueue>,
    base: &str,
) -> String {
    if let Some(queue) = queue {
        return queue.region.clone();
    }
    let asked = || regions.iter().filter(|region| region.answering.is_some());
    let usual = asked().find(|region| region.name == base && region.is_readable());
    usual
        .or_else(|| asked().find(|region| region.is_readable()))
        .or_else(|| asked().next())
        .map_or_else(|| base.to_owned(), |region| region.name.clone())
}

/// What the regions together tell of the permission to list queues: one that refuses is enough to miss something.
pub(super) fn standing_of_listing(regions: &[AskedRegion]) -> Standing {
    let mut refused = Vec::new();
    let mut code_of_refusal = None;
    let mut failed = None;
    let mut answered = false;
    for region in regions {
        match &region.answering {
            Some(Answering::Answers { .. }) => answered = true,
            Some(Answering::Refuses { code, .. }) => {
                refused.push(region.name.as_str());
                code_of_refusal.get_or_insert_with(|| code.clone());
            }
            Some(Answering::Fails { code }) => {
                failed.get_or_insert_with(|| code.clone());
            }
            None => {}
        }
    }
    match (code_of_refusal, failed) {
        (Some(code), _) => Standing::Denied {
            code,
            on: Some(refused.join(", ")),
        },
        (None, Some(code)) if !answered => Standing::Unknown {
            why: format!("no region answers ({code})"),
        },
        _ => Standing::Allowed,
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unnecessary_wraps,
        reason = "what a region answers is optional where it is compared"
    )]

    use super::*;

    fn region(name: &str, answering: Option<Answering>) -> AskedRegion {
        AskedRegion {
            name: name.to_owned(),
            answering,
        }
    }

    fn answers() -> Option<Answering> {
        Some(Answering::Answers { milliseconds: 1 })
    }

    fn fails() -> Option<Answering> {
        Some(Answering::Fails {
            code: "Timeout".to_owned(),
        })
    }

    fn refuses() -> Option<Answering> {
        Some(Answering::Refuses {
            milliseconds: 1,
            code: "AccessDenied".to_owned(),
        })
    }

    #[test]
    fn one_region_that_refuses_is_told() {
        let regions = [
            region("a", answers()),
            region("b", refuses()),
            region("c", fails()),
            region("d", None),
        ];
        assert_eq!(
            standing_of_listing(&regions),
            Standing::Denied {
                code: "AccessDenied".to_owned(),
                on: Some("b".to_owned())
            }
        );
    }

    #[test]
    fn where_no_region_answers_nothing_is_known() {
        let regions = [region("c", fails()), region("d", None)];
        assert!(matches!(
            standing_of_listing(&regions),
            Standing::Unknown { .. }
        ));
        let regions = [region("b", answers()), region("c", fails())];
        assert_eq!(standing_of_listing(&regions), Standing::Allowed);
    }

    #[test]
    fn probes_go_where_something_answers() {
        let regions = [
            region("a", None),
            region("b", fails()),
            region("c", answers()),
            region("d", answers()),
        ];
        assert_eq!(for_probes(&regions, None, "d"), "d");
        assert_eq!(for_probes(&regions, None, "b"), "c");
        assert_eq!(for_probes(&regions, None, "a"), "c");
        assert_eq!(for_probes(&regions[..2], None, "a"), "b");
        let queue = FoundQueue {
            region: "d".to_owned(),
            url: String::new(),
            arn: None,
        };
        assert_eq!(for_probes(&regions, Some(&queue), "c"), "d");
    }
}
