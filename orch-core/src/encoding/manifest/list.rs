//! The objects in a `v1 List`, each read as its own kind and all errors found.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::kinds::Source;
use crate::encoding::error::DecodeError;
use crate::encoding::type_meta::Typed;
use crate::encoding::{json, yaml};
use crate::kind::{AnyObject, Object};

/// Which items one reading of a list is to read, and what came of it.
///
/// A parser stops at the first error. The next reading passes over what is read already and over what failed.
#[derive(Debug)]
pub(super) struct Items {
    wanted: RefCell<Vec<bool>>,
    current: Cell<usize>,
    read: RefCell<Vec<(usize, Arc<dyn AnyObject>)>>,
}

impl Items {
    pub(super) fn new(wanted: Vec<bool>) -> Self {
        Self { wanted: RefCell::new(wanted), current: Cell::new(0), read: RefCell::default() }
    }

    /// Passes over the item at which the last reading failed. Whether there is anything left to read.
    pub(super) fn pass_over_failed(&self) -> bool {
        let mut wanted = self.wanted.borrow_mut();
        if let Some(wanted) = wanted.get_mut(self.current.get()) {
            *wanted = false;
        }
        wanted.contains(&true)
    }

    pub(super) fn into_read(self) -> Vec<(usize, Arc<dyn AnyObject>)> {
        self.read.into_inner()
    }
}

/// Reads the wanted items, each a `T`, up to the first error.
pub(super) fn read_items<T: Object>(source: Source<'_>, items: &Items) -> Result<(), DecodeError> {
    let seed = ListSeed::<T> { items, as_type: PhantomData };
    match source {
        Source::Json(text) => json::read(text.as_bytes(), seed),
        Source::Yaml(text) => yaml::read(text, seed),
    }
}

/// Reads the object around the list.
struct ListSeed<'a, T> {
    items: &'a Items,
    as_type: PhantomData<T>,
}

impl<T> Clone for ListSeed<'_, T> {
    fn clone(&self) -> Self {
        Self { items: self.items, as_type: PhantomData }
    }
}

impl<'de, T: Object> DeserializeSeed<'de> for ListSeed<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Object> Visitor<'de> for ListSeed<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a List")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "items" => map.next_value_seed(ItemsSeed(self.clone()))?,
                "apiVersion" | "kind" | "metadata" => drop(map.next_value::<IgnoredAny>()?),
                other => return Err(de::Error::unknown_field(other, &["apiVersion", "kind", "metadata", "items"])),
            }
        }
        Ok(())
    }
}

/// Reads the list itself.
struct ItemsSeed<'a, T>(ListSeed<'a, T>);

impl<'de, T: Object> DeserializeSeed<'de> for ItemsSeed<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Object> Visitor<'de> for ItemsSeed<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let items = self.0.items;
        for index in 0.. {
            items.current.set(index);
            let wanted = items.wanted.borrow().get(index).copied().unwrap_or(false);
            if wanted {
                let Some(object) = list.next_element_seed(Typed::<T>::new())? else { break };
                items.wanted.borrow_mut()[index] = false;
                items.read.borrow_mut().push((index, Arc::new(object)));
            } else if list.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        items.current.set(usize::MAX);
        Ok(())
    }
}
