//! Auto Scaling groups: whose role their instances get, by launch template or launch configuration, and what their lifecycle
//! hooks send. Amazon EC2 Auto Scaling API, and `DescribeLaunchTemplateVersions` of the Amazon EC2 API.
//!
//! Instances that run now are read as instances; a group tells of those that it may start next. Nothing but the instance
//! profile of a template or configuration is kept: user data is neither stored nor logged.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::DescribeAutoScalingGroupsOutput;
use aws_sdk_autoscaling::operation::describe_launch_configurations::DescribeLaunchConfigurationsOutput;
use aws_sdk_autoscaling::types::{
    AutoScalingGroup, LaunchTemplate, LaunchTemplateOverrides, LaunchTemplateSpecification,
    LifecycleHook,
};
use aws_sdk_ec2::operation::describe_launch_template_versions::DescribeLaunchTemplateVersionsOutput;
use aws_sdk_ec2::types::LaunchTemplateIamInstanceProfileSpecification;

use super::Scan;
use super::around::each;
use super::calls::{
    DESCRIBE_AUTO_SCALING_GROUPS, DESCRIBE_LAUNCH_CONFIGURATIONS,
    DESCRIBE_LAUNCH_TEMPLATE_VERSIONS, DESCRIBE_LIFECYCLE_HOOKS,
};
use super::failure::Failure;
use super::flow::Flow;
use super::reader::Unfinished;
use crate::account::{Delivery, DeliveryKind, Sender, Workload, WorkloadKind};
use crate::arn::Arn;

/// A page of groups or launch configurations, the largest that Auto Scaling allows.
const PAGE: i32 = 100;
/// Launch configurations asked for by name at once, the most that Auto Scaling allows.
const NAMES: usize = 50;
/// The version that counts where a group names none.
const DEFAULT_VERSION: &str = "$Default";

/// What of a group matters.
#[derive(Clone)]
struct Group {
    name: String,
    arn: Arn,
    configuration: Option<String>,
    templates: Vec<Template>,
}

/// A version of a launch template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Template {
    named: Named,
    version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    ById(String),
    ByName(String),
}

impl Template {
    fn of(specification: &LaunchTemplateSpecification) -> Option<Self> {
        let by_name = || specification.launch_template_name().map(str::to_owned);
        Some(Self {
            named: match specification.launch_template_id() {
                Some(id) => Named::ById(id.to_owned()),
                None => Named::ByName(by_name()?),
            },
            version: specification
                .version()
                .unwrap_or(DEFAULT_VERSION)
                .to_owned(),
        })
    }

    fn name(&self) -> &str {
        let (Named::ById(name) | Named::ByName(name)) = &self.named;
        name
    }
}

/// The Auto Scaling groups of a region and their lifecycle hooks.
pub(super) async fn groups(scan: &Scan<'_>, region: &str) -> Flow {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("autoscaling", Some(region));
    let groups = list(scan, &client, region).await;
    unit.known(groups.len());
    let configurations: BTreeSet<String> = groups
        .iter()
        .filter_map(|group| group.configuration.clone())
        .collect();
    let templates: BTreeSet<Template> = groups
        .iter()
        .flat_map(|group| group.templates.iter().cloned())
        .collect();
    let (by_configuration, by_template, deliveries) = tokio::join!(
        profiles_of_configurations(scan, &client, region, configurations),
        profiles_of_templates(scan, region, templates),
        each(groups.clone(), async |group: Group| {
            let deliveries = hooks(scan, &client, region, &group).await;
            unit.advanced(1);
            deliveries
        })
    );
    let mut workloads = Vec::new();
    for group in &groups {
        let of_configuration = group
            .configuration
            .iter()
            .filter_map(|name| by_configuration.get(name));
        let of_templates = group
            .templates
            .iter()
            .filter_map(|template| by_template.get(template));
        let profiles: BTreeSet<&Arn> = of_configuration.chain(of_templates).collect();
        workloads.extend(profiles.into_iter().map(|profile| Workload {
            kind: WorkloadKind::AutoScalingGroup,
            arn: group.arn.clone(),
            runs_as: profile.clone(),
            session_tags: Vec::new(),
        }));
    }
    Flow {
        workloads,
        deliveries: deliveries.into_iter().flatten().collect(),
        ..Flow::default()
    }
}

