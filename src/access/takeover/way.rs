//! The ways in which somebody comes to act as another (F.2: X14, X15, X17 to X29, X34, X37), each with every action that it takes
//! and what each is asked about.
//!
//! From "Grant a user permissions to pass a role to an AWS service" and, for what each action is about, the Service
//! Authorization Reference. A way is told only with all of its actions: none is there with one of them missing.

use crate::entity::Kind;

/// A way to act as another.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// Every action that it takes besides passing the role.
    pub(super) needs: &'static [Need],
    pub(super) over: Over,
    pub(super) gain: Gain,
    /// What it takes that policies do not tell.
    pub(super) beyond: Option<Beyond>,
    /// What one does, as sentences have it; the one that is taken over is named behind it.
    pub(super) words: &'static str,
}

/// An action and what it is asked about. `{p}`, `{r}` and `{a}` stand for partition, region and account, `{n}` for a name that
/// the caller chooses (`{n=…}`: which one by itself), `{t}` for what is taken over, `{c}` for its cluster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    pub(super) action: &'static str,
    pub(super) on: &'static str,
    /// What is named: actions about the same thing are about one name.
    pub(super) thing: u8,
    /// Whether it may carry tags.
    pub(super) makes: bool,
}

/// Who is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// A role that is passed to the service.
    Passed(&'static str),
    /// A role in an instance profile that is passed to EC2.
    InProfile,
    /// The role of something that runs already.
    Running(Kind),
    /// A user.
    User,
}

/// What of the rights of the one that is taken over can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gain {
    /// Everything: the caller's own code, or requests of its own, run as it.
    All,
    /// Everything, if it may receive from some queue that starts it.
    Polled,
    /// A service sends for it.
    Send,
    /// A service receives for it.
    Receive,
    /// What a service makes of a template: of use where it may do everything.
    Administrator,
}

/// What a way takes that policies do not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// Something that is not collected.
    Fact(&'static str),
    /// That what runs is started by something: known where a delivery does.
    Started,
    /// That the instance is managed by Systems Manager: taken for granted where its role may register it.
    Managed,
}

impl Way {
    /// Every action that it takes, as AWS writes them.
    pub fn actions(&self) -> impl Iterator<Item = &'static str> {
        let passes = self.passes_to().map(|_| PASS_ROLE);
        let needs = self.needs.iter().map(|need| need.action);
        let mut told: Vec<&'static str> = Vec::new();
        for action in needs.chain(passes) {
            if !told.contains(&action) {
                told.push(action);
            }
        }
        told.into_iter()
    }

    /// The action that tells it from others: the one that makes or changes something.
    pub fn name(&self) -> &'static str {
        self.needs.first().map_or(PASS_ROLE, |need| need.action)
    }

    /// What one does, before the name of the one that is taken over.
    pub fn words(&self) -> &'static str {
        self.words
    }

    /// Every way that is known.
    pub fn all() -> &'static [Self] {
        WAYS
    }

    /// Whether it changes or enters something that runs already.
    pub fn changes_what_runs(&self) -> bool {
        matches!(self.over, Over::Running(_))
    }

    /// Whether it makes credentials for a user.
    pub fn is_over_users(&self) -> bool {
        self.over == Over::User
    }

    /// The service that the role is passed to.
    pub(super) fn passes_to(&self) -> Option<&'static str> {
        match self.over {
            Over::Passed(service) => Some(service),
            Over::InProfile => Some(EC2),
            Over::Running(_) | Over::User => None,
        }
    }

    /// The service whose ARN an action of the way is asked about; none where that has no ARN.
    pub(super) fn service_of(&self, need: &Need) -> Option<&'static str> {
        match (need.on, self.over) {
            (TARGET, Over::User) => Some("iam"),
            (TARGET, Over::Running(Kind::Instance)) => Some("ec2"),
            (TARGET, _) => need.action.split(':').next(),
            (arn, _) => arn.split(':').nth(2),
        }
    }

    /// The service that is called, by its prefix.
    pub(super) fn called(&self) -> &'static str {
        self.name().split(':').next().unwrap_or_default()
    }
}

