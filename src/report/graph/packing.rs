//! Puts boxes of any size onto one page of the shape of a screen, the first ones at its top.
#![expect(
    clippy::indexing_slicing,
    reason = "places are made here and stay within the lists that they were made for"
)]

use std::cmp::Reverse;

/// Width to height of the page, in tenths.
const ASPECT: i64 = 16;
/// Widths of the page that are tried.
const TRIES: i64 = 40;

/// For each box, given by width and height, its top left corner, with a gap between any two. The first so many stand in
/// their order; the others, the high ones first.
pub(super) fn packed(boxes: &[(i64, i64)], first: usize, gap: i64) -> Vec<(i64, i64)> {
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order[first.min(boxes.len())..].sort_by_key(|place| (Reverse(boxes[*place].1), *place));
    let sorted: Vec<(i64, i64)> = order.iter().map(|place| boxes[*place]).collect();
    let mut places = vec![(0, 0); boxes.len()];
    for (place, at) in order.into_iter().zip(in_order(&sorted, gap)) {
        places[place] = at;
    }
    places
}

fn in_order(boxes: &[(i64, i64)], gap: i64) -> Vec<(i64, i64)> {
    let widest = boxes.iter().map(|(width, _)| *width).max().unwrap_or(0);
    let area: i64 = boxes
        .iter()
        .map(|(width, height)| (width + gap) * (height + gap))
        .sum();
    // As wide as the shape has it if nothing were wasted, and then wider.
    let narrowest = (area * ASPECT / 10).isqrt().max(widest);
    let tries = (0..TRIES).map(|number| {
        let width = narrowest + narrowest * number / TRIES;
        let places = on_page(boxes, gap, width);
        let ends = || places.iter().zip(boxes);
        let right = ends().map(|(at, size)| at.0 + size.0).max().unwrap_or(0);
        let bottom = ends().map(|(at, size)| at.1 + size.1).max().unwrap_or(0);
        ((right * 10).max(bottom * ASPECT), right * bottom, places)
    });
    tries
        .min_by_key(|(size, area, _)| (*size, *area))
        .map(|(.., places)| places)
        .unwrap_or_default()
}

/// Puts each box as far up as it goes in a page of a width, then as far left.
fn on_page(boxes: &[(i64, i64)], gap: i64, width: i64) -> Vec<(i64, i64)> {
    // Where the free room begins, from left to right: from which place on, and how far down.
    let mut skyline: Vec<(i64, i64)> = vec![(0, 0)];
    let mut places = Vec::with_capacity(boxes.len());
    for (wide, high) in boxes {
        let mut best = (i64::MAX, 0);
        for start in 0..skyline.len() {
            let left = skyline[start].0;
            if left + wide > width && left > 0 {
                break;
            }
            let under = skyline[start..].iter();
            let top = under
                .take_while(|(from, _)| *from < left + wide + gap)
                .map(|(_, top)| *top)
                .max()
                .unwrap_or(0);
            best = best.min((top, left));
        }
        let (top, left) = best;
        places.push((left, top));
        let right = left + wide + gap;
        let after = skyline.iter().rev().find(|(from, _)| *from <= right);
        let after = after.map_or(0, |(_, top)| *top);
        skyline.retain(|(from, _)| *from < left || *from > right);
        skyline.extend([(left, top + high + gap), (right, after)]);
        skyline.sort_unstable();
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Boxes of many sizes, the same ones each time.
    fn boxes(number: i64) -> Vec<(i64, i64)> {
        (0..number)
            .map(|n| (100 + n * 7919 % 300, 80 + n * 104_729 % 500))
            .collect()
    }

    #[test]
    fn no_box_covers_another_or_its_gap() {
        let boxes = boxes(60);
        let places = packed(&boxes, 5, 20);
        for (index, (one, size)) in places.iter().zip(&boxes).enumerate() {
            assert!(one.0 >= 0 && one.1 >= 0);
            for (other, other_size) in places.iter().zip(&boxes).skip(index + 1) {
                let apart = one.0 + size.0 + 20 <= other.0
                    || other.0 + other_size.0 + 20 <= one.0
                    || one.1 + size.1 + 20 <= other.1
                    || other.1 + other_size.1 + 20 <= one.1;
                assert!(apart, "{one:?} {size:?} {other:?} {other_size:?}");
            }
        }
    }

    #[test]
    fn the_page_has_the_shape_of_a_screen_and_little_of_it_is_empty() {
        let boxes = boxes(60);
        let places = packed(&boxes, 5, 20);
        let ends = || places.iter().zip(&boxes);
        let right = ends().map(|(at, size)| at.0 + size.0).max().unwrap();
        let bottom = ends().map(|(at, size)| at.1 + size.1).max().unwrap();
        let used: i64 = boxes.iter().map(|(width, height)| width * height).sum();
        assert!(
            right * 10 > bottom * 12 && right * 10 < bottom * 20,
            "{right} {bottom}"
        );
        assert!(used * 10 > right * bottom * 6, "{used} {right} {bottom}");
    }

    #[test]
    fn the_first_box_is_at_the_top_and_nothing_is_packed_as_nothing() {
        assert_eq!(packed(&boxes(9), 5, 20)[0], (0, 0));
        assert!(packed(&[], 1, 20).is_empty());
        assert_eq!(packed(&[(5, 5000)], 1, 20), [(0, 0)]);
    }
}
