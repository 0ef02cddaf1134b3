//! Every reader of what somebody else wrote, on random text that looks like what it reads and on bytes that look like nothing.
//! Fuzzers run the same readers for as long as anybody lets them (`fuzz/README.md`).

use std::path::Path;

use patscan::untrusted::READERS;
use proptest::prelude::*;

/// Words that the readers know, marks between them, and what does not belong there.
fn pieces() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "{", "}", "[", "]", "\"", ":", ",", "\\", "\n", " = ", ".", "*", "?", "${", "\0", "'", "#", "-", "/", "://", "true", "null",
            "\"Version\":\"2012-10-17\"", "\"Statement\":", "\"Effect\":\"Allow\"", "\"Action\":", "\"Resource\":", "\"Condition\":",
            "\"NotPrincipal\":", "\"StringLike\":", "\"NumericLessThan\":", "\"DateLessThan\":", "\"IpAddress\":", "\"ForAllValues:",
            "\"schema\":\"patscan.report/v1\"", "\"schema\":\"patscan.snapshot/v1\"", "\"findings\":", "\"account\":", "\"coverage\":",
            "{\"schema\":\"patscan.parts/v1\",\"version\":\"0\",\"account\":\"1\"}\n", "\"part\":", "\"read_at\":", "\"value\":", "\"notes\":",
            "\"States\":", "\"Branches\":", "\"ItemProcessor\":", "\"Parameters\":", "\"arn:aws:states:::sqs:sendMessage\"",
            "\"$or\":", "\"detail\":", "\"source\":", "\"prefix\":", "\"wildcard\":", "\"anything-but\":",
            "\"deadLetterTargetArn\":", "\"maxReceiveCount\":", "\"redrivePermission\":\"byQueue\"", "\"sourceQueueArns\":",
            "arn:aws:sqs:eu-west-1:111122223333:q", "https://sqs.eu-west-1.amazonaws.com/111122223333/q", "s3://", "eventbridge:",
            "[[waiver]]", "[waivers]", "[output]", "[rules.public-queue]", "id", "rule", "expires", "2026-13-99", "format",
            "\"principal\":", "\"identity_policies\":", "\"context\":", "1e999", "-0", "18446744073709551616", "\\ud800", "\u{202e}",
        ]).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9]{0,8}",
        1 => any::<char>().prop_map(String::from),
    ]
}

fn run_all(data: &[u8]) {
    for (_, reader) in READERS {
        reader(data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_reader_panics_on_text_that_looks_right(pieces in prop::collection::vec(pieces(), 0..60)) {
        run_all(pieces.concat().as_bytes());
    }

    #[test]
    fn no_reader_panics_on_bytes_that_look_like_nothing(data in prop::collection::vec(any::<u8>(), 0..300)) {
        run_all(&data);
    }

    #[test]
    fn no_reader_panics_on_its_own_kind_of_file_with_a_place_damaged(
        file in 0..FILES.len(), place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILES[file]);
        let mut data = std::fs::read(path).unwrap();
        let place = place.index(data.len());
        if cut {
            data.truncate(place);
        } else {
            data[place] = byte;
        }
        run_all(&data);
    }
}

const FILES: [&str; 4] = [
    "fixtures/accounts/names/snapshot.json",
    "fuzz/corpus/journal/three-parts",
    "fuzz/corpus/policy/addresses",
    "fixtures/accounts/names/patscan.toml",
];

#[test]
fn nothing_nested_without_end_reaches_the_end_of_the_stack() {
    for (open, close) in [
        ("[", "]"),
        ("{\"a\":", "}"),
        ("{\"States\":{\"a\":", "}}"),
        ("a = [", "]"),
        ("\"", "\""),
        ("${", "}"),
    ] {
        for depth in [130, 10_000, 300_000] {
            let text = format!("{}{}", open.repeat(depth), close.repeat(depth));
            run_all(text.as_bytes());
            run_all(open.repeat(depth).as_bytes());
        }
    }
}

#[test]
fn every_reader_has_a_fuzz_target_of_its_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for (name, _) in READERS {
        let target =
            std::fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("\"{name}\"")), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
    for target in std::fs::read_dir(folder.join("fuzz_targets"))
        .unwrap()
        .flatten()
    {
        let text = std::fs::read_to_string(target.path()).unwrap();
        let name = target
            .path()
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let is_ours = READERS.iter().any(|(known, _)| *known == name);
        assert!(is_ours || !text.contains("untrusted::read"), "{name}");
    }
}
