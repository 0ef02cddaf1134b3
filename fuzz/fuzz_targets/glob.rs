//! Patterns against texts: short ones must agree with the definition, long ones must not take longer than their size allows
//! (libFuzzer's `-timeout` sees to that).

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use patscan::policy::Glob;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    pattern: &'a str,
    text: &'a str,
    /// How often each is repeated for the long match.
    times: u8,
}

/// The definition, place by place: which beginnings of the text the beginnings of the pattern match.
fn matches_by_definition(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut matched = vec![false; text.len() + 1];
    matched[0] = true;
    for token in pattern.chars() {
        let mut next = vec![false; text.len() + 1];
        for end in 0..=text.len() {
            next[end] = match token {
                '*' => matched[..=end].contains(&true),
                '?' => end > 0 && matched[end - 1],
                literal => end > 0 && matched[end - 1] && text[end - 1] == literal,
            };
        }
        matched = next;
    }
    matched[text.len()]
}

fuzz_target!(|input: Input<'_>| {
    let glob = Glob::new(input.pattern);
    if input.pattern.len() <= 48 && input.text.len() <= 96 {
        assert_eq!(
            glob.matches(input.text),
            matches_by_definition(input.pattern, input.text)
        );
    }
    assert!(Glob::literal(input.text).matches(input.text));
    if let Some(text) = glob.as_literal() {
        assert!(glob.matches(text));
    }
    if glob.matches_everything() {
        assert!(glob.matches(input.text));
    }
    assert_eq!(Glob::new(&glob.to_string()), glob);

    let times = usize::from(input.times);
    let long = Glob::new(&input.pattern.repeat(times));
    let text = input.text.repeat(times);
    let matched = long.matches(&text);
    if glob.matches(input.text) {
        // Each repetition of the pattern takes one of the text.
        assert!(matched, "{long} does not match {text}");
    }
});
