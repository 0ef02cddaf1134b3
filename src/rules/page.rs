//! The front matter of a rule's page: the facts about a rule that programs want.
//!
//! The pages are part of the program, so only the YAML that they use is read: `key: value` and `key: [a, "b c"]`, in one level
//! of nesting. A test reads every page.

use crate::finding::Severity;

/// The facts about a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontMatter {
    /// What breaks the rule, in a few words.
    pub title: &'static str,
    /// The usual severity.
    pub severity: Severity,
    /// What the rule is about.
    pub tags: Vec<&'static str>,
    /// Catalogues of controls, each with the controls that the rule checks a part of.
    pub controls: Vec<(&'static str, Vec<&'static str>)>,
}

/// The front matter of a page and the text below it; none when the page does not begin with one.
pub(super) fn split(page: &'static str) -> Option<(&'static str, &'static str)> {
    page.strip_prefix("---\n")?.split_once("\n---\n")
}

impl FrontMatter {
    /// Reads the lines between the marks; none when something is missing.
    pub(super) fn read(lines: &'static str) -> Option<Self> {
        let value = |key: &str| {
            let mut lines = lines.lines();
            lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        };
        let controls = lines
            .lines()
            .skip_while(|line| *line != "controls:")
            .skip(1)
            .map_while(|line| line.strip_prefix("  ")?.split_once(':'))
            .map(|(catalogue, ids)| Some((catalogue, list(ids)?)))
            .collect::<Option<_>>()?;
        Some(Self {
            title: scalar(value("title")?),
            severity: scalar(value("severity")?).parse().ok()?,
            tags: list(value("tags")?)?,
            controls,
        })
    }
}

fn scalar(text: &'static str) -> &'static str {
    text.trim().trim_matches('"')
}

fn list(text: &'static str) -> Option<Vec<&'static str>> {
    let items = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let items = items.split(',').map(scalar);
    Some(items.filter(|item| !item.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RULES;

    #[test]
    fn every_page_says_what_a_catalogue_needs() {
        for rule in RULES {
            let (front, text) = split(rule.page).unwrap();
            assert!(front.starts_with(&format!("id: {}\n", rule.id)));
            assert!(text.starts_with("\n## What it means\n"), "{}", rule.id);
            let front = FrontMatter::read(front).unwrap();
            assert!(!front.title.is_empty() && !front.title.ends_with('.'));
            assert!(!front.tags.is_empty(), "{}", rule.id);
            let catalogues: Vec<_> = front.controls.iter().map(|(name, _)| *name).collect();
            assert_eq!(
                catalogues,
                [
                    "nist-800-53",
                    "cis-aws-foundations",
                    "security-hub",
                    "well-architected",
                    "mitre-attack"
                ],
                "{}",
                rule.id
            );
            assert!(!front.controls[0].1.is_empty(), "{}", rule.id);
        }
    }

    #[test]
    fn items_with_spaces_keep_them() {
        let front = FrontMatter::read(
            "title: A b\nseverity: low\ntags: [x]\ncontrols:\n  cis: [\"v1.4 1.15\", AC-2(1)]\n  none: []",
        )
        .unwrap();
        assert_eq!(
            front.controls,
            [("cis", vec!["v1.4 1.15", "AC-2(1)"]), ("none", vec![])]
        );
        assert_eq!(FrontMatter::read("title: A b\nseverity: urgent"), None);
    }
}
