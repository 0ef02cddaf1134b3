//! Random numbers that stay the same: `SplitMix64`, twenty lines, instead of a crate whose next version may draw differently
//! and so change every figure that was measured on a generated account.

/// A stream of random numbers.
pub(super) struct Random(u64);

impl Random {
    /// The stream of one thing, told by what it is and its number: what is drawn for one thing changes nothing for another.
    pub(super) fn of(seed: u64, what: &str, number: usize) -> Self {
        let mut random = Self(seed);
        for byte in what.bytes() {
            random.0 = random.next() ^ u64::from(byte);
        }
        random.0 = random.next() ^ number as u64;
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; zero when the limit is zero.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        let scaled = (u128::from(self.next()) * limit as u128) >> 64;
        usize::try_from(scaled).unwrap_or_default()
    }

    /// Whether something happens that happens so often in a thousand.
    pub(super) fn chance(&mut self, per_mille: usize) -> bool {
        self.below(1000) < per_mille
    }

    /// One of several.
    #[expect(
        clippy::indexing_slicing,
        reason = "the number is below the length; no list of choices is empty"
    )]
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// One of several, each as often as its weight says.
    pub(super) fn weighted<T: Copy>(&mut self, choices: &[(usize, T)]) -> Option<T> {
        let mut left = self.below(choices.iter().map(|(weight, _)| weight).sum());
        for (weight, choice) in choices {
            match left.checked_sub(*weight) {
                None => return Some(*choice),
                Some(rest) => left = rest,
            }
        }
        None
    }

    /// So many characters as AWS writes unique ids.
    pub(super) fn letters(&mut self, length: usize) -> String {
        let letters: Vec<char> = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".chars().collect();
        (0..length).map(|_| self.pick(&letters)).collect()
    }

    /// So many hexadecimal digits.
    pub(super) fn hex(&mut self, length: usize) -> String {
        let digits: Vec<char> = "0123456789abcdef".chars().collect();
        (0..length).map(|_| self.pick(&digits)).collect()
    }

    /// A UUID.
    pub(super) fn uuid(&mut self) -> String {
        let parts: Vec<String> = [8, 4, 4, 4, 12].map(|length| self.hex(length)).into();
        parts.join("-")
    }
}
