//! Services that AWS does not offer in every region, and that a region may therefore lack without anything being hidden.
//!
//! Only the first question to a service counts: once it has named something of its own, no answer is no excuse. The services
//! that a scan is about, and those that every region has, are not among them.

/// By the namespace of their IAM actions, sorted.
const OPTIONAL: &[&str] = &[
    "apigateway",
    "autoscaling",
    "ecs",
    "eks",
    "events",
    "glue",
    "iot",
    "pipes",
    "scheduler",
    "sns",
    "states",
];

/// What is said of a region without the service.
pub(super) const NOT_OFFERED: &str =
    "the region does not offer this service: its endpoint has no address or does not know it";

/// Whether a region may lack a service.
pub(super) fn is_optional(service: &str) -> bool {
    OPTIONAL.binary_search(&service).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_scan_is_about_is_never_optional() {
        assert!(OPTIONAL.is_sorted());
        assert!(OPTIONAL.iter().all(|service| is_optional(service)));
        for service in ["sqs", "iam", "sts", "ec2", "kms", "lambda"] {
            assert!(!is_optional(service), "{service}");
        }
    }
}
