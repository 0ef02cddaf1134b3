//! How fast each service is asked when nobody says otherwise: a third of the published quota at most, so that production keeps
//! most of it.

/// Where AWS publishes nothing for the reads that a scan makes. Slow beside what consoles and pipelines send.
const UNPUBLISHED: f64 = 10.0;

/// The most requests in a second to one service of one region.
///
/// Published, per account and region (each service's page "Quotas"): API Gateway 10 for all of its management API; Lambda 15 for
/// the control plane; EC2 a bucket of 50 to 100 that refills with 10 to 20; Step Functions a bucket of 100 to 200 that refills with
/// 5 to 20; ECS a bucket of 50 to 100 that refills with 20; SNS 30 for lists and attributes; KMS 100 for grants, more for the rest.
/// Nothing is published for queues, of which there are many and each takes a call: SQS answers thousands in a second.
pub(super) fn of(service: &str) -> f64 {
    match service {
        "apigateway" => 3.0,
        "lambda" | "states" | "organizations" | "iot" => 5.0,
        "ecs" | "ec2" | "eks" | "autoscaling" => 6.0,
        "kms" => 30.0,
        "sqs" => 50.0,
        // Asked for one bucket after the other; a bucket takes thousands in a second.
        "s3" => 20.0,
        _ => UNPUBLISHED,
    }
}