async fn list(scan: &Scan<'_>, client: &Client, region: &str) -> Vec<Group> {
    let mut groups: BTreeMap<Arn, Group> = BTreeMap::new();
    scan.reader
        .pages_where_offered(
            &DESCRIBE_AUTO_SCALING_GROUPS,
            region,
            |token| {
                client
                    .describe_auto_scaling_groups()
                    .max_records(PAGE)
                    .set_next_token(token)
                    .send()
            },
            DescribeAutoScalingGroupsOutput::next_token,
            |page| {
                for group in page.auto_scaling_groups() {
                    match read_group(group) {
                        Some(group) => {
                            groups.insert(group.arn.clone(), group);
                        }
                        None => scan.reader.failed(
                            &DESCRIBE_AUTO_SCALING_GROUPS,
                            Some(region),
                            group.auto_scaling_group_name(),
                            &Failure::word("MalformedResponse"),
                        ),
                    }
                }
            },
        )
        .await;
    groups.into_values().collect()
}

fn read_group(group: &AutoScalingGroup) -> Option<Group> {
    let mixed = group
        .mixed_instances_policy()
        .and_then(|policy| policy.launch_template());
    let overrides = mixed
        .map(LaunchTemplate::overrides)
        .unwrap_or_default()
        .iter()
        .filter_map(LaunchTemplateOverrides::launch_template_specification);
    let templates = group
        .launch_template()
        .into_iter()
        .chain(mixed.and_then(|mixed| mixed.launch_template_specification()))
        .chain(overrides)
        .map(Template::of)
        .collect::<Option<Vec<_>>>()?;
    Some(Group {
        name: group.auto_scaling_group_name()?.to_owned(),
        arn: Arn::parse(group.auto_scaling_group_arn()?).ok()?,
        configuration: group.launch_configuration_name().map(str::to_owned),
        templates,
    })
}

async fn profiles_of_configurations(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    names: BTreeSet<String>,
) -> BTreeMap<String, Arn> {
    let names: Vec<String> = names.into_iter().collect();
    let mut profiles = BTreeMap::new();
    for names in names.chunks(NAMES) {
        let mut unanswered: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let read = scan
            .reader
            .every_page(
                &DESCRIBE_LAUNCH_CONFIGURATIONS,
                Some(region),
                |token| {
                    client
                        .describe_launch_configurations()
                        .set_launch_configuration_names(Some(names.to_vec()))
                        .max_records(PAGE)
                        .set_next_token(token)
                        .send()
                },
                DescribeLaunchConfigurationsOutput::next_token,
                |page| {
                    for configuration in page.launch_configurations() {
                        let name = configuration.launch_configuration_name();
                        unanswered.remove(name.unwrap_or_default());
                        let Some(profile) = configuration
                            .iam_instance_profile()
                            .filter(|profile| !profile.is_empty())
                        else {
                            continue;
                        };
                        match (name, profile_arn(scan, profile)) {
                            (Some(name), Some(profile)) => {
                                profiles.insert(name.to_owned(), profile);
                            }
                            _ => scan.reader.failed(
                                &DESCRIBE_LAUNCH_CONFIGURATIONS,
                                Some(region),
                                name,
                                &Failure::word("MalformedResponse"),
                            ),
                        }
                    }
                },
            )
            .await;
        let failed = |resource: Option<&str>, failure: &Failure| {
            scan.reader.failed(
                &DESCRIBE_LAUNCH_CONFIGURATIONS,
                Some(region),
                resource,
                failure,
            );
        };
        match read {
            // What a group names exists: Auto Scaling deletes no configuration that is in use.
            Ok(()) => unanswered
                .into_iter()
                .for_each(|name| failed(Some(name), &Failure::word("MalformedResponse"))),
            Err(Unfinished { failure, .. }) => failed(None, &failure),
        }
    }
    profiles
}

async fn profiles_of_templates(
    scan: &Scan<'_>,
    region: &str,
    templates: BTreeSet<Template>,
) -> BTreeMap<Template, Arn> {
    let client = aws_sdk_ec2::Client::new(&scan.session.in_region(region));
    each(
        templates.into_iter().collect(),
        async |template: Template| {
            let profile = profile_of_template(scan, &client, region, &template).await?;
            Some((template, profile))
        },
    )
    .await
    .into_iter()
    .flatten()
    .collect()
}

