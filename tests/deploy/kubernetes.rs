//! The cron job: valid by the schemas of Kubernetes, as confined as a namespace can demand, and running what patscan understands.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::{KUBERNETES_VALIDATE, deployed, document, scan, strings};
use crate::emulator::programs;
use crate::patscan::Patscan;

const RESOURCES: [&str; 4] = [
    "kubernetes/namespace.yaml",
    "kubernetes/service-account.yaml",
    "kubernetes/network-policy.yaml",
    "kubernetes/cron-job.yaml",
];

/// Runs the validator on files; whether it passed.
fn is_valid(files: &[PathBuf]) -> (bool, String) {
    let output = Command::new(programs(KUBERNETES_VALIDATE).join("kubernetes-validate"))
        .args(["--strict", "--kubernetes-version", "1.30"])
        .args(files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    (output.status.success(), said)
}

#[test]
fn the_files_are_valid_and_the_validator_would_say_if_not() {
    let files = RESOURCES.map(deployed);
    let (valid, said) = is_valid(&files);
    assert!(valid, "{said}");
    for file in RESOURCES {
        let name = file.rsplit('/').next().unwrap();
        assert!(said.contains(&format!("{name} passed")), "{said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let misspelt = folder.path().join("cron-job.yaml");
    let text = std::fs::read_to_string(deployed(RESOURCES[3])).unwrap();
    std::fs::write(&misspelt, text.replace("backoffLimit", "backOffLimit")).unwrap();
    assert!(!is_valid(&[misspelt]).0);
}

#[test]
fn the_kustomization_names_every_file() {
    let kustomization = document("kubernetes/kustomization.yaml");
    let named: Vec<String> = strings(&kustomization["resources"])
        .iter()
        .map(|name| format!("kubernetes/{name}"))
        .collect();
    assert_eq!(named, RESOURCES);
    let config = &kustomization["configMapGenerator"][0];
    assert_eq!(config["files"], json!(["patscan.toml"]));
    let demo = Patscan::new(["demo", "--config"])
        .arg(deployed("kubernetes/patscan.toml"))
        .run();
    assert_eq!((demo.code, demo.stderr.contains("error")), (1, false));
    // The names that the files call each other by.
    let job = document("kubernetes/cron-job.yaml");
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"];
    assert_eq!(
        pod["spec"]["volumes"][0]["configMap"]["name"],
        config["name"]
    );
    assert_eq!(
        pod["spec"]["containers"][0]["image"],
        kustomization["images"][0]["name"]
    );
    let account = document("kubernetes/service-account.yaml");
    assert_eq!(
        pod["spec"]["serviceAccountName"],
        account["metadata"]["name"]
    );
    let policy = document("kubernetes/network-policy.yaml");
    assert_eq!(
        policy["spec"]["podSelector"]["matchLabels"],
        pod["metadata"]["labels"]
    );
}

#[test]
fn a_job_fails_when_something_could_not_be_read_or_stored_and_only_then() {
    let job = document("kubernetes/cron-job.yaml");
    let container = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let scan = scan(&strings(&container["args"]));
    assert!(scan.output.exit_zero && !scan.output.allow_incomplete);
    assert_eq!(scan.publishing.publish.len(), 1);
    // Nothing can be written, so nothing may be.
    assert_eq!(scan.output.formats, ["table"]);
    assert!(scan.source.save_snapshot.is_none() && scan.publishing.publish_state.is_none());
}

#[test]
fn the_pod_is_what_the_restricted_standard_demands_and_more() {
    let job = document("kubernetes/cron-job.yaml");
    assert_eq!(job["spec"]["concurrencyPolicy"], "Forbid");
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let expected = json!({"runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
                          "seccompProfile": {"type": "RuntimeDefault"}});
    assert_eq!(pod["securityContext"], expected);
    for key in ["hostNetwork", "hostPID", "hostIPC"] {
        assert_eq!(pod[key], Value::Null);
    }
    assert_eq!(pod["automountServiceAccountToken"], false);
    let [container] = &pod["containers"].as_array().unwrap()[..] else {
        panic!("one container");
    };
    let expected = json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                          "capabilities": {"drop": ["ALL"]}});
    assert_eq!(container["securityContext"], expected);
    assert!(container["resources"]["limits"]["memory"].is_string());
    for volume in pod["volumes"].as_array().unwrap() {
        assert!(volume.get("configMap").is_some(), "{volume}");
    }
    let namespace = document("kubernetes/namespace.yaml");
    assert_eq!(
        namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
        "restricted"
    );
}
