//! Sets of queues in blocks of neighbouring numbers: sets that differ in a few queues have all their other blocks in common.

use crate::access::QueueSet;

/// Queues whose numbers share everything but so many bits are one block.
const BLOCK_BITS: u32 = 8;

/// Which queues of a block, a bit for each.
type Members = [u64; 1 << (BLOCK_BITS - u64::BITS.ilog2())];

/// Some queues of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Block {
    pub(super) number: u32,
    members: Members,
}

impl Block {
    pub(super) fn len(&self) -> u32 {
        self.members.iter().map(|word| word.count_ones()).sum()
    }

    /// The queues, in order.
    pub(super) fn queues(self) -> impl Iterator<Item = u32> {
        let words = (self.number << BLOCK_BITS..).step_by(u64::BITS as usize);
        words.zip(self.members).flat_map(|(first, word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let place = left.trailing_zeros();
                left &= left.wrapping_sub(1);
                (place < u64::BITS).then_some(first + place)
            })
        })
    }

    fn insert(&mut self, queue: u32) {
        let place = queue & ((1 << BLOCK_BITS) - 1);
        if let Some(word) = self.members.get_mut((place / u64::BITS) as usize) {
            *word |= 1 << (place % u64::BITS);
        }
    }

    /// The same without the queues of another.
    fn without(mut self, other: &Self) -> Self {
        for (word, other) in self.members.iter_mut().zip(other.members) {
            *word &= !other;
        }
        self
    }

    /// The same with the queues of another.
    fn with(mut self, other: &Self) -> Self {
        for (word, other) in self.members.iter_mut().zip(other.members) {
            *word |= other;
        }
        self
    }
}

/// A set of queues, block by block.
pub(super) fn blocks(queues: &QueueSet) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for queue in queues {
        let number = queue >> BLOCK_BITS;
        match blocks.last_mut() {
            Some(last) if last.number == number => last.insert(queue),
            _ => {
                let mut block = Block {
                    number,
                    members: Members::default(),
                };
                block.insert(queue);
                blocks.push(block);
            }
        }
    }
    blocks
}

/// A block of a set that is put together, and where it comes from if it is the same there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<T> {
    pub(super) block: Block,
    pub(super) from: Option<T>,
}

/// Sets of queues put together, block by block.
#[derive(Debug)]
pub(super) struct Pieces<T>(Vec<Piece<T>>);

impl<T> Pieces<T> {
    /// Begins with blocks in order; `from` tells where each comes from.
    pub(super) fn new(blocks: impl Iterator<Item = (Block, T)>) -> Self {
        let pieces = blocks.map(|(block, from)| Piece {
            block,
            from: Some(from),
        });
        Self(pieces.collect())
    }

    /// Takes queues out.
    pub(super) fn remove(&mut self, blocks: &[Block]) {
        for block in blocks {
            if let Ok(place) = self.place(block.number) {
                self.change(place, |known| known.without(block));
            }
        }
    }

    /// Adds queues, but for some of them.
    pub(super) fn add(&mut self, blocks: &[Block], but: &[Block]) {
        for block in blocks {
            let but = but
                .binary_search_by_key(&block.number, |but| but.number)
                .ok()
                .and_then(|place| but.get(place));
            let block = but.map_or(*block, |but| block.without(but));
            match self.place(block.number) {
                Ok(place) => self.change(place, |known| known.with(&block)),
                Err(place) => self.0.insert(place, Piece { block, from: None }),
            }
        }
    }

    fn place(&self, number: u32) -> Result<usize, usize> {
        self.0
            .binary_search_by_key(&number, |piece| piece.block.number)
    }

    fn change(&mut self, place: usize, change: impl FnOnce(Block) -> Block) {
        if let Some(piece) = self.0.get_mut(place) {
            let changed = change(piece.block);
            if changed != piece.block {
                *piece = Piece {
                    block: changed,
                    from: None,
                };
            }
        }
    }
}

impl<T> IntoIterator for Pieces<T> {
    type Item = Piece<T>;
    type IntoIter = std::vec::IntoIter<Piece<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set() -> impl Strategy<Value = QueueSet> {
        prop::collection::btree_set(0..2_000_u32, 0..60).prop_map(QueueSet::from_iter)
    }

    proptest! {
        #[test]
        fn pieces_hold_what_the_sets_hold(
            (first, out, second, but) in (set(), set(), set(), set()),
        ) {
            let (begin, second_blocks) = (blocks(&first), blocks(&second));
            let mut pieces = Pieces::new(begin.iter().copied().zip(0..));
            pieces.remove(&blocks(&out));
            pieces.add(&second_blocks, &blocks(&but));
            let mut found = QueueSet::new();
            let mut last = None;
            for piece in pieces {
                prop_assert!(last < Some(piece.block.number));
                last = Some(piece.block.number);
                if let Some(from) = piece.from {
                    prop_assert_eq!(Some(&piece.block), begin.get(from));
                }
                prop_assert_eq!(piece.block.queues().count(), piece.block.len() as usize);
                found.extend(piece.block.queues());
            }
            prop_assert_eq!(found, (first - out) | (second - but));
        }
    }
}
