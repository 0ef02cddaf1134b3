//! What principals could give themselves, on random accounts: the same from structure as pair by pair, and really there once a
//! queue's policy says so.

use patscan::access::{Access, Capability};
use patscan::account::{Account, Encryption, PolicyText};
use patscan::policy::Formula;
use proptest::prelude::*;

use crate::generated::cases;
use crate::random_account::accounts;

const MESSAGES: [Capability; 2] = [Capability::Send, Capability::Receive];

/// When the principal could give itself each of [`MESSAGES`] in the policy of a queue.
fn gains(access: &Access<'_>, principal: usize, queue: usize) -> [Formula; 2] {
    let number = u32::try_from(queue).unwrap();
    let grant = access
        .queue_grants(principal)
        .find(|grant| grant.queues.contains(number));
    MESSAGES.map(|capability| {
        grant
            .as_ref()
            .map_or(Formula::Never, |grant| grant.when(capability).clone())
    })
}

fn each_pair(access: &Access<'_>) -> impl Iterator<Item = (usize, usize)> {
    let queues = access.queues.len();
    (0..access.principals.len())
        .flat_map(move |principal| (0..queues).map(move |queue| (principal, queue)))
}

/// The accounts with a queue whose policy lets everybody do everything, and which is not encrypted.
fn opened(accounts: &[Account], queue: &str) -> Vec<Account> {
    let mut accounts = accounts.to_vec();
    for opened in accounts.iter_mut().flat_map(|account| &mut account.queues) {
        if opened.arn.as_str() == queue
            && let Some(attributes) = &mut opened.attributes
        {
            let policy = serde_json::json!({
                "Version": "2012-10-17",
                "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": queue}
            });
            attributes.policy = Some(PolicyText::new(&policy.to_string()));
            attributes.encryption = Encryption::None;
        }
    }
    accounts
}

fn is_dead_letter_queue(accounts: &[Account], queue: &str) -> bool {
    let queues = accounts.iter().flat_map(|account| &account.queues);
    queues
        .filter_map(|queue| queue.attributes.as_ref()?.redrive.as_ref())
        .any(|redrive| redrive.dead_letter_queue.as_str() == queue)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn structure_finds_the_grants_that_every_pair_by_itself_gives(accounts in accounts()) {
        let fast = Access::compute(&accounts);
        let slow = Access::compute_pair_by_pair(&accounts);
        for (principal, queue) in each_pair(&fast) {
            let words = |formula: Formula| (formula.is_never(), formula.conditions());
            prop_assert_eq!(
                gains(&fast, principal, queue).map(words),
                gains(&slow, principal, queue).map(words),
                "{} on {}",
                fast.principals[principal].arn,
                fast.queues[queue].queue.arn
            );
        }
    }

    #[test]
    fn what_one_could_give_itself_is_lacking_before_and_there_once_the_policy_says_so(
        accounts in accounts()
    ) {
        let before = Access::compute(&accounts);
        for queue in 0..before.queues.len() {
            let arn = before.queues[queue].queue.arn.as_str();
            if before.queues[queue].queue.attributes.is_none() {
                continue;
            }
            let opened = opened(&accounts, arn);
            let after = Access::compute_pair_by_pair(&opened);
            // The messages of other queues come with the keys of those.
            let mixed = is_dead_letter_queue(&accounts, arn);
            for principal in 0..before.principals.len() {
                for (capability, gain) in
                    MESSAGES.into_iter().zip(gains(&before, principal, queue))
                {
                    if gain.is_never() {
                        continue;
                    }
                    let lacks = before
                        .rights_on(principal, queue)
                        .is_none_or(|rights| rights.when(capability).is_never());
                    prop_assert!(lacks, "{} on {arn}", before.principals[principal].arn);
                    let has = after.rights_on(principal, queue).is_some_and(|rights| {
                        let when = rights.when(capability);
                        if gain.is_always() && !mixed { when.is_always() } else { !when.is_never() }
                    });
                    prop_assert!(has, "{} on {arn}", before.principals[principal].arn);
                }
            }
        }
    }
}
