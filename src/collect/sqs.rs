//! Queues: `ListQueues`, `GetQueueAttributes` and `ListQueueTags` of the Amazon SQS API.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::list_queues::ListQueuesOutput;
use aws_sdk_sqs::types::QueueAttributeName;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::Scan;
use super::attributes::{arn_of_url, read_attributes};
use super::calls::{GET_QUEUE_ATTRIBUTES, LIST_QUEUE_TAGS, LIST_QUEUES};
use super::failure::Failure;
use crate::account::{Queue, Tag};
use crate::arn::Arn;

/// A page of `ListQueues`. Without a size SQS returns a thousand and no token: the rest would be lost.
const PAGE: i32 = 1000;
/// Calls at once for one region; there is one call for each queue and none for many.
const AT_ONCE: usize = 16;

/// The queues of a region with their attributes.
pub(super) async fn queues(scan: &Scan<'_>, region: &str) -> Vec<Queue> {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("sqs", Some(region));
    let mut urls: Vec<String> = Vec::new();
    scan.reader
        .pages(
            &LIST_QUEUES,
            Some(region),
            |token| {
                client
                    .list_queues()
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
            },
            ListQueuesOutput::next_token,
            |page| urls.extend(page.queue_urls.unwrap_or_default()),
        )
        .await;
    urls.sort();
    urls.dedup();
    unit.known(urls.len());
    let mut queues: Vec<Queue> = stream::iter(urls)
        .map(|url| async {
            let queue = queue(scan, &client, region, url).await;
            unit.advanced(1);
            queue
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    // What is read for them is kept by them.
    queues.sort_by(|a, b| a.arn.cmp(&b.arn));
    queues
}

async fn queue(scan: &Scan<'_>, client: &Client, region: &str, url: String) -> Option<Queue> {
    let request = client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::All)
        .send();
    let answer = scan
        .reader
        .call(&GET_QUEUE_ATTRIBUTES, Some(region), request)
        .await
        .and_then(|answer| {
            answer
                .attributes
                .filter(|attributes| !attributes.is_empty())
                .ok_or_else(|| Failure::word("MalformedResponse"))
        });
    let named = answer
        .as_ref()
        .ok()
        .and_then(|attributes| attributes.get(&QueueAttributeName::QueueArn))
        .and_then(|text| Arn::parse(text).ok());
    let arn = named.or_else(|| arn_of_url(&url, &scan.partition, region));
    let resource = arn.as_ref().map_or(url.as_str(), Arn::as_str);
    let attributes = match answer {
        Ok(attributes) => {
            let (attributes, remarks) = read_attributes(&attributes);
            for remark in remarks {
                scan.reader
                    .note(Some(region), "sqs", Some(resource), &remark);
            }
            Some(attributes)
        }
        Err(failure) => {
            let exists =
                scan.reader
                    .still_exists(&GET_QUEUE_ATTRIBUTES, Some(region), resource, &failure);
            if !exists {
                return None;
            }
            None
        }
    };
    let Some(arn) = arn else {
        let failure = Failure::word("MalformedResponse");
        scan.reader
            .failed(&LIST_QUEUES, Some(region), Some(&url), &failure);
        return None;
    };
    Some(Queue {
        arn,
        url,
        attributes,
        tags: None,
    })
}

/// Reads the tags of every queue. Worth its one call for each queue only where a policy looks at them.
pub(super) async fn tags(scan: &Scan<'_>, region: &str, queues: Vec<Queue>) -> Vec<Queue> {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("sqs tags", Some(region));
    unit.known(queues.len());
    stream::iter(queues)
        .map(|queue| async {
            let queue = tagged(scan, &client, region, queue).await;
            unit.advanced(1);
            queue
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

async fn tagged(scan: &Scan<'_>, client: &Client, region: &str, mut queue: Queue) -> Queue {
    let request = client.list_queue_tags().queue_url(&queue.url).send();
    match scan
        .reader
        .call(&LIST_QUEUE_TAGS, Some(region), request)
        .await
    {
        Ok(answer) => {
            let mut tags: Vec<Tag> = answer
                .tags
                .unwrap_or_default()
                .into_iter()
                .map(|(key, value)| Tag { key, value })
                .collect();
            tags.sort();
            queue.tags = Some(tags);
        }
        Err(failure) => scan.reader.failed(
            &LIST_QUEUE_TAGS,
            Some(region),
            Some(queue.arn.as_str()),
            &failure,
        ),
    }
    queue
}
