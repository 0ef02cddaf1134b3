//! The table of every AWS API operation that a scan calls.
//!
//! Collectors name their entry in each request, so whatever is derived from [`CALLS`] (the policy of `patscan iam-policy`,
//! the checks of `patscan doctor`) covers all that a scan does. `sts:AssumeRole` for `--assume-role` and what the SDK calls
//! to obtain credentials are not scan calls: they are made with the credentials that the scan starts from.

use crate::account::GapEffect;

/// One API operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The service namespace as in IAM actions.
    pub service: &'static str,
    /// The operation as in the API reference.
    pub operation: &'static str,
    /// The IAM action that allows it; none when AWS allows it to every caller.
    pub iam_action: Option<&'static str>,
    /// What a scan becomes without it.
    pub if_denied: IfDenied,
    /// What the operation tells, as a plural noun phrase.
    pub tells: &'static str,
    /// What a report lacks without it, as a clause.
    pub without: &'static str,
}

/// What a failed call does to the scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfDenied {
    /// The scan ends.
    Fatal,
    /// The scan goes on with a gap of this effect.
    Gap(GapEffect),
    /// The scan goes on with a note: nothing that decides is missing.
    Note,
}

macro_rules! calls {
    ($($name:ident = $service:literal $operation:literal, $action:expr, $if_denied:expr, $tells:literal, $without:literal;)*) => {
        $(pub(super) const $name: Call = Call {
            service: $service,
            operation: $operation,
            iam_action: $action,
            if_denied: $if_denied,
            tells: $tells,
            without: $without,
        };)*

        /// Every API operation that a scan calls, in the order in which a scan first needs them.
        pub const CALLS: &[Call] = &[$($name),*];
    };
}

const MAY_HIDE: IfDenied = IfDenied::Gap(GapEffect::MayHide);
const MAY_OVERSTATE: IfDenied = IfDenied::Gap(GapEffect::MayOverstate);