async fn profile_of_template(
    scan: &Scan<'_>,
    client: &aws_sdk_ec2::Client,
    region: &str,
    template: &Template,
) -> Option<Arn> {
    let (id, name) = match &template.named {
        Named::ById(id) => (Some(id.clone()), None),
        Named::ByName(name) => (None, Some(name.clone())),
    };
    let (mut specifications, mut versions) = (Vec::new(), 0_usize);
    let read = scan
        .reader
        .every_page(
            &DESCRIBE_LAUNCH_TEMPLATE_VERSIONS,
            Some(region),
            |token| {
                client
                    .describe_launch_template_versions()
                    .set_launch_template_id(id.clone())
                    .set_launch_template_name(name.clone())
                    .versions(&template.version)
                    .set_next_token(token)
                    .send()
            },
            DescribeLaunchTemplateVersionsOutput::next_token,
            |page| {
                let of_page = page.launch_template_versions.into_iter().flatten();
                for data in of_page.filter_map(|version| version.launch_template_data) {
                    versions += 1;
                    specifications.extend(data.iam_instance_profile);
                }
            },
        )
        .await;
    let failure = match read {
        // A version that does not exist is an error; no version at all is no answer.
        Ok(()) if versions == 0 => Failure::word("MalformedResponse"),
        Ok(()) => {
            let specification = specifications.first()?;
            match named_profile(scan, specification) {
                Some(profile) => return Some(profile),
                None => Failure::word("MalformedResponse"),
            }
        }
        // A group whose template is gone can start nothing.
        Err(Unfinished { failure, .. }) if failure.is_missing_launch_template() => {
            let detail = format!(
                "launch template {} of an Auto Scaling group does not exist in version {}",
                template.name(),
                template.version
            );
            scan.reader.note(Some(region), "autoscaling", None, &detail);
            return None;
        }
        Err(Unfinished { failure, .. }) => failure,
    };
    scan.reader.failed(
        &DESCRIBE_LAUNCH_TEMPLATE_VERSIONS,
        Some(region),
        Some(template.name()),
        &failure,
    );
    None
}

fn named_profile(
    scan: &Scan<'_>,
    specification: &LaunchTemplateIamInstanceProfileSpecification,
) -> Option<Arn> {
    profile_arn(scan, specification.arn().or_else(|| specification.name())?)
}

/// The ARN of an instance profile that is named by ARN or by name. A name says nothing of the path; that is put right once the
/// account's own profiles are known.
fn profile_arn(scan: &Scan<'_>, profile: &str) -> Option<Arn> {
    if profile.starts_with("arn:") {
        return Arn::parse(profile).ok();
    }
    scan.arn("iam", "", &format!("instance-profile/{profile}"))
}

async fn hooks(scan: &Scan<'_>, client: &Client, region: &str, group: &Group) -> Vec<Delivery> {
    let request = client
        .describe_lifecycle_hooks()
        .auto_scaling_group_name(&group.name)
        .send();
    let failed = |failure: &Failure| {
        scan.reader.failed(
            &DESCRIBE_LIFECYCLE_HOOKS,
            Some(region),
            Some(group.arn.as_str()),
            failure,
        );
    };
    let answer = match scan
        .reader
        .call(&DESCRIBE_LIFECYCLE_HOOKS, Some(region), request)
        .await
    {
        Ok(answer) => answer,
        Err(failure) => {
            failed(&failure);
            return Vec::new();
        }
    };
    let mut deliveries = Vec::new();
    for hook in answer.lifecycle_hooks() {
        match read_hook(group, hook) {
            Ok(delivery) => deliveries.extend(delivery),
            Err(failure) => failed(&failure),
        }
    }
    deliveries
}

fn read_hook(group: &Group, hook: &LifecycleHook) -> Result<Option<Delivery>, Failure> {
    let malformed = |_| Failure::word("MalformedResponse");
    // Without a target the hook tells EventBridge, as all that happens in AWS does.
    let Some(target) = hook
        .notification_target_arn()
        .filter(|target| !target.is_empty())
    else {
        return Ok(None);
    };
    let to = Arn::parse(target).map_err(malformed)?;
    let sender = Sender::Role(Arn::parse(hook.role_arn().unwrap_or_default()).map_err(malformed)?);
    Ok(matches!(to.service(), "sqs" | "sns").then(|| Delivery {
        kind: DeliveryKind::LifecycleHook,
        configured_by: group.arn.clone(),
        from: None,
        to,
        sender,
        enabled: true,
        failures_only: false,
        filter: None,
    }))
}
