//! The pages of the rules that have findings: ours, from the catalogue, as markup that the script only has to show.

use std::io::{self, Write};

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::super::Report;
use super::super::markup::escaped;
use super::data::rules_of;
use crate::rules::RULES;

/// Writes a template for each rule.
pub(super) fn templates(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for id in rules_of(&report.findings) {
        let Some(rule) = RULES.iter().find(|rule| rule.id == id) else {
            continue;
        };
        writeln!(
            out,
            "<template id=\"rule-{}\">\n{}</template>",
            escaped(id),
            markup(rule.text())
        )?;
    }
    Ok(())
}

/// Markdown as markup whose headings fit below those of a finding. Markup inside it stays text.
fn markup(page: &str) -> String {
    let lower = |level: HeadingLevel| match level {
        HeadingLevel::H1 | HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    };
    let events = Parser::new_ext(page, Options::ENABLE_TABLES).map(|event| match event {
        Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
            level: lower(level),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        // A style in an attribute is what the page's policy forbids.
        Event::Start(Tag::Table(columns)) => Event::Start(Tag::Table(
            columns
                .iter()
                .map(|_| pulldown_cmark::Alignment::None)
                .collect(),
        )),
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(CowStr::from(text.to_string())),
        other => other,
    });
    let mut text = String::new();
    html::push_html(&mut text, events);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_the_catalogue_becomes_markup_without_style_or_script() {
        for rule in RULES {
            let markup = markup(rule.text());
            assert!(markup.starts_with("<h4>"), "{}", rule.id);
            for forbidden in ["<script", "style=", " on", "<img"] {
                let mut tags = markup.split('<').filter_map(|tag| tag.split('>').next());
                assert!(
                    !tags.any(|tag| format!("<{tag}").contains(forbidden)),
                    "{}: {forbidden}",
                    rule.id
                );
            }
        }
        assert_eq!(markup("a <b>x</b>"), "<p>a &lt;b&gt;x&lt;/b&gt;</p>\n");
    }
}
