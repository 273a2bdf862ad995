//! [`Ranking`]: who of some has the least.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// Who of some has the least, by dominant share, then by how often they were given something, then by name.
///
/// Everybody has a seat, a small number. A tournament is kept over the seats: each match remembers who of two is before
/// the other, so that a change replays as many matches as the tournament has rounds, and the first of all stands at the
/// top. When the totals change, all shares do; then the whole tournament is played once, when next it is asked.
#[derive(Debug)]
pub(crate) struct Ranking {
    seats: Vec<Seat>,
    /// What each seat has, one column after the other.
    sums: Vec<i128>,
    columns: usize,
    keys: Vec<Rank>,
    /// The seat that wins each match. The first match is at 1, those below match `m` at `2m` and `2m + 1`, and the seats
    /// themselves at the end, from `width` on.
    winners: Vec<u32>,
    width: usize,
    by_name: BTreeMap<Arc<str>, u32>,
    empty: Vec<u32>,
    /// The version of the totals that the keys were computed with.
    version: u64,
}

#[derive(Clone, Debug)]
struct Seat {
    /// Grows in the order of names.
    label: u64,
    weight: f64,
    /// How often the seat was given something.
    count: u64,
    active: bool,
}

/// Where a seat ranks: less is before. The bits of a share, which is never negative, are in the order of shares.
type Rank = (u64, u64, u64);

/// Behind all others.
const LAST: Rank = (u64::MAX, u64::MAX, u64::MAX);
/// Seats that are looked at together.
const WORD: usize = 64;

/// All there is, by column, and which columns count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) amounts: Vec<i128>,
    pub(crate) counted: Vec<bool>,
    /// Grows when an amount changes.
    pub(crate) version: u64,
}

impl Default for Ranking {
    fn default() -> Self {
        Self {
            seats: Vec::new(),
            sums: Vec::new(),
            columns: 0,
            keys: Vec::new(),
            winners: vec![0, 0],
            width: 1,
            by_name: BTreeMap::new(),
            empty: Vec::new(),
            version: u64::MAX,
        }
    }
}

impl Ranking {
    /// Gives somebody a seat, who has nothing yet and is not active. The name must be new.
    pub(crate) fn sit(&mut self, name: &Arc<str>, weight: f64) -> u32 {
        let seat = Seat { label: self.label(name), weight, count: 0, active: false };
        let number = match self.empty.pop() {
            Some(number) => {
                self.seats[number as usize] = seat;
                number
            }
            None => {
                self.seats.push(seat);
                self.keys.push(LAST);
                self.sums.resize(self.seats.len() * self.columns, 0);
                self.seats.len() as u32 - 1
            }
        };
        self.by_name.insert(Arc::clone(name), number);
        self.version = u64::MAX;
        number
    }

    /// Somebody goes, who is not active.
    pub(crate) fn leave(&mut self, name: &str) {
        let Some(number) = self.by_name.remove(name) else { return };
        let sums = number as usize * self.columns..(number as usize + 1) * self.columns;
        self.sums[sums].fill(0);
        self.seats[number as usize].active = false;
        self.keys[number as usize] = LAST;
        self.empty.push(number);
        self.version = u64::MAX;
    }

    /// A number between those of the names before and after it. Names at the end, where most come, leave most room.
    fn label(&mut self, name: &str) -> u64 {
        const STEP: u64 = 1 << 32;
        let label = |seat: Option<(&Arc<str>, &u32)>| seat.map(|(_, number)| self.seats[*number as usize].label);
        let before = label(self.by_name.range::<str, _>((Unbounded, Excluded(name))).next_back()).unwrap_or(0);
        let after = label(self.by_name.range::<str, _>((Excluded(name), Unbounded)).next());
        match after {
            None if before < u64::MAX - 2 * STEP => before + STEP,
            Some(after) if after - before > 1 => before + (after - before) / 2,
            _ => {
                for (place, number) in self.by_name.values().enumerate() {
                    self.seats[*number as usize].label = (place as u64 + 1) * STEP;
                }
                self.version = u64::MAX;
                self.label(name)
            }
        }
    }

    /// Whether nobody sits here.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// How many seats there are, taken or not.
    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(crate) fn set_weight(&mut self, seat: u32, weight: f64) {
        self.seats[seat as usize].weight = weight;
        self.version = u64::MAX;
    }

    /// Whether the seat takes part.
    pub(crate) fn set_active(&mut self, seat: u32, active: bool, totals: &Totals) {
        self.seats[seat as usize].active = active;
        self.rank_again(seat, totals);
    }

