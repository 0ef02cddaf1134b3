//! Findings between the export and the SDK: the same fields, none more and none less.

use aws_sdk_securityhub::types::{
    AwsSecurityFinding, Compliance, ComplianceStatus, FindingProviderFields,
    FindingProviderSeverity, Partition, Recommendation, RecordState, Remediation, Resource,
    Severity, SeverityLabel,
};
use chrono::{DateTime, Utc};

use crate::report::asff::{AsffFinding, SeverityOf};
use crate::report::time;

/// What the SDK sends for a finding of the export. Taken apart field by field, so that one more there is missed here by the
/// compiler.
pub(super) fn to_import(finding: AsffFinding) -> AwsSecurityFinding {
    let AsffFinding {
        schema_version,
        id,
        product_arn,
        product_name,
        generator_id,
        aws_account_id,
        region,
        types,
        first_observed_at,
        last_observed_at,
        created_at,
        updated_at,
        severity,
        title,
        description,
        remediation,
        product_fields,
        resources,
        compliance,
        record_state,
        finding_provider_fields,
    } = finding;
    let text = |types: [&str; 1]| types.map(str::to_owned).to_vec();
    let fields = product_fields.into_iter();
    let advice = remediation.map(|remediation| {
        let text = remediation.recommendation.text;
        Remediation::builder()
            .recommendation(Recommendation::builder().text(text).build())
            .build()
    });
    let resources = resources.into_iter().map(|resource| {
        Resource::builder()
            .r#type(resource.r#type)
            .id(resource.id)
            .set_partition(resource.partition.map(Partition::from))
            .set_region(resource.region)
            .build()
    });
    let requirements = compliance.related_requirements;
    let compliance = Compliance::builder()
        .status(ComplianceStatus::from(compliance.status))
        .set_security_control_id(compliance.security_control_id.map(str::to_owned))
        .set_related_requirements((!requirements.is_empty()).then_some(requirements))
        .build();
    let provider = FindingProviderFields::builder()
        .severity(provider_severity(&finding_provider_fields.severity))
        .set_types(Some(text(finding_provider_fields.types)))
        .build();
    AwsSecurityFinding::builder()
        .schema_version(schema_version)
        .id(id)
        .product_arn(product_arn)
        .product_name(product_name)
        .generator_id(generator_id)
        .aws_account_id(aws_account_id)
        .region(region)
        .set_types(Some(text(types)))
        .first_observed_at(first_observed_at)
        .set_last_observed_at(last_observed_at)
        .created_at(created_at)
        .updated_at(updated_at)
        .severity(
            Severity::builder()
                .label(SeverityLabel::from(severity.label))
                .original(severity.original)
                .build(),
        )
        .title(title)
        .description(description)
        .set_remediation(advice)
        .set_product_fields(Some(
            fields
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        ))
        .set_resources(Some(resources.collect()))
        .compliance(compliance)
        .record_state(RecordState::from(record_state))
        .finding_provider_fields(provider)
        .build()
}

fn provider_severity(severity: &SeverityOf) -> FindingProviderSeverity {
    FindingProviderSeverity::builder()
        .label(SeverityLabel::from(severity.label))
        .original(severity.original.clone())
        .build()
}

/// A finding that Security Hub holds, put away. Only what a provider sends goes back: what the customer decided about it (note,
/// workflow, verification, fields of its own) stays as it is by not being sent, and what Security Hub added is its own.
pub(super) fn to_archive(
    held: &AwsSecurityFinding,
    at: DateTime<Utc>,
    is_mended: bool,
) -> AwsSecurityFinding {
    let of_ours = |name: &str| !name.starts_with("aws/");
    let fields = held.product_fields.iter().flatten();
    let fields = fields.filter(|(name, _)| of_ours(name));
    let resources = held.resources.iter().flatten().map(|resource| {
        Resource::builder()
            .set_type(resource.r#type.clone())
            .set_id(resource.id.clone())
            .set_partition(resource.partition.clone())
            .set_region(resource.region.clone())
            .build()
    });
    let compliance = held.compliance.as_ref().map(|compliance| {
        let status = if is_mended {
            Some(ComplianceStatus::Passed)
        } else {
            compliance.status.clone()
        };
        Compliance::builder()
            .set_status(status)
            .set_security_control_id(compliance.security_control_id.clone())
            .set_related_requirements(compliance.related_requirements.clone())
            .build()
    });
    // What was sent before. The severity outside may be the customer's by now.
    let provider = held.finding_provider_fields.as_ref();
    let sent = provider.and_then(|fields| fields.severity.as_ref());
    let severity = sent.map_or_else(
        || held.severity.clone(),
        |sent| {
            Some(
                Severity::builder()
                    .set_label(sent.label.clone())
                    .set_original(sent.original.clone())
                    .build(),
            )
        },
    );
    let provider = provider.map(|fields| {
        FindingProviderFields::builder()
            .set_severity(fields.severity.clone())
            .set_types(fields.types.clone())
            .build()
    });
    AwsSecurityFinding::builder()
        .set_schema_version(held.schema_version.clone())
        .set_id(held.id.clone())
        .set_product_arn(held.product_arn.clone())
        .set_product_name(held.product_name.clone())
        .set_generator_id(held.generator_id.clone())
        .set_aws_account_id(held.aws_account_id.clone())
        .set_region(held.region.clone())
        .set_types(held.types.clone())
        .set_first_observed_at(held.first_observed_at.clone())
        .set_last_observed_at(held.last_observed_at.clone())
        .set_created_at(held.created_at.clone())
        .updated_at(time(at))
        .set_severity(severity)
        .set_title(held.title.clone())
        .set_description(held.description.clone())
        .set_remediation(held.remediation.clone())
        .set_product_fields(Some(
            fields
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        ))
        .set_resources(Some(resources.collect()))
        .set_compliance(compliance)
        .record_state(RecordState::Archived)
        .set_finding_provider_fields(provider)
        .build()
}
