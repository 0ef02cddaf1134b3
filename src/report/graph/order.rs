//! Which order the cells of each column stand in: the one with the fewest crossings that sweeping to and fro finds.
#![expect(
    clippy::indexing_slicing,
    reason = "places are made here and stay within the lists that they were made for"
)]

use std::collections::BTreeMap;

use super::layout::count;
use super::piece::{Piece, SWEEPS};

impl Piece {
    /// The cells of each column from top to bottom: the order with the fewest crossings that sweeping to and fro finds.
    pub(super) fn order(&self) -> Vec<Vec<usize>> {
        let mut by_column: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (index, cell) in self.cells.iter().enumerate() {
            by_column.entry(cell.column).or_default().push(index);
        }
        let mut order: Vec<Vec<usize>> = by_column.into_values().collect();
        let mut position = vec![0; self.cells.len()];
        for column in &order {
            note(column, &mut position);
        }
        let mut best = order.clone();
        let mut fewest = self.crossings(&order, &position);
        for sweep in 0..SWEEPS {
            let to_the_right = sweep % 2 == 0;
            let mut columns: Vec<usize> = (0..order.len()).collect();
            if !to_the_right {
                columns.reverse();
            }
            for column in columns {
                let mut keyed: Vec<(i64, i64, usize)> = order[column]
                    .iter()
                    .map(|cell| {
                        let own = position[*cell];
                        (self.barycenter(*cell, to_the_right, &position), own, *cell)
                    })
                    .collect();
                keyed.sort_unstable();
                order[column] = keyed.into_iter().map(|(_, _, cell)| cell).collect();
                note(&order[column], &mut position);
            }
            let crossings = self.crossings(&order, &position);
            if crossings < fewest {
                fewest = crossings;
                best.clone_from(&order);
            }
        }
        best
    }

    /// The mean position of what a cell is connected with on the side that the sweep comes from, or on the other where
    /// there is nothing, in thousandths of the column.
    fn barycenter(&self, cell: usize, to_the_right: bool, position: &[i64]) -> i64 {
        let own = &self.cells[cell];
        let [left, right] = &own.neighbours;
        let (near, far) = if to_the_right {
            (left, right)
        } else {
            (right, left)
        };
        let side = if near.is_empty() { far } else { near };
        let around = side.iter().chain(&own.beside);
        let (sum, number) = around.fold((0, 0), |(sum, number), other| {
            (sum + position[*other], number + 1)
        });
        if number == 0 {
            position[cell]
        } else {
            sum / number
        }
    }

    pub(super) fn crossings(&self, order: &[Vec<usize>], position: &[i64]) -> u64 {
        let mut crossings = 0;
        for column in order {
            // Lines to the right from top to bottom; each crosses those before it that end further down.
            let mut place: BTreeMap<usize, usize> = BTreeMap::new();
            let mut ends = Vec::new();
            for cell in column {
                let mut right: Vec<(i64, usize)> = self.cells[*cell].neighbours[1]
                    .iter()
                    .map(|other| (position[*other], *other))
                    .collect();
                right.sort_unstable();
                ends.extend(right);
            }
            let mut sorted = ends.clone();
            sorted.sort_unstable();
            for (_, cell) in sorted {
                let next = place.len();
                place.entry(cell).or_insert(next);
            }
            let mut tree = vec![0_u64; place.len() + 1];
            for (before, (_, cell)) in ends.iter().enumerate() {
                let at = place[cell] + 1;
                let (mut index, mut not_below) = (at, 0);
                while index > 0 {
                    not_below += tree[index];
                    index &= index - 1;
                }
                crossings += before as u64 - not_below;
                let mut index = at;
                while index < tree.len() {
                    tree[index] += 1;
                    index += index & index.wrapping_neg();
                }
            }
        }
        crossings
    }
}

/// Notes where each cell of a column stands, in thousandths of the column.
pub(super) fn note(column: &[usize], position: &mut [i64]) {
    let number = count(column.len());
    for (place, cell) in column.iter().enumerate() {
        position[*cell] = (2 * count(place) + 1) * 1_000_000 / (2 * number);
    }
}
