//! What the collectors read out of text that AWS hands on from whoever wrote it, each reader by itself: for tests and fuzzers.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;

use crate::account::Queue;

use super::attributes::{arn_of_url, queue_of_url, read_attributes};
use super::integration::target_of_subtype;
use super::journal;
use super::states_language::tasks;

/// The definition of a state machine.
pub fn state_machine(definition: &str) {
    let _ = tasks(definition);
}

/// What an interrupted scan left, each part as a list of queues.
pub fn journal(data: &[u8]) {
    let _ = journal::read_all::<Vec<Queue>>(data);
}

/// The attributes of a queue, each of them this text.
pub fn queue_attributes(text: &str) {
    let attributes: HashMap<_, _> = [
        QueueAttributeName::Policy,
        QueueAttributeName::RedrivePolicy,
        QueueAttributeName::RedriveAllowPolicy,
        QueueAttributeName::KmsMasterKeyId,
        QueueAttributeName::FifoQueue,
        QueueAttributeName::SqsManagedSseEnabled,
    ]
    .into_iter()
    .map(|name| (name, text.to_owned()))
    .collect();
    let _ = read_attributes(&attributes);
}

/// The URL of a queue.
pub fn queue_url(url: &str) {
    let _ = arn_of_url(url, "aws", "eu-west-1");
    let _ = queue_of_url(url, "aws", "eu-west-1");
}

/// The parameters of an integration of an API, each of them this text.
pub fn integration(text: &str) {
    let parameters: HashMap<String, String> =
        ["QueueUrl", "Region", "StateMachineArn", "EventBusName"]
            .into_iter()
            .map(|name| (name.to_owned(), text.to_owned()))
            .collect();
    for subtype in [
        "SQS-SendMessage",
        "StepFunctions-StartExecution",
        "EventBridge-PutEvents",
        text,
    ] {
        let place = ("eu-west-1", "111122223333");
        let _ = target_of_subtype(subtype, Some(&parameters), "aws", place);
    }
}