    pub(crate) fn is_active(&self, seat: u32) -> bool {
        self.seats[seat as usize].active
    }

    /// The seat is given something.
    pub(crate) fn give(&mut self, seat: u32, amounts: &[i64], totals: &Totals) {
        self.seats[seat as usize].count += 1;
        for (sum, amount) in self.sums_of(seat, amounts.len()).iter_mut().zip(amounts) {
            *sum += i128::from(*amount);
        }
        self.rank_again(seat, totals);
    }

    /// Something is taken from the seat.
    pub(crate) fn take(&mut self, seat: u32, amounts: &[i64], totals: &Totals) {
        for (sum, amount) in self.sums_of(seat, amounts.len()).iter_mut().zip(amounts) {
            *sum -= i128::from(*amount);
        }
        self.rank_again(seat, totals);
    }

    /// The seat has what another place counted: sums, and how often it was given something.
    pub(crate) fn copy(&mut self, seat: u32, sums: &[i128], count: u64) {
        self.sums_of(seat, sums.len())[..sums.len()].copy_from_slice(sums);
        self.seats[seat as usize].count = count;
        self.version = u64::MAX;
    }

    fn sums_of(&mut self, seat: u32, columns: usize) -> &mut [i128] {
        if columns > self.columns {
            let mut wider = vec![0; self.seats.len() * columns];
            for (number, sums) in self.sums.chunks(self.columns.max(1)).enumerate().take(self.seats.len()) {
                wider[number * columns..number * columns + sums.len()].copy_from_slice(sums);
            }
            (self.sums, self.columns) = (wider, columns);
        }
        let start = seat as usize * self.columns;
        &mut self.sums[start..start + self.columns]
    }

    /// The greatest part that the seat has of anything that counts. The same division for the same numbers: equal shares
    /// are equal to the last bit, whatever came in between.
    pub(crate) fn share(&self, seat: u32, totals: &Totals) -> f64 {
        let start = seat as usize * self.columns;
        let mut greatest = 0.0_f64;
        for (column, sum) in self.sums[start..start + self.columns].iter().enumerate() {
            if totals.counted[column] && totals.amounts[column] > 0 {
                greatest = greatest.max(as_f64(*sum) / as_f64(totals.amounts[column]));
            }
        }
        greatest
    }

    fn rank(&self, seat: u32, totals: &Totals) -> Rank {
        let Seat { label, weight, count, active } = self.seats[seat as usize];
        match active {
            true => ((self.share(seat, totals) / weight).to_bits(), count, label),
            false => LAST,
        }
    }

    fn rank_again(&mut self, seat: u32, totals: &Totals) {
        if self.version != totals.version {
            return;
        }
        let key = self.rank(seat, totals);
        self.keys[seat as usize] = key;
        let (mut game, mut winner) = (self.width + seat as usize, (key, seat));
        while game > 1 {
            // The winner of the match beside this one.
            let other = self.winners[game ^ 1];
            winner = winner.min((self.key(other), other));
            game /= 2;
            self.winners[game] = winner.1;
        }
    }

    fn winner(&self, game: usize) -> u32 {
        let (one, other) = (self.winners[2 * game], self.winners[2 * game + 1]);
        if self.key(other) < self.key(one) { other } else { one }
    }

    /// Seats behind the last one are there to make the tournament even.
    fn key(&self, seat: u32) -> Rank {
        self.keys.get(seat as usize).copied().unwrap_or(LAST)
    }

    /// Plays the whole tournament, if the totals or the seats have changed.
    pub(crate) fn refresh(&mut self, totals: &Totals) {
        if self.version == totals.version {
            return;
        }
        for seat in 0..self.seats.len() as u32 {
            self.keys[seat as usize] = self.rank(seat, totals);
        }
        self.width = self.seats.len().next_power_of_two();
        self.winners.clear();
        self.winners.resize(self.width, 0);
        self.winners.extend(0..self.width as u32);
        for game in (1..self.width).rev() {
            self.winners[game] = self.winner(game);
        }
        self.version = totals.version;
    }

    /// The first of those who are active. The ranking must be fresh, here and below.
    pub(crate) fn first(&self) -> Option<u32> {
        Some(self.winners[1]).filter(|seat| self.key(*seat) != LAST)
    }