pub(super) const PASS_ROLE: &str = "iam:PassRole";
pub(super) const EC2: &str = "ec2.amazonaws.com";

/// The function that a mapping or a URL is for: `lambda:FunctionArn` holds it.
pub(super) const FUNCTION: &str = "arn:{p}:lambda:{r}:{a}:function:{n}";
const CHANGE_SET: &str = "arn:{p}:cloudformation:{r}:{a}:stack/{n}/*";
const DEFINITION: &str = "arn:{p}:ecs:{r}:{a}:task-definition/{n}:1";
const INSTANCE: &str = "arn:{p}:ec2:{r}:{a}:instance/{n}";
const JOB: &str = "arn:{p}:glue:{r}:{a}:job/{n}";
const MACHINE: &str = "arn:{p}:states:{r}:{a}:stateMachine:{n}";
const NOTEBOOK: &str = "arn:{p}:sagemaker:{r}:{a}:notebook-instance/{n}";
const PROFILE: &str = "arn:{p}:iam::{a}:instance-profile/{n}";
const PROJECT: &str = "arn:{p}:codebuild:{r}:{a}:project/{n}";
const RULE: &str = "arn:{p}:events:{r}:{a}:rule/{n}";
const SESSION: &str = "arn:{p}:glue:{r}:{a}:session/{n}";
/// For actions that cannot be given on single resources.
const ANY: &str = "*";
const TARGET: &str = "{t}";

const fn need(action: &'static str, on: &'static str) -> Need {
    Need {
        action,
        on,
        thing: 0,
        makes: false,
    }
}

const fn makes(action: &'static str, on: &'static str) -> Need {
    Need {
        makes: true,
        ..need(action, on)
    }
}

const fn other(thing: u8, need: Need) -> Need {
    Need { thing, ..need }
}

/// What an instance is made of: the volume of an image from EBS is asked about as well.
const RUN_INSTANCES: [Need; 6] = [
    makes("ec2:RunInstances", INSTANCE),
    other(1, need("ec2:RunInstances", "arn:{p}:ec2:{r}::image/{n}")),
    other(
        2,
        makes(
            "ec2:RunInstances",
            "arn:{p}:ec2:{r}:{a}:network-interface/{n}",
        ),
    ),
    other(
        3,
        need("ec2:RunInstances", "arn:{p}:ec2:{r}:{a}:security-group/{n}"),
    ),
    other(
        4,
        need("ec2:RunInstances", "arn:{p}:ec2:{r}:{a}:subnet/{n}"),
    ),
    other(
        5,
        makes("ec2:RunInstances", "arn:{p}:ec2:{r}:{a}:volume/{n}"),
    ),
];

const fn passing(service: &'static str, needs: &'static [Need], words: &'static str) -> Way {
    Way {
        needs,
        over: Over::Passed(service),
        gain: Gain::All,
        beyond: None,
        words,
    }
}

const fn changing(kind: Kind, needs: &'static [Need], words: &'static str) -> Way {
    Way {
        over: Over::Running(kind),
        ..passing("", needs, words)
    }
}

const fn beyond(fact: Beyond, way: Way) -> Way {
    Way {
        beyond: Some(fact),
        ..way
    }
}

const fn gaining(gain: Gain, way: Way) -> Way {
    Way { gain, ..way }
}

const fn in_profile(needs: &'static [Need]) -> Way {
    Way {
        over: Over::InProfile,
        ..passing(EC2, needs, "starts an instance that runs as")
    }
}

const fn of_user(needs: &'static [Need], words: &'static str) -> Way {
    Way {
        over: Over::User,
        ..passing("", needs, words)
    }
}

const LAMBDA: &str = "lambda.amazonaws.com";
const TASKS: &str = "ecs-tasks.amazonaws.com";
const TEMPLATES: &str = "cloudformation.amazonaws.com";
const BUILDS: &str = "codebuild.amazonaws.com";
const GLUE: &str = "glue.amazonaws.com";
const SAGEMAKER: &str = "sagemaker.amazonaws.com";
const STATES: &str = "states.amazonaws.com";

