//! Every format over the same pictures: what a name can do to it, and whether what it shows is all there.

use std::collections::BTreeSet;

use super::*;
use crate::entity::{Certainty, Grade, Kind};
use crate::graph::EdgeKind;
use crate::graph::picture::example::{picture, with_loop};

/// Ends everything that a format could be in: strings, comments, elements, scripts, entities, lines and escapes.
const EVIL: &str = "a\"b'c</script><script>alert(1)</script>--><!--]]>&amp;&lt;\\\"\\\n\r\u{202e}\u{1b}[31m\u{2028}\u{ffff}`#35;%%|}{$x]);end subgraph click n0 call f()";

fn text(picture: &Picture, format: GraphFormat) -> String {
    let mut out = Vec::new();
    write_picture(picture, format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn flow(role: &str, queue: &str) -> Picture {
    let drawn = picture(
        &[
            (role, Kind::Role),
            (queue, Kind::Queue),
            (
                "arn:aws:lambda:eu-west-1:111122223333:function:worker",
                Kind::Function,
            ),
        ],
        &[
            (role, queue, EdgeKind::Send),
            (queue, role, EdgeKind::Receive),
            (role, queue, EdgeKind::Administer),
            (
                queue,
                "arn:aws:lambda:eu-west-1:111122223333:function:worker",
                EdgeKind::Delivers,
            ),
            (
                "arn:aws:lambda:eu-west-1:111122223333:function:worker",
                role,
                EdgeKind::RunsAs,
            ),
        ],
    );
    let path = [
        queue,
        "arn:aws:lambda:eu-west-1:111122223333:function:worker",
        role,
        queue,
    ];
    with_loop(drawn, Grade::Wired, &path)
}

fn hostile() -> Picture {
    let long = format!("arn:aws:iam::111122223333:role/{EVIL}{}", "x".repeat(512));
    let queue = format!("arn:aws:sqs:eu-west-1:111122223333:{EVIL}");
    let mut picture = flow(&long, &queue);
    for arrow in &mut picture.edges {
        arrow.certainty = Certainty::Conditional;
        arrow.conditions = vec![EVIL.to_owned(), format!("{EVIL}{}", "y".repeat(600))];
    }
    picture
}

/// Every element of the text opened and closed in order, attributes quoted, and only the entities that XML knows.
fn assert_well_formed(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (content, tag) = rest.split_at(start);
        assert_entities(content);
        let mut quoted = false;
        let end = tag
            .find(|character| {
                quoted ^= character == '"';
                character == '>' && !quoted
            })
            .unwrap();
        let (element, after) = tag.split_at(end);
        let inside = element.trim_start_matches('<');
        assert_entities(inside);
        assert!(!inside.contains('<'), "{inside}");
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{inside}");
        } else if !inside.ends_with('/') {
            open.push(inside.split_whitespace().next().unwrap());
        }
        rest = after.trim_start_matches('>');
    }
    assert!(open.is_empty(), "{open:?}");
}

fn assert_entities(text: &str) {
    for after in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        assert!(
            known.iter().any(|entity| after.starts_with(entity)),
            "{after}"
        );
    }
    assert!(!text.contains(
        |character: char| (character.is_control() && character != '\n')
            || matches!(character, '\u{202e}' | '\u{2028}' | '\u{fffe}' | '\u{ffff}')
    ));
}

#[test]
fn formats_are_read_by_the_name_they_print() {
    for format in GraphFormat::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    let error = "x\u{1b}ml".parse::<GraphFormat>().unwrap_err().to_string();
    assert!(
        error.contains(r"`x\u{1b}ml`; choose `json`, `dot`"),
        "{error}"
    );
}

#[test]
fn the_same_picture_gives_the_same_bytes() {
    for format in GraphFormat::ALL {
        assert_eq!(text(&hostile(), format), text(&hostile(), format));
    }
}

#[test]
fn a_picture_of_nothing_is_still_a_picture() {
    let nothing = picture(&[], &[]);
    for format in GraphFormat::ALL {
        assert!(!text(&nothing, format).is_empty());
    }
    assert_well_formed(&text(&nothing, GraphFormat::Svg));
}