    /// The first of those who are active and not barred, which is a bit for each seat. Where many are barred, sixty-four
    /// at once are passed over, and of others the best is found by looking at those that are left.
    pub(crate) fn first_but(&self, barred: &[u64]) -> Option<u32> {
        let is_barred =
            |seat: u32| barred.get(seat as usize / WORD).is_some_and(|word| word >> (seat as usize % WORD) & 1 == 1);
        let first = self.first()?;
        if !is_barred(first) {
            return Some(first);
        }
        // Matches by their winners, of which the true one may be barred: then it comes back with the best of its word.
        let word_games = (self.width / WORD).max(1);
        let mut open = BinaryHeap::from([Reverse((self.key(first), 1, first))]);
        while let Some(Reverse((key, game, seat))) = open.pop() {
            if key == LAST {
                return None;
            }
            if !is_barred(seat) {
                return Some(seat);
            }
            if game >= word_games {
                let word = game - word_games;
                let left = !barred.get(word).copied().unwrap_or(0);
                let seats = (0..WORD as u32).filter(|bit| left >> bit & 1 == 1).map(|bit| (word * WORD) as u32 + bit);
                if let Some(best) = seats.min_by_key(|seat| self.key(*seat)) {
                    open.push(Reverse((self.key(best), game, best)));
                }
            } else {
                for game in [2 * game, 2 * game + 1] {
                    open.push(Reverse((self.key(self.winners[game]), game, self.winners[game])));
                }
            }
        }
        None
    }

    /// Everybody who is active, the first first. This, and what follows, need not be fresh.
    pub(crate) fn in_order(&self, totals: &Totals) -> Vec<u32> {
        let mut seats: Vec<u32> = (0..self.seats.len() as u32).filter(|seat| self.is_active(*seat)).collect();
        seats.sort_by_cached_key(|seat| self.rank(*seat, totals));
        seats
    }

    /// Which of two is first.
    pub(crate) fn compare(&self, one: u32, other: u32, totals: &Totals) -> Ordering {
        self.rank(one, totals).cmp(&self.rank(other, totals))
    }
}

/// The nearest floating-point number; conversion of 64 bits is an instruction, of 128 a call.
fn as_f64(sum: i128) -> f64 {
    match i64::try_from(sum) {
        Ok(sum) => sum as f64,
        Err(_) => wide_as_f64(sum),
    }
}

/// By itself, as a compiler that sees both cases makes one of them, and that is the call.
#[cold]
#[inline(never)]
fn wide_as_f64(sum: i128) -> f64 {
    sum as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn totals(version: u64) -> Totals {
        Totals { amounts: vec![100, 1_000], counted: vec![true, true], version }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_first_of_those_not_barred_is_the_one_that_a_look_at_all_finds(
            steps in prop::collection::vec((0_u32..200, 0_i64..20, 0_i64..200, any::<bool>()), 1..300),
            barred in prop::collection::vec(prop_oneof![Just(u64::MAX), any::<u64>()], 0..5),
        ) {
            let totals = totals(1);
            let mut ranking = Ranking::default();
            for number in 0..200 {
                // Not in the order of names.
                ranking.sit(&format!("{:03}", number * 37 % 200).into(), 1.0 + f64::from(number % 3));
            }
            ranking.refresh(&totals);
            for (seat, cpus, mem, active) in steps {
                ranking.give(seat, &[cpus, mem], &totals);
                ranking.set_active(seat, active, &totals);
                let open = |seat: &u32| barred.get(*seat as usize / 64).is_none_or(|word| word >> (seat % 64) & 1 == 0);
                let expected = (0..200)
                    .filter(|seat| open(seat) && ranking.is_active(*seat))
                    .min_by_key(|seat| ranking.rank(*seat, &totals));
                prop_assert_eq!(ranking.first_but(&barred), expected);
                prop_assert_eq!(ranking.first_but(&[]), ranking.first());
                prop_assert_eq!(ranking.in_order(&totals).first().copied(), ranking.first());
            }
        }
    }

    #[test]
    fn names_that_come_between_others_rank_between_them() {
        let totals = totals(1);
        let mut ranking = Ranking::default();
        for round in 0..200 {
            // Always just behind the first: the room between two labels ends.
            let name: Arc<str> = format!("a{}", "a".repeat(200 - round)).into();
            let seat = ranking.sit(&name, 1.0);
            ranking.set_active(seat, true, &totals);
        }
        ranking.refresh(&totals);
        let names: BTreeMap<u32, Arc<str>> =
            ranking.by_name.iter().map(|(name, seat)| (*seat, Arc::clone(name))).collect();
        assert!(ranking.in_order(&totals).windows(2).all(|pair| names[&pair[0]] < names[&pair[1]]));
    }
}