calls! {
    GET_CALLER_IDENTITY = "sts" "GetCallerIdentity", None, IfDenied::Fatal,
        "account and partition", "nothing can be read";
    LIST_ACCOUNT_ALIASES = "iam" "ListAccountAliases", Some("iam:ListAccountAliases"), IfDenied::Note,
        "account aliases", "the account is shown by its id only";
    DESCRIBE_REGIONS = "ec2" "DescribeRegions", Some("ec2:DescribeRegions"), MAY_HIDE,
        "enabled regions", "queues of other regions are not in this report";
    GET_ACCOUNT_AUTHORIZATION_DETAILS = "iam" "GetAccountAuthorizationDetails", Some("iam:GetAccountAuthorizationDetails"), MAY_HIDE,
        "users, groups, roles and their policies", "what they may do is not in this report";
    GET_POLICY = "iam" "GetPolicy", Some("iam:GetPolicy"), MAY_HIDE,
        "statements", "what the policy allows, denies or bounds is not taken into account";
    GET_POLICY_VERSION = "iam" "GetPolicyVersion", Some("iam:GetPolicyVersion"), MAY_HIDE,
        "statements", "what the policy allows, denies or bounds is not taken into account";
    DESCRIBE_ORGANIZATION = "organizations" "DescribeOrganization", Some("organizations:DescribeOrganization"), MAY_OVERSTATE,
        "organization and control policies", "service and resource control policies are not read, and access can only be smaller than shown";
    LIST_ROOTS = "organizations" "ListRoots", Some("organizations:ListRoots"), MAY_OVERSTATE,
        "enabled types of control policies", "service and resource control policies are not read, and access can only be smaller than shown";
    LIST_PARENTS = "organizations" "ListParents", Some("organizations:ListParents"), MAY_OVERSTATE,
        "organizational units", "the control policies of these are not read, and access can only be smaller than shown";
    LIST_POLICIES_FOR_TARGET = "organizations" "ListPoliciesForTarget", Some("organizations:ListPoliciesForTarget"), MAY_OVERSTATE,
        "control policies", "what they deny is not taken into account, and access can only be smaller than shown";
    DESCRIBE_POLICY = "organizations" "DescribePolicy", Some("organizations:DescribePolicy"), MAY_OVERSTATE,
        "statements", "what the policy denies is not taken into account, and access can only be smaller than shown";
    LIST_QUEUES = "sqs" "ListQueues", Some("sqs:ListQueues"), MAY_HIDE,
        "queues", "findings about them are missing";
    GET_QUEUE_ATTRIBUTES = "sqs" "GetQueueAttributes", Some("sqs:GetQueueAttributes"), MAY_HIDE,
        "policy, redrive and encryption settings", "access that the queue policy grants or denies is missing";
    // A key of which something is unread is later taken to let everyone: that is what makes these gaps overstate.
    DESCRIBE_KEY = "kms" "DescribeKey", Some("kms:DescribeKey"), MAY_OVERSTATE,
        "manager and state", "access to what the key encrypts can only be smaller than shown";
    GET_KEY_POLICY = "kms" "GetKeyPolicy", Some("kms:GetKeyPolicy"), MAY_OVERSTATE,
        "key policy statements", "access to what the key encrypts can only be smaller than shown";
    LIST_GRANTS = "kms" "ListGrants", Some("kms:ListGrants"), MAY_OVERSTATE,
        "grants", "access to what the key encrypts can only be smaller than shown";
    LIST_ALIASES = "kms" "ListAliases", Some("kms:ListAliases"), MAY_OVERSTATE,
        "key aliases", "access to queues that name their key by an alias can only be smaller than shown";
    // Unknown tags leave conditions on them open, and an open condition makes a finding less grave than it may be.
    LIST_QUEUE_TAGS = "sqs" "ListQueueTags", Some("sqs:ListQueueTags"), MAY_HIDE,
        "tags", "access that depends on them stays conditional, and findings about it may be graver";
    LIST_FUNCTIONS = "lambda" "ListFunctions", Some("lambda:ListFunctions"), MAY_HIDE,
        "functions", "roles may look unused and loops through functions are not recognised";
    LIST_EVENT_SOURCE_MAPPINGS = "lambda" "ListEventSourceMappings", Some("lambda:ListEventSourceMappings"), MAY_HIDE,
        "event source mappings", "loops that are wired may be shown as permitted";
    DESCRIBE_INSTANCES = "ec2" "DescribeInstances", Some("ec2:DescribeInstances"), MAY_HIDE,
        "instances", "roles may look unused and loops through instances are not recognised";
    // The rest is asked only in regions with queues.
    LIST_MESSAGE_MOVE_TASKS = "sqs" "ListMessageMoveTasks", Some("sqs:ListMessageMoveTasks"), MAY_HIDE,
        "message move tasks", "loops through them are not recognised";
    LIST_STATE_MACHINES = "states" "ListStateMachines", Some("states:ListStateMachines"), MAY_HIDE,
        "state machines", "roles may look unused and loops through state machines are not recognised";
    DESCRIBE_STATE_MACHINE = "states" "DescribeStateMachine", Some("states:DescribeStateMachine"), MAY_HIDE,
        "role and tasks", "its role may look unused and loops through it are not recognised";
    DESCRIBE_AUTO_SCALING_GROUPS = "autoscaling" "DescribeAutoScalingGroups", Some("autoscaling:DescribeAutoScalingGroups"), MAY_HIDE,
        "Auto Scaling groups", "roles of instances that do not run now may look unused";
    DESCRIBE_LAUNCH_CONFIGURATIONS = "autoscaling" "DescribeLaunchConfigurations", Some("autoscaling:DescribeLaunchConfigurations"), MAY_HIDE,
        "launch configurations", "roles of instances that do not run now may look unused";
    DESCRIBE_LAUNCH_TEMPLATE_VERSIONS = "ec2" "DescribeLaunchTemplateVersions", Some("ec2:DescribeLaunchTemplateVersions"), MAY_HIDE,
        "versions", "roles of instances that do not run now may look unused";
    DESCRIBE_LIFECYCLE_HOOKS = "autoscaling" "DescribeLifecycleHooks", Some("autoscaling:DescribeLifecycleHooks"), MAY_HIDE,
        "lifecycle hooks", "what they send is not in this report";
    LIST_TASK_DEFINITION_FAMILIES = "ecs" "ListTaskDefinitionFamilies", Some("ecs:ListTaskDefinitionFamilies"), MAY_HIDE,
        "task definitions", "roles may look unused and loops through tasks are not recognised";
    DESCRIBE_TASK_DEFINITION = "ecs" "DescribeTaskDefinition", Some("ecs:DescribeTaskDefinition"), MAY_HIDE,
        "task roles", "roles may look unused and loops through tasks are not recognised";
    LIST_CLUSTERS = "ecs" "ListClusters", Some("ecs:ListClusters"), MAY_HIDE,
        "ECS clusters", "roles may look unused and loops through services are not recognised";
    LIST_SERVICES = "ecs" "ListServices", Some("ecs:ListServices"), MAY_HIDE,
        "services", "roles may look unused and loops through services are not recognised";
    DESCRIBE_SERVICES = "ecs" "DescribeServices", Some("ecs:DescribeServices"), MAY_HIDE,
        "services", "roles may look unused and loops through services are not recognised";
    LIST_KUBERNETES_CLUSTERS = "eks" "ListClusters", Some("eks:ListClusters"), MAY_HIDE,
        "EKS clusters", "roles may look unused and loops through pods are not recognised";
    LIST_POD_IDENTITY_ASSOCIATIONS = "eks" "ListPodIdentityAssociations", Some("eks:ListPodIdentityAssociations"), MAY_HIDE,
        "pod identity associations", "roles may look unused and loops through pods are not recognised";
    DESCRIBE_POD_IDENTITY_ASSOCIATION = "eks" "DescribePodIdentityAssociation", Some("eks:DescribePodIdentityAssociation"), MAY_HIDE,
        "roles", "they may look unused and loops through pods are not recognised";
    GET_REST_APIS = "apigateway" "GetRestApis", Some("apigateway:GET"), MAY_HIDE,
        "REST APIs", "what they send for their callers is not in this report";
    GET_RESOURCES = "apigateway" "GetResources", Some("apigateway:GET"), MAY_HIDE,
        "integrations", "what they send for their callers is not in this report";
    GET_APIS = "apigateway" "GetApis", Some("apigateway:GET"), MAY_HIDE,
        "HTTP and WebSocket APIs", "what they send for their callers is not in this report";
    GET_INTEGRATIONS = "apigateway" "GetIntegrations", Some("apigateway:GET"), MAY_HIDE,
        "integrations", "what they send for their callers is not in this report";
    GET_CRAWLERS = "glue" "GetCrawlers", Some("glue:GetCrawlers"), MAY_HIDE,
        "crawlers", "roles may look unused and loops through crawlers are not recognised";
    LIST_TOPIC_RULES = "iot" "ListTopicRules", Some("iot:ListTopicRules"), MAY_HIDE,
        "IoT rules", "what they send for devices is not in this report";
    GET_TOPIC_RULE = "iot" "GetTopicRule", Some("iot:GetTopicRule"), MAY_HIDE,
        "actions", "what they send for devices is not in this report";
    LIST_SUBSCRIPTIONS = "sns" "ListSubscriptions", Some("sns:ListSubscriptions"), MAY_HIDE,
        "subscriptions", "loops through topics are missing";
    GET_SUBSCRIPTION_ATTRIBUTES = "sns" "GetSubscriptionAttributes", Some("sns:GetSubscriptionAttributes"), MAY_HIDE,
        "filter and dead-letter queue", "it counts as if it took every message, and where its dead letters go is missing";
    GET_TOPIC_ATTRIBUTES = "sns" "GetTopicAttributes", Some("sns:GetTopicAttributes"), MAY_HIDE,
        "policy statements", "who may publish to the topic is missing";
    LIST_EVENT_BUSES = "events" "ListEventBuses", Some("events:ListEventBuses"), MAY_HIDE,
        "event buses", "loops through their rules are missing";
    DESCRIBE_EVENT_BUS = "events" "DescribeEventBus", Some("events:DescribeEventBus"), MAY_HIDE,
        "dead-letter queue", "where events go that could not be delivered from the bus is missing";
    LIST_RULES = "events" "ListRules", Some("events:ListRules"), MAY_HIDE,
        "rules", "loops through them are missing";
    LIST_TARGETS_BY_RULE = "events" "ListTargetsByRule", Some("events:ListTargetsByRule"), MAY_HIDE,
        "targets", "loops through the rule are missing";
    LIST_PIPES = "pipes" "ListPipes", Some("pipes:ListPipes"), MAY_HIDE,
        "pipes", "roles may look unused and loops through pipes are missing";
    DESCRIBE_PIPE = "pipes" "DescribePipe", Some("pipes:DescribePipe"), MAY_HIDE,
        "role and filter", "loops through the pipe are missing";
    LIST_SCHEDULES = "scheduler" "ListSchedules", Some("scheduler:ListSchedules"), MAY_HIDE,
        "schedules", "roles may look unused and what schedules send is missing";
    GET_SCHEDULE = "scheduler" "GetSchedule", Some("scheduler:GetSchedule"), MAY_HIDE,
        "role and target", "what the schedule sends is missing";
    LIST_FUNCTION_EVENT_INVOKE_CONFIGS = "lambda" "ListFunctionEventInvokeConfigs", Some("lambda:ListFunctionEventInvokeConfigs"), MAY_HIDE,
        "destinations", "loops through them are missing";
    LIST_BUCKETS = "s3" "ListBuckets", Some("s3:ListAllMyBuckets"), MAY_HIDE,
        "buckets", "loops through their notifications are missing";
    GET_BUCKET_LOCATION = "s3" "GetBucketLocation", Some("s3:GetBucketLocation"), MAY_HIDE,
        "region and notifications", "loops through them are missing";
    GET_BUCKET_NOTIFICATION_CONFIGURATION = "s3" "GetBucketNotificationConfiguration", Some("s3:GetBucketNotification"), MAY_HIDE,
        "notifications", "loops through them are missing";
    GET_BUCKET_POLICY = "s3" "GetBucketPolicy", Some("s3:GetBucketPolicy"), MAY_HIDE,
        "policy statements", "who may put objects into the bucket is missing";
    GET_BUCKET_ENCRYPTION = "s3" "GetBucketEncryption", Some("s3:GetEncryptionConfiguration"), MAY_OVERSTATE,
        "default encryption", "whom its key refuses is not taken into account, and access can only be smaller than shown";
    GET_FUNCTION_POLICY = "lambda" "GetPolicy", Some("lambda:GetPolicy"), MAY_HIDE,
        "policy statements", "whether topics, rules and buckets may invoke the function is missing";
}