#[test]
fn hostile_names_stay_text_in_svg() {
    let svg = text(&hostile(), GraphFormat::Svg);
    assert_well_formed(&svg);
    assert!(!svg.contains("<script"), "{svg}");
    assert!(svg.contains("&lt;/script&gt;"));
    assert!(
        svg.contains(&"x".repeat(512)),
        "the title has the full name"
    );
}

#[test]
fn hostile_names_stay_text_in_html() {
    let html = text(&hostile(), GraphFormat::Html);
    let scripts: Vec<_> = html.match_indices("<script").collect();
    assert_eq!(scripts.len(), 2, "data and script");
    assert_eq!(html.matches("</script>").count(), 2);
    assert!(
        !html.contains("<!--") && !html.contains("alert(1)</"),
        "{html}"
    );
    let (_, scene) = html.split_once("<body>").unwrap();
    let (scene, _) = scene.split_once("<aside>").unwrap();
    assert_well_formed(scene);
    let (_, data) = html.split_once(r#"type="application/json">"#).unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    assert!(!data.contains(['<', '>', '&']));
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["nodes"].as_array().unwrap().len(), 3);
    assert!(
        data["conditions"][0]
            .as_str()
            .unwrap()
            .contains("</script>")
    );
}

#[test]
fn a_page_runs_and_loads_nothing_but_what_its_policy_names() {
    use sha2::{Digest, Sha256};

    let html = text(&flow("role", "queue"), GraphFormat::Html);
    let between = |start: &str, end: &str| {
        let (_, rest) = html.split_once(start).unwrap();
        rest.split_once(end).unwrap().0.to_owned()
    };
    let policy = between("Content-Security-Policy\" content=\"", "\">");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for content in [
        between("<style>", "</style>"),
        between("<script>", "</script>"),
    ] {
        let hash = aws_smithy_types::base64::encode(Sha256::digest(content.as_bytes()));
        assert!(policy.contains(&hash), "{policy}");
    }
    for loaded in [
        "src=\"",
        "http-equiv=\"refresh",
        "@import",
        "url(http",
        " style=\"",
        " onclick",
        " onload",
    ] {
        assert!(!html.contains(loaded), "{loaded}");
    }
    for link in html.split("href=\"").skip(1) {
        assert!(link.starts_with('#'), "{link}");
    }
}

