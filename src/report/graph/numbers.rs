//! The numbers of loops at their lines: at every line of a way over several places, so that it can be followed; a loop of one
//! principal over one queue has its number once, at the line that leads back.

use std::collections::BTreeMap;

use super::super::markup::escaped;
use super::blocks::Blocks;
use super::layout::{Layout, Point};
use super::svg::{LISTED_COLUMNS, add};
use super::words;
use crate::graph::EdgeKind;
use crate::graph::picture::fold::{Drawing, DrawnLoop, Part};

/// Loops that have a number.
pub(super) const MOST_NUMBERED: usize = 200;
/// Numbers that stand at one line; more are told by its title.
const MOST_AT_A_LINE: usize = 4;
/// The room that one number takes, and half the height of all.
const WIDTH: i64 = 15;
const HALF_HEIGHT: i64 = 9;

/// A plate with numbers, by its middle and half its width.
struct Plate {
    at: Point,
    half: i64,
}

impl Plate {
    fn covers(&self, other: &Self) -> bool {
        (self.at.x - other.at.x).abs() < self.half + other.half
            && (self.at.y - other.at.y).abs() < 2 * HALF_HEIGHT
    }
}

/// The numbers of loops, each with the line that it stands at.
pub(super) fn numbers(blocks: &Blocks<'_>, layout: &Layout) -> Vec<(usize, String)> {
    let drawing = &blocks.drawing;
    let mut at: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let by_ends = red_lines(blocks);
    for (found, number) in drawing.loops.iter().take(MOST_NUMBERED).zip(1..) {
        for line in numbered_lines(drawing, found, &by_ends) {
            at.entry(line).or_default().push(number);
        }
    }
    let mut numbers = Vec::new();
    let mut placed: Vec<Plate> = Vec::new();
    for (line, loops) in at {
        let Some(route) = layout.routes.get(line) else {
            continue;
        };
        let shown: Vec<String> = loops
            .iter()
            .take(MOST_AT_A_LINE)
            .map(usize::to_string)
            .collect();
        let more = if loops.len() > MOST_AT_A_LINE {
            " …"
        } else {
            ""
        };
        let text = shown.join(" ") + more;
        let characters = i64::try_from(text.chars().count()).unwrap_or(0);
        let half = i64::midpoint(WIDTH, (characters - 1) * 6) + 2;
        let Some(plate) = place(route, half, &placed) else {
            continue;
        };
        let titles: Vec<String> = loops
            .iter()
            .filter_map(|number| Some((number, drawing.loops.get(number.checked_sub(1)?)?)))
            .map(|(number, found)| {
                let path = words::path(drawing, found, LISTED_COLUMNS);
                format!("loop {number}, {}: {path}", words::loop_number(found))
            })
            .collect();
        let Point { x, y } = plate.at;
        let mut number = String::new();
        add(
            &mut number,
            format_args!(
                r#"<g class="number"><rect x="{}" y="{}" width="{}" height="{}" rx="{HALF_HEIGHT}"/><text x="{x}" y="{}">{text}</text><title>{}</title></g>"#,
                x - half,
                y - HALF_HEIGHT,
                2 * half,
                2 * HALF_HEIGHT,
                y + 4,
                escaped(&titles.join("\n"))
            ),
        );
        numbers.push((line, number));
        placed.push(plate);
    }
    numbers
}

/// The red lines by their ends, those that carry messages first.
fn red_lines(blocks: &Blocks<'_>) -> BTreeMap<(usize, usize), usize> {
    let mut lines = BTreeMap::new();
    for (place, line) in blocks.drawing.lines.iter().enumerate() {
        if line.grade.is_some() && line.kind != EdgeKind::RunsAs {
            let ends = (blocks.repeats(line.from), blocks.repeats(line.to));
            lines.entry(ends).or_insert(place);
        }
    }
    lines
}

fn numbered_lines(
    drawing: &Drawing<'_>,
    found: &DrawnLoop,
    by_ends: &BTreeMap<(usize, usize), usize>,
) -> Vec<usize> {
    let steps = found.path.iter().zip(found.path.iter().skip(1));
    let lines = steps.filter_map(|(from, to)| by_ends.get(&(*from, *to)).copied());
    let mut lines: Vec<usize> = lines.collect();
    let is_place = |node: &&usize| {
        let node = drawing.nodes.get(**node);
        node.is_some_and(|node| Part::of(node.kind) == Part::Resource)
    };
    // The first place is named again at the end.
    if found.path.iter().filter(is_place).count() <= 2 {
        return lines.pop().into_iter().collect();
    }
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// A place on the line that no other plate covers, as near to its middle as there is one; otherwise its middle.
fn place(route: &[Point], half: i64, placed: &[Plate]) -> Option<Plate> {
    let pairs = || route.iter().zip(route.iter().skip(1));
    let number = pairs().count();
    let mut candidates: Vec<(usize, Plate)> = pairs()
        .enumerate()
        // Where a line passes a column, names are near.
        .filter(|(_, (one, other))| number == 1 || one.y != other.y || one.x == other.x)
        .flat_map(|(index, (one, other))| {
            [2, 3, 1].map(|quarter| {
                let from_middle = index.abs_diff(number / 2) * 2 + usize::from(quarter != 2);
                let at = along(*one, *other, quarter);
                (from_middle, Plate { at, half })
            })
        })
        .collect();
    candidates.sort_by_key(|(from_middle, _)| *from_middle);
    let is_free = |plate: &Plate| !placed.iter().any(|known| known.covers(plate));
    let free = candidates.iter().position(|(_, plate)| is_free(plate));
    let chosen = free.unwrap_or(0);
    candidates
        .into_iter()
        .nth(chosen)
        .map(|(_, plate)| plate)
        .or_else(|| {
            let (one, other) = pairs().nth(number / 2)?;
            Some(Plate {
                at: along(*one, *other, 2),
                half,
            })
        })
}

/// The point of the curve between two points after so many quarters of it.
fn along(one: Point, other: Point, quarters: i64) -> Point {
    if one.x == other.x {
        // Three quarters of how far the curve leans out, at its middle.
        let bulge = 26 + ((other.y - one.y).abs() / 8).min(50);
        let x = one.x + bulge * 3 * quarters * (4 - quarters) / 16;
        return Point {
            x,
            y: between(one.y, other.y, quarters),
        };
    }
    Point {
        x: between_middles(one.x, other.x, quarters),
        y: between(one.y, other.y, quarters),
    }
}

/// A cubic curve with level ends, after so many quarters of it: how high.
fn between(one: i64, other: i64, quarters: i64) -> i64 {
    let rest = 4 - quarters;
    let from = rest * rest * rest + 3 * rest * rest * quarters;
    let to = quarters * quarters * quarters + 3 * rest * quarters * quarters;
    (one * from + other * to) / 64
}

/// The same for how far along, with both handles in the middle.
fn between_middles(one: i64, other: i64, quarters: i64) -> i64 {
    let rest = 4 - quarters;
    let middle = i64::midpoint(one, other);
    let (from, to) = (rest * rest * rest, quarters * quarters * quarters);
    let handles = 3 * rest * rest * quarters + 3 * rest * quarters * quarters;
    (one * from + middle * handles + other * to) / 64
}
