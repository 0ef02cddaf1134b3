//! How far down each cell stands: as near to what it is connected with as its order and size allow.
#![expect(
    clippy::indexing_slicing,
    reason = "places are made here and stay within the lists that they were made for"
)]

use super::piece::{Cell, Piece, ROW_GAP, SWEEPS};

impl Piece {
    /// Brings each cell as near to the middle of what it is connected with as its order and size allow.
    pub(super) fn set_heights(&mut self, order: &[Vec<usize>]) {
        for column in order {
            let mut y = 0;
            for cell in column {
                let height = self.cells[*cell].height;
                self.cells[*cell].y = y + height / 2;
                y += height + ROW_GAP;
            }
        }
        for sweep in 0..SWEEPS {
            let columns: Vec<&Vec<usize>> = if sweep % 2 == 0 {
                order.iter().collect()
            } else {
                order.iter().rev().collect()
            };
            for column in columns {
                self.settle(column);
            }
        }
        let edge = |cell: &Cell, sign: i64| cell.y + sign * cell.height / 2;
        let top = self
            .cells
            .iter()
            .map(|cell| edge(cell, -1))
            .min()
            .unwrap_or(0);
        for cell in &mut self.cells {
            cell.y -= top;
        }
        self.height = self
            .cells
            .iter()
            .map(|cell| edge(cell, 1))
            .max()
            .unwrap_or(0);
    }

    /// The least squares of the distances to the wished places, in the given order and without overlaps: cells that would
    /// overlap are pooled and take the mean of their wishes.
    fn settle(&mut self, column: &[usize]) {
        let mut offsets = Vec::with_capacity(column.len());
        let mut pools: Vec<(i64, i64, usize)> = Vec::new();
        let mut offset = 0;
        for (index, cell) in column.iter().enumerate() {
            if index > 0 {
                offset += self.distance(column[index - 1], *cell);
            }
            offsets.push(offset);
            let (sum, weight) = self.wish(*cell);
            let mut pool = (sum - offset * weight, weight, 1);
            while let Some(above) = pools.last() {
                if above.0 * pool.1 < pool.0 * above.1 {
                    break;
                }
                pool = (above.0 + pool.0, above.1 + pool.1, above.2 + pool.2);
                pools.pop();
            }
            pools.push(pool);
        }
        let mut next = 0;
        for (sum, weight, number) in pools {
            for _ in 0..number {
                self.cells[column[next]].y = sum.div_euclid(weight) + offsets[next];
                next += 1;
            }
        }
    }

    /// The sum of the places that a cell would like to be at, and how many they are.
    fn wish(&self, cell: usize) -> (i64, i64) {
        let own = &self.cells[cell];
        let mean_of = |sum: (i64, i64), other: &usize| (sum.0 + self.cells[*other].y, sum.1 + 1);
        let around = own.neighbours.iter().flatten().fold((0, 0), mean_of);
        // What stands in the same column pulls along only what nothing else holds.
        match around {
            (_, 0) if own.beside.is_empty() => (own.y, 1),
            (_, 0) => own.beside.iter().fold((0, 0), mean_of),
            around => around,
        }
    }

    fn distance(&self, above: usize, below: usize) -> i64 {
        let (above, below) = (&self.cells[above], &self.cells[below]);
        let gap = match (above.nodes.is_empty(), below.nodes.is_empty()) {
            (true, true) => 2,
            _ => ROW_GAP,
        };
        i64::midpoint(above.height, below.height) + gap
    }
}
