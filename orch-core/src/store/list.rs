//! Listing: [`ListOptions`], [`Page`] and what connects them.

use std::num::NonZeroUsize;

use super::Entries;
use crate::key::Key;
use crate::revision::Revision;

/// How to list.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// The most entries a page may hold; a store may return fewer and a [`Page::next`].
    pub limit: Option<NonZeroUsize>,
    /// At which revision, and from where.
    pub from: ListFrom,
}

/// At which revision a listing is, and where it starts.
#[derive(Clone, Debug, Default)]
pub enum ListFrom {
    /// At the latest revision, from the first key.
    #[default]
    Latest,
    /// At this revision, from the first key.
    At(Revision),
    /// Where another page ended, at that page's revision.
    Continue(Continue),
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continue {
    /// The revision of the whole listing.
    pub revision: Revision,
    /// The last key that was listed.
    pub after: Key,
}

/// Part of a listing.
#[derive(Clone, Debug)]
pub struct Page {
    /// The objects, in the order of their keys.
    pub entries: Entries,
    /// The revision at which the listing is: a watch after it continues the listing.
    pub revision: Revision,
    /// Where to go on, if there is more.
    pub next: Option<Continue>,
}