/// Every way. Of those with one name the one that takes least beyond its actions comes first.
pub(super) static WAYS: &[Way] = &[
    passing(
        LAMBDA,
        &[
            makes("lambda:CreateFunction", FUNCTION),
            need("lambda:InvokeFunction", FUNCTION),
        ],
        "makes a function of its own that runs as",
    ),
    gaining(
        Gain::Polled,
        passing(
            LAMBDA,
            &[
                makes("lambda:CreateFunction", FUNCTION),
                makes("lambda:CreateEventSourceMapping", ANY),
            ],
            "makes a function of its own that runs as",
        ),
    ),
    passing(
        LAMBDA,
        &[
            makes("lambda:CreateFunction", FUNCTION),
            need("lambda:CreateFunctionUrlConfig", FUNCTION),
            need("lambda:AddPermission", FUNCTION),
        ],
        "makes a function of its own that runs as",
    ),
    changing(
        Kind::Function,
        &[
            need("lambda:UpdateFunctionCode", TARGET),
            need("lambda:InvokeFunction", TARGET),
        ],
        "writes the code of a function that runs as",
    ),
    beyond(
        Beyond::Started,
        changing(
            Kind::Function,
            &[need("lambda:UpdateFunctionCode", TARGET)],
            "writes the code of a function that runs as",
        ),
    ),
    changing(
        Kind::Function,
        &[
            need("lambda:UpdateFunctionConfiguration", TARGET),
            need("lambda:InvokeFunction", TARGET),
        ],
        "gives a layer to a function that runs as",
    ),
    beyond(
        Beyond::Started,
        changing(
            Kind::Function,
            &[need("lambda:UpdateFunctionConfiguration", TARGET)],
            "gives a layer to a function that runs as",
        ),
    ),
    in_profile(&RUN_INSTANCES),
    passing(
        EC2,
        &[
            makes("ec2:RunInstances", INSTANCE),
            other(1, need("ec2:RunInstances", "arn:{p}:ec2:{r}::image/{n}")),
            other(
                2,
                makes(
                    "ec2:RunInstances",
                    "arn:{p}:ec2:{r}:{a}:network-interface/{n}",
                ),
            ),
            other(
                3,
                need("ec2:RunInstances", "arn:{p}:ec2:{r}:{a}:security-group/{n}"),
            ),
            other(
                4,
                need("ec2:RunInstances", "arn:{p}:ec2:{r}:{a}:subnet/{n}"),
            ),
            other(
                5,
                makes("ec2:RunInstances", "arn:{p}:ec2:{r}:{a}:volume/{n}"),
            ),
            other(6, makes("iam:CreateInstanceProfile", PROFILE)),
            other(6, need("iam:AddRoleToInstanceProfile", PROFILE)),
        ],
        "starts an instance that runs as",
    ),
    beyond(
        Beyond::Fact("an instance without a profile is under its control"),
        Way {
            words: "gives an instance the profile of",
            ..in_profile(&[need("ec2:AssociateIamInstanceProfile", INSTANCE)])
        },
    ),
    beyond(
        Beyond::Fact("an instance with a profile is under its control"),
        Way {
            words: "gives an instance the profile of",
            ..in_profile(&[need("ec2:ReplaceIamInstanceProfileAssociation", INSTANCE)])
        },
    ),
    beyond(
        Beyond::Managed,
        changing(
            Kind::Instance,
            &[
                need("ssm:SendCommand", TARGET),
                need(
                    "ssm:SendCommand",
                    "arn:{p}:ssm:{r}::document/AWS-RunShellScript",
                ),
            ],
            "runs commands on an instance that runs as",
        ),
    ),
    beyond(
        Beyond::Managed,
        changing(
            Kind::Instance,
            &[
                need("ssm:SendCommand", TARGET),
                need(
                    "ssm:SendCommand",
                    "arn:{p}:ssm:{r}::document/AWS-RunPowerShellScript",
                ),
            ],
            "runs commands on an instance that runs as",
        ),
    ),
    beyond(
        Beyond::Managed,
        changing(
            Kind::Instance,
            &[need("ssm:StartSession", TARGET)],
            "opens a shell on an instance that runs as",
        ),
    ),
    changing(
        Kind::Instance,
        &[
            need("ec2:ModifyInstanceAttribute", TARGET),
            need("ec2:StopInstances", TARGET),
            need("ec2:StartInstances", TARGET),
        ],
        "writes what runs at the next start of an instance that runs as",
    ),
    beyond(
        Beyond::Fact("the instance lets it in over SSH"),
        changing(
            Kind::Instance,
            &[need("ec2-instance-connect:SendSSHPublicKey", TARGET)],
            "opens a shell on an instance that runs as",
        ),
    ),
    passing(
        TASKS,
        &[
            makes("ecs:RegisterTaskDefinition", DEFINITION),
            makes("ecs:RunTask", DEFINITION),
        ],
        "runs a task of its own as",
    ),
    beyond(
        Beyond::Fact("a container instance runs"),
        passing(
            TASKS,
            &[
                makes("ecs:RegisterTaskDefinition", DEFINITION),
                makes("ecs:StartTask", DEFINITION),
            ],
            "runs a task of its own as",
        ),
    ),
    beyond(
        Beyond::Fact("the service that it updates exists"),
        passing(
            TASKS,
            &[
                makes("ecs:RegisterTaskDefinition", DEFINITION),
                other(
                    1,
                    need(
                        "ecs:UpdateService",
                        "arn:{p}:ecs:{r}:{a}:service/{n=default/x}",
                    ),
                ),
            ],
            "runs a task of its own as",
        ),
    ),
    beyond(
        Beyond::Fact("commands are switched on for the tasks of the service"),
        changing(
            Kind::EcsService,
            &[
                need("ecs:ExecuteCommand", "arn:{p}:ecs:{r}:{a}:cluster/{c}"),
                other(
                    1,
                    need("ecs:ExecuteCommand", "arn:{p}:ecs:{r}:{a}:task/{c}/{n}"),
                ),
            ],
            "opens a shell in a container that runs as",
        ),
    ),
    beyond(
        Beyond::Fact("the job queue that it submits to exists"),
        passing(
            TASKS,
            &[
                makes(
                    "batch:RegisterJobDefinition",
                    "arn:{p}:batch:{r}:{a}:job-definition/{n}:1",
                ),
                makes(
                    "batch:SubmitJob",
                    "arn:{p}:batch:{r}:{a}:job-definition/{n}:1",
                ),
                other(
                    1,
                    makes("batch:SubmitJob", "arn:{p}:batch:{r}:{a}:job-queue/{n}"),
                ),
                other(2, makes("batch:SubmitJob", "arn:{p}:batch:{r}:{a}:job/{n}")),
            ],
            "runs a batch job of its own as",
        ),
    ),
    gaining(
        Gain::Administrator,
        passing(
            TEMPLATES,
            &[makes("cloudformation:CreateStack", CHANGE_SET)],
            "makes a stack with the rights of",
        ),
    ),
    gaining(
        Gain::Administrator,
        passing(
            TEMPLATES,
            &[
                makes("cloudformation:CreateChangeSet", CHANGE_SET),
                need("cloudformation:ExecuteChangeSet", CHANGE_SET),
            ],
            "makes a stack with the rights of",
        ),
    ),
    beyond(
        Beyond::Fact("the stack that it updates exists"),
        gaining(
            Gain::Administrator,
            passing(
                TEMPLATES,
                &[makes("cloudformation:UpdateStack", CHANGE_SET)],
                "changes a stack with the rights of",
            ),
        ),
    ),
    passing(
        BUILDS,
        &[
            makes("codebuild:CreateProject", PROJECT),
            need("codebuild:StartBuild", PROJECT),
        ],
        "runs a build of its own as",
    ),
    beyond(
        Beyond::Fact("the build project that it changes exists"),
        passing(
            BUILDS,
            &[
                makes("codebuild:UpdateProject", PROJECT),
                need("codebuild:StartBuild", PROJECT),
            ],
            "changes a build to run as",
        ),
    ),
    passing(
        GLUE,
        &[makes("glue:CreateJob", JOB), need("glue:StartJobRun", JOB)],
        "runs a Glue job of its own as",
    ),
    beyond(
        Beyond::Fact("the job that it changes exists"),
        passing(
            GLUE,
            &[need("glue:UpdateJob", JOB), need("glue:StartJobRun", JOB)],
            "changes a Glue job to run as",
        ),
    ),
    passing(
        GLUE,
        &[makes("glue:CreateDevEndpoint", ANY)],
        "opens a Glue endpoint as",
    ),
    passing(
        GLUE,
        &[
            makes("glue:CreateSession", SESSION),
            need("glue:RunStatement", SESSION),
        ],
        "runs a Glue session as",
    ),
    passing(
        SAGEMAKER,
        &[
            makes("sagemaker:CreateNotebookInstance", NOTEBOOK),
            need("sagemaker:CreatePresignedNotebookInstanceUrl", NOTEBOOK),
        ],
        "opens a notebook as",
    ),
    passing(
        SAGEMAKER,
        &[makes(
            "sagemaker:CreateTrainingJob",
            "arn:{p}:sagemaker:{r}:{a}:training-job/{n}",
        )],
        "runs a training job of its own as",
    ),
    passing(
        SAGEMAKER,
        &[makes(
            "sagemaker:CreateProcessingJob",
            "arn:{p}:sagemaker:{r}:{a}:processing-job/{n}",
        )],
        "runs a processing job of its own as",
    ),
    passing(
        STATES,
        &[
            makes("states:CreateStateMachine", MACHINE),
            need("states:StartExecution", MACHINE),
        ],
        "makes a state machine of its own that runs as",
    ),
    changing(
        Kind::StateMachine,
        &[
            need("states:UpdateStateMachine", TARGET),
            need("states:StartExecution", TARGET),
        ],
        "rewrites a state machine that runs as",
    ),
    beyond(
        Beyond::Started,
        changing(
            Kind::StateMachine,
            &[need("states:UpdateStateMachine", TARGET)],
            "rewrites a state machine that runs as",
        ),
    ),
    gaining(
        Gain::Send,
        passing(
            "scheduler.amazonaws.com",
            &[need(
                "scheduler:CreateSchedule",
                "arn:{p}:scheduler:{r}:{a}:schedule/{n=default/x}",
            )],
            "makes a schedule that sends as",
        ),
    ),
    gaining(
        Gain::Send,
        passing(
            "events.amazonaws.com",
            &[
                need("events:PutTargets", RULE),
                makes("events:PutRule", RULE),
            ],
            "makes a rule that sends as",
        ),
    ),
    passing(
        "tasks.apprunner.amazonaws.com",
        &[makes(
            "apprunner:CreateService",
            "arn:{p}:apprunner:{r}:{a}:service/{n}/x",
        )],
        "runs a service of App Runner as",
    ),
    beyond(
        Beyond::Fact("the role forwards to where it can read"),
        gaining(
            Gain::Receive,
            passing(
                "pipes.amazonaws.com",
                &[makes("pipes:CreatePipe", "arn:{p}:pipes:{r}:{a}:pipe/{n}")],
                "makes a pipe that receives as",
            ),
        ),
    ),
    beyond(
        Beyond::Fact("it starts pods in the cluster"),
        passing(
            "pods.eks.amazonaws.com",
            &[makes(
                "eks:CreatePodIdentityAssociation",
                "arn:{p}:eks:{r}:{a}:cluster/{n}",
            )],
            "gives the pods of a cluster the role",
        ),
    ),
    of_user(
        &[need("iam:CreateAccessKey", TARGET)],
        "makes an access key for",
    ),
    beyond(
        Beyond::Fact("the user has no password yet, and no MFA device"),
        of_user(
            &[need("iam:CreateLoginProfile", TARGET)],
            "gives a password to",
        ),
    ),
    beyond(
        Beyond::Fact("the user has a password, and no MFA device"),
        of_user(
            &[need("iam:UpdateLoginProfile", TARGET)],
            "changes the password of",
        ),
    ),
];
