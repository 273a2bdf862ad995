//! [`Entries`]: what a page lists, in pieces that many pages share.

use std::fmt;
use std::iter::FlatMap;
use std::ops::Range;
use std::slice;
use std::sync::Arc;
use std::vec;

use super::Entry;

/// The entries of a page, in the order of their keys.
///
/// They are held in pieces that a store may share among all pages that list the same objects: then a page costs a pointer
/// for each piece, however many entries are in it. Cloning costs the same.
#[derive(Clone, Default)]
pub struct Entries {
    pieces: Vec<Piece>,
    len: usize,
}

/// What is shared, and the part of it that is meant, which is not empty.
type Piece = (Arc<[Entry]>, Range<usize>);

impl Entries {
    /// Adds the entries in `part` of `shared`, whose keys must come after those that are there.
    ///
    /// # Panics
    /// When `part` reaches beyond the end of `shared`.
    pub fn push_shared(&mut self, shared: Arc<[Entry]>, part: Range<usize>) {
        let added = shared[part.clone()].len();
        if added > 0 {
            self.len += added;
            self.pieces.push((shared, part));
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first of them.
    #[must_use]
    pub fn first(&self) -> Option<&Entry> {
        slice_of(self.pieces.first()?).first()
    }

    /// The last of them.
    #[must_use]
    pub fn last(&self) -> Option<&Entry> {
        slice_of(self.pieces.last()?).last()
    }

    /// All of them in order.
    pub fn iter(&self) -> <&Self as IntoIterator>::IntoIter {
        self.into_iter()
    }
}

fn slice_of((shared, part): &Piece) -> &[Entry] {
    &shared[part.clone()]
}

impl<'a> IntoIterator for &'a Entries {
    type Item = &'a Entry;
    type IntoIter = FlatMap<slice::Iter<'a, Piece>, &'a [Entry], fn(&'a Piece) -> &'a [Entry]>;

    fn into_iter(self) -> Self::IntoIter {
        self.pieces.iter().flat_map(slice_of)
    }
}

/// Copies each entry, which is a pointer. Who only looks at them iterates over `&Entries`.
impl IntoIterator for Entries {
    type Item = Entry;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter { pieces: self.pieces.into_iter(), current: None }
    }
}

/// [`Entries`], one after the other.
#[derive(Clone)]
pub struct IntoIter {
    pieces: vec::IntoIter<Piece>,
    current: Option<Piece>,
}

impl Iterator for IntoIter {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some((shared, part)) = &mut self.current
                && let Some(index) = part.next()
            {
                return Some(shared[index].clone());
            }
            self.current = Some(self.pieces.next()?);
        }
    }
}

impl From<Vec<Entry>> for Entries {
    fn from(entries: Vec<Entry>) -> Self {
        let mut all = Self::default();
        let part = 0..entries.len();
        all.push_shared(entries.into(), part);
        all
    }
}

impl FromIterator<Entry> for Entries {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        Vec::from_iter(entries).into()
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl fmt::Debug for IntoIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntoIter")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Object as _;
    use crate::object::Lease;
    use crate::revision::Revision;
    use crate::store::Value;

    fn entry(number: u64) -> Entry {
        let key = crate::key::Key::new(&Lease::KIND, Some("a"), &format!("n{number}")).expect("a valid key");
        Entry::new(key, Revision(number), Revision(number), Value::new(Lease::default()))
    }

    fn numbers<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<u64> {
        entries.into_iter().map(|entry| entry.revision.0).collect()
    }

    #[test]
    fn pieces_read_as_one_list_whichever_way_they_are_read() {
        let shared: Arc<[Entry]> = (0..6).map(entry).collect();
        let mut entries = Entries::default();
        assert!(entries.is_empty() && entries.first().is_none() && entries.last().is_none());
        for part in [1..3, 3..3, 5..6] {
            entries.push_shared(Arc::clone(&shared), part);
        }
        assert_eq!((numbers(&entries), entries.len()), (vec![1, 2, 5], 3));
        assert_eq!(numbers(entries.first().into_iter().chain(entries.last())), [1, 5]);
        assert_eq!(numbers(&entries.clone().into_iter().collect::<Vec<_>>()), [1, 2, 5]);
        assert_eq!(numbers(&entries.into_iter().collect::<Entries>()), [1, 2, 5]);
        assert!(Entries::from(Vec::new()).is_empty());
    }
}
