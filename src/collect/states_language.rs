//! What the tasks of a state machine send to, read from its definition (Amazon States Language).
//!
//! Only targets that stand in the definition: what a task computes when it runs (`"QueueUrl.$"`, `{% … %}`) nobody can know
//! before, and the rights of the role tell what it may be. The definition itself is not kept.

use serde_json::Value;

use crate::arn::Arn;

/// The largest definition that is read, in bytes; Step Functions accepts 1 MiB.
const LARGEST: usize = 4 << 20;

/// What a task sends to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Task {
    /// Where.
    pub(super) target: Target,
    /// The role that the task assumes for it, in place of the state machine's.
    pub(super) role: Option<Arn>,
}

/// Where a task sends, as its definition writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// A queue, by its URL.
    Queue(String),
    /// A topic, by its ARN.
    Topic(String),
    /// A function, by its name, its ARN or a part of that.
    Function(String),
    /// An event bus, by its name or ARN.
    Bus(String),
    /// A state machine, by its ARN.
    StateMachine(String),
}

/// The tasks with targets that stand in the definition, sorted; none when the definition cannot be read.
pub(super) fn tasks(definition: &str) -> Option<Vec<Task>> {
    if definition.len() > LARGEST {
        return None;
    }
    // Deeper nesting than any that Step Functions accepts is refused here, so the walk below is bounded by the text.
    let machine: Value = serde_json::from_str(definition).ok()?;
    machine.get("States")?.as_object()?;
    let mut tasks = Vec::new();
    let mut machines = vec![&machine];
    while let Some(machine) = machines.pop() {
        let states = machine.get("States").and_then(Value::as_object);
        for state in states.into_iter().flat_map(|states| states.values()) {
            machines.extend(
                state
                    .get("Branches")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten(),
            );
            machines.extend(state.get("ItemProcessor"));
            machines.extend(state.get("Iterator"));
            read_task(state, &mut tasks);
        }
    }
    tasks.sort();
    tasks.dedup();
    Some(tasks)
}

fn read_task(state: &Value, tasks: &mut Vec<Task>) {
    let Some(resource) = state.get("Resource").and_then(fixed) else {
        return;
    };
    let Some(role) = role(state) else {
        return;
    };
    for target in targets(resource, state) {
        let role = role.clone();
        tasks.push(Task { target, role });
    }
}

/// The role that a task assumes; none inside when it assumes none, none at all when it is computed.
#[expect(
    clippy::option_option,
    reason = "no role and an unknown role are not the same"
)]
fn role(state: &Value) -> Option<Option<Arn>> {
    match state.get("Credentials") {
        None | Some(Value::Null) => Some(None),
        Some(credentials) => {
            let role = credentials.get("RoleArn").and_then(fixed)?;
            Arn::parse(role).ok().map(Some)
        }
    }
}

fn targets(resource: &str, state: &Value) -> Vec<Target> {
    let Ok(arn) = Arn::parse(resource) else {
        return Vec::new();
    };
    if arn.service() == "lambda" {
        return vec![Target::Function(resource.to_owned())];
    }
    // `arn:aws:states:::sqs:sendMessage.waitForTaskToken`; an activity has a region and an account.
    if arn.service() != "states" || !arn.region().is_empty() || !arn.account().is_empty() {
        return Vec::new();
    }
    let integration = arn.resource();
    let integration = integration.strip_prefix("aws-sdk:").unwrap_or(integration);
    let integration = integration.split('.').next().unwrap_or_default();
    let argument = |name: &str| {
        // JSONPath calls them parameters, JSONata arguments.
        ["Arguments", "Parameters"]
            .iter()
            .find_map(|place| state.get(*place)?.get(name))
    };
    let text = |name: &str| argument(name).and_then(fixed).map(str::to_owned);
    match integration {
        "sqs:sendMessage" | "sqs:sendMessageBatch" => {
            text("QueueUrl").map(Target::Queue).into_iter().collect()
        }
        "sns:publish" | "sns:publishBatch" => text("TopicArn")
            .or_else(|| text("TargetArn"))
            .map(Target::Topic)
            .into_iter()
            .collect(),
        "lambda:invoke" | "lambda:invokeAsync" => text("FunctionName")
            .map(Target::Function)
            .into_iter()
            .collect(),
        "states:startExecution" | "sfn:startExecution" | "sfn:startSyncExecution" => {
            text("StateMachineArn")
                .map(Target::StateMachine)
                .into_iter()
                .collect()
        }
        "events:putEvents" | "eventbridge:putEvents" => argument("Entries")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(bus)
            .collect(),
        _ => Vec::new(),
    }
}