#[test]
fn a_page_finds_everything_that_is_drawn_again_in_other_blocks() {
    let html = text(&super::blocks::example::teams(), GraphFormat::Html);
    let (_, data) = html.split_once(r#"type="application/json">"#).unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let number = |list: &str| data[list].as_array().unwrap().len();
    assert!(number("again") > 10 && number("blocks") > 10);
    for node in 0..number("nodes") + number("again") {
        let id = format!(r#"id="n{node}""#);
        assert_eq!(html.matches(&id).count(), 1, "{id}");
    }
    for block in 0..number("blocks") {
        let id = format!(r#"id="b{block}""#);
        assert_eq!(html.matches(&id).count(), 1, "{id}");
    }
    assert_eq!(html.matches(r#"<li class="found">"#).count(), 3);
    let (scene, _) = html.split_once("</svg></div>").unwrap();
    let (_, scene) = scene.split_once("<g id=\"scene\">").unwrap();
    assert_well_formed(scene.trim_end().strip_suffix("</g>").unwrap());
}

#[test]
fn blocks_tell_their_name_and_how_many_loops_begin_in_them() {
    let svg = text(&super::blocks::example::teams(), GraphFormat::Svg);
    assert_well_formed(&svg);
    assert_eq!(
        svg,
        text(&super::blocks::example::teams(), GraphFormat::Svg)
    );
    assert_eq!(svg.matches(r#"<g class="plate">"#).count(), 3);
    assert!(svg.contains("queue team-t3-queue-0  (in team-t3-queue)"));
    let long = "organisation-transport";
    let mut renamed = super::blocks::example::teams();
    for node in &mut renamed.nodes {
        node.id = node.id.replace("team-t3", long).into();
    }
    let svg = text(&renamed, GraphFormat::Svg);
    assert!(svg.contains(">…-0</text>") && svg.contains(">…-3</text>"));
    let full = format!("<title>queue {long}-queue-0</title>");
    assert!(svg.contains(&full));
    assert!(svg.contains("dashed frame: stands in another part"));
    assert!(!text(&way_back(), GraphFormat::Svg).contains("dashed frame"));
}

#[test]
fn hostile_names_stay_quoted_in_dot() {
    let dot = text(&hostile(), GraphFormat::Dot);
    let mut statements = 0;
    let mut rest = dot.as_str();
    // What is left when strings are taken out is what patscan wrote.
    let mut outside = String::new();
    while let Some((before, string)) = rest.split_once('"') {
        outside.push_str(before);
        let mut escaped = false;
        let end = string
            .find(|character| {
                let ends = character == '"' && !escaped;
                escaped = character == '\\' && !escaped;
                ends
            })
            .unwrap();
        let (content, after) = string.split_at(end);
        assert!(!content.contains('\n'));
        (_, rest) = after.split_once('"').unwrap();
        statements += 1;
    }
    outside.push_str(rest);
    assert!(statements > 10);
    for line in outside
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
    {
        assert!(
            line.chars()
                .all(|character| character.is_ascii_alphanumeric()
                    || " ={}[],;->".contains(character)),
            "{line}"
        );
    }
    assert!(outside.contains("n0 -> n"), "{outside}");
}

#[test]
fn hostile_names_stay_labels_in_mermaid() {
    let mermaid = text(&hostile(), GraphFormat::Mermaid);
    assert!(mermaid.starts_with("flowchart LR\n"));
    for line in mermaid.lines().skip(1) {
        let label = line.split('"').nth(1).unwrap_or_default();
        let label = label.replace("<br/>", "");
        assert!(
            !label.contains(['<', '>', '`', '\\', '{', '|', '&', '%', '\u{202e}']),
            "{line}"
        );
        assert!(line.matches('"').count() % 2 == 0, "{line}");
    }
    assert!(mermaid.contains("#60;"));
}

#[test]
fn every_format_names_the_kind_the_loop_and_the_conditions() {
    let mut drawn = flow(
        "arn:aws:iam::111122223333:role/app",
        "arn:aws:sqs:eu-west-1:111122223333:orders",
    );
    drawn.edges[0].certainty = Certainty::Conditional;
    drawn.edges[0].conditions = vec!["aws:SourceIp is 10.0.0.0/8".to_owned()];
    drawn.incomplete = true;
    for format in [
        GraphFormat::Dot,
        GraphFormat::Mermaid,
        GraphFormat::Svg,
        GraphFormat::Html,
    ] {
        let text = text(&drawn, format);
        for word in ["orders", "role", "queue", "function", "wired", "Incomplete"] {
            assert!(text.contains(word), "{format}: {word}");
        }
        if format != GraphFormat::Mermaid {
            assert!(text.contains("aws:SourceIp is 10.0.0.0/8"), "{format}");
        }
    }
}

/// Every kind, each with a hostile name and a line to a queue.
fn every_kind() -> Picture {
    let kinds = [
        Kind::User,
        Kind::Group,
        Kind::Role,
        Kind::Account,
        Kind::Service,
        Kind::Organization,
        Kind::Anyone,
        Kind::Function,
        Kind::Instance,
        Kind::AutoScalingGroup,
        Kind::Task,
        Kind::EcsService,
        Kind::PodIdentity,
        Kind::ServiceAccount,
        Kind::StateMachine,
        Kind::Pipe,
        Kind::Schedule,
        Kind::Crawler,
        Kind::Topic,
        Kind::Bucket,
        Kind::Bus,
        Kind::Api,
        Kind::IotRule,
        Kind::Stream,
        Kind::Broker,
    ];
    let ids: Vec<String> = (0..)
        .zip(kinds)
        .map(|(number, kind)| format!("{number}{EVIL}{kind}"))
        .collect();
    let mut nodes: Vec<(&str, Kind)> = ids.iter().map(String::as_str).zip(kinds).collect();
    nodes.push(("queue", Kind::Queue));
    let edges: Vec<(&str, &str, EdgeKind)> = ids
        .iter()
        .map(|id| (id.as_str(), "queue", EdgeKind::Delivers))
        .collect();
    picture(&nodes, &edges)
}

#[test]
fn every_kind_is_drawn_with_an_icon_that_exists_and_told_in_the_legend() {
    let drawn = every_kind();
    let svg = text(&drawn, GraphFormat::Svg);
    assert_well_formed(&svg);
    let mut icons = BTreeSet::new();
    for after in svg.split("href=\"#").skip(1) {
        let (icon, _) = after.split_once('"').unwrap();
        assert!(svg.contains(&format!("<symbol id=\"{icon}\"")), "{icon}");
        icons.insert(icon);
    }
    assert!(!icons.contains("icon-other"), "{icons:?}");
    for after in svg.split("marker-end=\"url(#").skip(1) {
        let (marker, _) = after.split_once(')').unwrap();
        assert!(
            svg.contains(&format!("<marker id=\"{marker}\"")),
            "{marker}"
        );
    }
    let (_, legend) = svg.split_once("class=\"paper\"").unwrap();
    for word in ["topic", "bucket", "event bus", "pipe", "schedule", "API"] {
        assert!(legend.contains(&format!(">{word}</text>")), "{word}");
    }
    let html = text(&drawn, GraphFormat::Html);
    let (_, scene) = html.split_once("<body>").unwrap();
    let (scene, _) = scene.split_once("<script").unwrap();
    assert!(!scene.contains("alert(1)</"));
}

#[test]
fn what_messages_pass_through_is_told_apart_by_shape() {
    let drawn = every_kind();
    let dot = text(&drawn, GraphFormat::Dot);
    let mermaid = text(&drawn, GraphFormat::Mermaid);
    let dot_shapes: BTreeSet<&str> = dot
        .split(", shape=")
        .skip(1)
        .map(|rest| rest.split([']', ',']).next().unwrap())
        .collect();
    assert_eq!(
        dot_shapes,
        BTreeSet::from([
            "box",
            "box3d",
            "cds",
            "component",
            "cylinder",
            "ellipse",
            "house",
            "invtrapezium",
            "octagon",
            "parallelogram",
            "rarrow",
        ])
    );
    for line in mermaid.lines().skip(1) {
        assert!(line.matches('"').count() % 2 == 0, "{line}");
        let label = line.split('"').nth(1).unwrap_or_default();
        let label = label.replace("<br/>", "");
        assert!(
            !label.contains(['<', '>', '`', '\\', '{', '|', '&']),
            "{line}"
        );
    }
    for shape in [">\"", "[\\\"", "([\"", "[/\"", "{{\""] {
        assert!(mermaid.contains(shape), "{shape}");
    }
}

/// A bucket that fills a queue whose function writes to the bucket.
fn way_back() -> Picture {
    let drawn = picture(
        &[
            ("bucket", Kind::Bucket),
            ("queue", Kind::Queue),
            ("worker", Kind::Function),
            ("role", Kind::Role),
        ],
        &[
            ("bucket", "queue", EdgeKind::Delivers),
            ("queue", "worker", EdgeKind::Delivers),
            ("worker", "role", EdgeKind::RunsAs),
            ("role", "bucket", EdgeKind::PutObject),
        ],
    );
    let path = ["queue", "worker", "role", "bucket", "queue"];
    with_loop(drawn, Grade::Wired, &path)
}

#[test]
fn a_way_back_over_several_places_has_its_number_at_every_line_that_carries_messages() {
    let svg = text(&way_back(), GraphFormat::Svg);
    assert_eq!(svg.matches("<g class=\"number\">").count(), 3, "{svg}");
    let way = "⟲ 1  wired: queue queue → function worker → role role → bucket bucket → queue queue";
    assert!(svg.contains(way));
    assert_eq!(svg.matches("class=\"line put-object").count(), 0);
    assert!(text(&way_back(), GraphFormat::Mermaid).contains("put-object · loop wired"));
    let dot = text(&way_back(), GraphFormat::Dot);
    assert_eq!(dot.matches(", color=red, fontcolor=red").count(), 4);
    // One principal over one queue: the line that leads back is enough.
    let svg = text(&flow("role", "queue"), GraphFormat::Svg);
    assert_eq!(svg.matches("<g class=\"number\">").count(), 1);
}

#[test]
fn no_text_of_a_picture_is_smaller_than_eleven_pixels() {
    let sizes: BTreeSet<&str> = svg::STYLE
        .split("font-size: ")
        .skip(1)
        .map(|rest| rest.split_once("px").unwrap().0)
        .collect();
    for size in sizes {
        assert!(size.parse::<f64>().unwrap() >= 11.0, "{size}");
    }
}
