//! The image: a static binary and certificates, and somebody who may do nothing.

use std::path::Path;

use super::{compiled_in, text};

/// The instructions of a file, with lines that go on joined.
fn instructions(file: &str) -> Vec<String> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let lines = joined
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// The instructions of the stage that becomes the image.
fn image() -> Vec<String> {
    let all = instructions(&text("container/Containerfile"));
    let last = all
        .iter()
        .rposition(|line| line.starts_with("FROM "))
        .unwrap();
    all[last..].to_vec()
}

#[test]
fn the_image_begins_empty_and_holds_nothing_that_could_be_a_shell() {
    let image = image();
    assert_eq!(image[0], "FROM scratch");
    let copied: Vec<&str> = image
        .iter()
        .filter_map(|line| line.strip_prefix("COPY --from=build "))
        .filter_map(|line| line.split(' ').next_back())
        .collect();
    assert_eq!(
        copied,
        ["/patscan", "/etc/ssl/certs/ca-certificates.crt"],
        "{image:?}"
    );
    for line in &image {
        let word = line.split(' ').next().unwrap();
        assert!(
            matches!(
                word,
                "FROM" | "ARG" | "LABEL" | "ENV" | "USER" | "ENTRYPOINT"
            ) || line.starts_with("COPY --from=build "),
            "{line}"
        );
    }
}

#[test]
fn the_image_runs_patscan_as_nobody() {
    let image = image();
    // Kubernetes can only tell that a user is not root by its number.
    let users: Vec<&str> = image
        .iter()
        .filter_map(|line| line.strip_prefix("USER "))
        .collect();
    let [user] = users[..] else {
        panic!("{users:?}");
    };
    for number in user.split(':') {
        assert!(number.parse::<u32>().unwrap() > 0, "{user}");
    }
    let entry = image
        .iter()
        .find_map(|line| line.strip_prefix("ENTRYPOINT "))
        .unwrap();
    let entry: Vec<String> = serde_json::from_str(entry).unwrap();
    assert_eq!(entry, ["/patscan"], "a list, which takes no shell");
}

#[test]
fn the_image_is_built_with_the_oldest_rust_that_is_promised_and_carries_the_version() {
    let all = instructions(&text("container/Containerfile"));
    let argument = |name: &str| {
        all.iter()
            .find_map(|line| line.strip_prefix(&format!("ARG {name}=")))
            .unwrap()
    };
    let rust = argument("RUST_VERSION");
    assert_eq!(
        rust.rsplit_once('.').unwrap().0,
        env!("CARGO_PKG_RUST_VERSION")
    );
    assert_eq!(argument("VERSION"), env!("CARGO_PKG_VERSION"));
}

#[test]
fn nothing_that_is_compiled_in_is_kept_from_the_build() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(".dockerignore");
    let text = std::fs::read_to_string(file).unwrap();
    let ignored: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(ignored.contains(&"target"), "{ignored:?}");
    let source = [
        "src/main.rs",
        "Cargo.toml",
        "Cargo.lock",
        "benches/",
        "tests/",
    ];
    let needed = source.into_iter().map(str::to_owned).chain(compiled_in());
    for path in needed {
        let first = path.split('/').next().unwrap();
        assert!(!ignored.contains(&first), "{path}");
    }
}