/// The bus of an entry of `PutEvents`: the default one where the entry names none.
fn bus(entry: &Value) -> Option<Target> {
    let entry = entry.as_object()?;
    if entry.contains_key("EventBusName.$") {
        return None;
    }
    match entry.get("EventBusName") {
        None | Some(Value::Null) => Some(Target::Bus("default".to_owned())),
        Some(name) => fixed(name).map(|name| Target::Bus(name.to_owned())),
    }
}

/// A text that is not a JSONata expression.
fn fixed(value: &Value) -> Option<&str> {
    value
        .as_str()
        .filter(|text| !text.trim_start().starts_with("{%"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const URL: &str = "https://sqs.eu-west-1.amazonaws.com/111122223333/orders";

    fn of(states: &Value) -> Vec<Task> {
        tasks(&json!({"StartAt": "x", "States": states}).to_string()).unwrap()
    }

    fn targets_of(states: &Value) -> Vec<Target> {
        of(states).into_iter().map(|task| task.target).collect()
    }

    fn task(resource: &str, parameters: &Value) -> Value {
        json!({"x": {"Type": "Task", "Resource": resource, "Parameters": parameters}})
    }

    #[test]
    fn each_integration_that_sends_is_read() {
        for (resource, parameters, target) in [
            (
                "arn:aws:states:::sqs:sendMessage",
                json!({"QueueUrl": URL}),
                Target::Queue(URL.to_owned()),
            ),
            (
                "arn:aws-cn:states:::sqs:sendMessage.waitForTaskToken",
                json!({"QueueUrl": URL}),
                Target::Queue(URL.to_owned()),
            ),
            (
                "arn:aws:states:::aws-sdk:sqs:sendMessageBatch",
                json!({"QueueUrl": URL}),
                Target::Queue(URL.to_owned()),
            ),
            (
                "arn:aws:states:::sns:publish",
                json!({"TopicArn": "t"}),
                Target::Topic("t".to_owned()),
            ),
            (
                "arn:aws:states:::aws-sdk:sns:publish",
                json!({"TargetArn": "t"}),
                Target::Topic("t".to_owned()),
            ),
            (
                "arn:aws:states:::lambda:invoke",
                json!({"FunctionName": "f"}),
                Target::Function("f".to_owned()),
            ),
            (
                "arn:aws:states:::states:startExecution.sync:2",
                json!({"StateMachineArn": "m"}),
                Target::StateMachine("m".to_owned()),
            ),
            (
                "arn:aws:states:::events:putEvents",
                json!({"Entries": [{"EventBusName": "b"}]}),
                Target::Bus("b".to_owned()),
            ),
            (
                "arn:aws:states:::events:putEvents",
                json!({"Entries": [{"Detail.$": "$"}]}),
                Target::Bus("default".to_owned()),
            ),
        ] {
            assert_eq!(
                targets_of(&task(resource, &parameters)),
                [target],
                "{resource}"
            );
        }
        let function = "arn:aws:lambda:eu-west-1:111122223333:function:f:live";
        assert_eq!(
            targets_of(&json!({"x": {"Type": "Task", "Resource": function}})),
            [Target::Function(function.to_owned())]
        );
    }

    #[test]
    fn jsonata_arguments_are_read_like_parameters() {
        let states = json!({"x": {"Type": "Task", "QueryLanguage": "JSONata",
            "Resource": "arn:aws:states:::sqs:sendMessage",
            "Arguments": {"QueueUrl": URL, "MessageBody": "{% $states.input %}"}}});
        assert_eq!(targets_of(&states), [Target::Queue(URL.to_owned())]);
    }

    #[test]
    fn what_is_computed_at_run_time_is_no_target() {
        for (resource, parameters) in [
            (
                "arn:aws:states:::sqs:sendMessage",
                json!({"QueueUrl.$": "$.url"}),
            ),
            (
                "arn:aws:states:::sqs:sendMessage",
                json!({"QueueUrl": "{% $url %}"}),
            ),
            ("arn:aws:states:::sqs:sendMessage", json!("{% $all %}")),
            (
                "arn:aws:states:::events:putEvents",
                json!({"Entries": [{"EventBusName.$": "$.bus"}, "{% $entry %}"]}),
            ),
            (
                "arn:aws:states:::events:putEvents",
                json!({"Entries.$": "$.entries"}),
            ),
        ] {
            assert_eq!(of(&task(resource, &parameters)), [], "{parameters}");
        }
    }

    #[test]
    fn what_does_not_send_is_no_task() {
        for resource in [
            "arn:aws:states:::aws-sdk:sqs:receiveMessage",
            "arn:aws:states:::dynamodb:putItem",
            "arn:aws:states:eu-west-1:111122223333:activity:sqs:sendMessage",
            "{% $resource %}",
            "",
        ] {
            assert_eq!(
                of(&task(resource, &json!({"QueueUrl": URL}))),
                [],
                "{resource}"
            );
        }
    }

    #[test]
    fn states_inside_states_are_read() {
        let send = |name: &str| json!({"States": task("arn:aws:states:::sqs:sendMessage", &json!({"QueueUrl": name}))});
        let states = json!({
            "parallel": {"Type": "Parallel", "Branches": [send("a"), {"States": {
                "inner": {"Type": "Map", "ItemProcessor": send("b")}}}]},
            "map": {"Type": "Map", "Iterator": send("c")},
        });
        assert_eq!(
            targets_of(&states),
            ["a", "b", "c"].map(|name| Target::Queue(name.to_owned()))
        );
    }

    #[test]
    fn a_task_may_assume_a_role_of_its_own() {
        let with = |credentials: Value| {
            let mut states = task(
                "arn:aws:states:::sqs:sendMessage",
                &json!({"QueueUrl": URL}),
            );
            states["x"]["Credentials"] = credentials;
            of(&states)
        };
        let role = "arn:aws:iam::444455556666:role/sender";
        assert_eq!(
            with(json!({"RoleArn": role}))[0]
                .role
                .as_ref()
                .unwrap()
                .as_str(),
            role
        );
        assert_eq!(with(json!(null))[0].role, None);
        // As whom it asks is then unknown.
        assert_eq!(with(json!({"RoleArn.$": "$.role"})), []);
        assert_eq!(with(json!({"RoleArn": "{% $role %}"})), []);
        assert_eq!(with(json!("{% $credentials %}")), []);
    }

    #[test]
    fn what_is_no_definition_is_told_from_one_without_tasks() {
        let deep = format!("{}1{}", r#"{"States":"#.repeat(200), "}".repeat(200));
        for text in ["", "{", "[]", "{}", r#"{"States":[]}"#, &deep] {
            assert_eq!(tasks(text), None, "{text}");
        }
        assert_eq!(tasks(r#"{"States":{}}"#), Some(Vec::new()));
        assert_eq!(
            tasks(r#"{"States":{"a":1,"b":{"Branches":{},"Resource":[]}}}"#),
            Some(Vec::new())
        );
    }
}
