//! `apiVersion` and `kind`: written before an object's own fields, and checked when it is read.
//!
//! Both stream: no tree of values is built between the text and the object, so that parsers know positions until the
//! last moment. (`#[serde(flatten)]` streams when writing, but buffers when reading.)

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::kind::{Kind, Object};

/// An object to write, with its `apiVersion` and `kind` in front.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WithTypeMeta<'a, T> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    object: &'a T,
}

impl<'a, T: Object> WithTypeMeta<'a, T> {
    pub(super) const fn new(object: &'a T) -> Self {
        Self { api_version: T::KIND.api_version, kind: T::KIND.name, object }
    }
}

/// Reads a `T` whose text says `apiVersion` and `kind`, anywhere among its fields.
pub(super) struct Typed<T>(PhantomData<T>);

impl<T> Typed<T> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Typed<T> {}

impl<'de, T: Object> DeserializeSeed<'de> for Typed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(Checked { kind: T::KIND, inner: deserializer })
    }
}

/// A deserializer that takes `apiVersion` and `kind` out of the map that it reads.
struct Checked<D> {
    kind: Kind,
    inner: D,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Checked<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_map(CheckedVisitor { kind: self.kind, inner: visitor })
    }

    // Whatever form the type asks for: an object is a map.
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct CheckedVisitor<V> {
    kind: Kind,
    inner: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for CheckedVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with apiVersion {:?} and kind {:?}", self.kind.api_version, self.kind.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(CheckedMap { kind: self.kind, inner: map, api_version_seen: false, kind_seen: false })
    }
}

struct CheckedMap<A> {
    kind: Kind,
    inner: A,
    api_version_seen: bool,
    kind_seen: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for CheckedMap<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        // The seed is used up by the first key that is not ours, so it must be offered to each.
        let mut seed = Some(seed);
        loop {
            match self.inner.next_key_seed(KeySeed { own: &mut seed })? {
                Some(Key::ApiVersion) => self.api_version()?,
                Some(Key::Kind) => self.kind()?,
                Some(Key::Own(key)) => return Ok(Some(key)),
                None => return self.check_complete().map(|()| None),
            }
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> CheckedMap<A> {
    fn api_version(&mut self) -> Result<(), A::Error> {
        if std::mem::replace(&mut self.api_version_seen, true) {
            return Err(de::Error::duplicate_field("apiVersion"));
        }
        self.inner.next_value_seed(Exactly(self.kind.api_version))
    }

    fn kind(&mut self) -> Result<(), A::Error> {
        if std::mem::replace(&mut self.kind_seen, true) {
            return Err(de::Error::duplicate_field("kind"));
        }
        self.inner.next_value_seed(Exactly(self.kind.name))
    }

    fn check_complete(&self) -> Result<(), A::Error> {
        let (name, expected) = match (self.api_version_seen, self.kind_seen) {
            (false, _) => ("apiVersion", self.kind.api_version),
            (_, false) => ("kind", self.kind.name),
            _ => return Ok(()),
        };
        Err(de::Error::custom(format_args!("missing field {name:?}, expected {name}: {expected}")))
    }
}

enum Key<K> {
    ApiVersion,
    Kind,
    Own(K),
}

/// Reads a key: one of ours, or one for the object's own seed.
struct KeySeed<'a, K> {
    own: &'a mut Option<K>,
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for KeySeed<'_, K> {
    type Value = Key<K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<K> KeySeed<'_, K> {
    fn read<'de, E, D>(self, text: &str, key: D) -> Result<Key<K::Value>, E>
    where
        K: DeserializeSeed<'de>,
        D: Deserializer<'de, Error = E>,
        E: de::Error,
    {
        match (text, self.own.take()) {
            ("apiVersion", own) => {
                *self.own = own;
                Ok(Key::ApiVersion)
            }
            ("kind", own) => {
                *self.own = own;
                Ok(Key::Kind)
            }
            (_, Some(own)) => own.deserialize(key).map(Key::Own),
            (_, None) => Err(E::custom("the parser gave one key twice")),
        }
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for KeySeed<'_, K> {
    type Value = Key<K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        self.read(text, de::value::BorrowedStrDeserializer::new(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        self.read(text, de::value::StrDeserializer::new(text))
    }
}

/// Reads one text and no other.
struct Exactly(&'static str);

impl<'de> DeserializeSeed<'de> for Exactly {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Exactly {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text == self.0 { Ok(()) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
    }
}

/// What a text says it is, whatever else is in it: the first look at a manifest's document.
#[derive(Debug, Default)]
pub(super) struct Header {
    /// `apiVersion`, when it is text.
    pub(super) api_version: Option<String>,
    /// `kind`, when it is text.
    pub(super) kind: Option<String>,
    /// The headers of `items`, when it is a list.
    pub(super) items: Vec<Header>,
    /// Whether there are fields at all.
    pub(super) is_object: bool,
    /// Whether there is nothing.
    pub(super) is_null: bool,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with apiVersion and kind")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header { is_object: true, ..Header::default() };
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "apiVersion" => header.api_version = map.next_value()?,
                "kind" => header.kind = map.next_value()?,
                "items" => header.items = map.next_value::<Items>()?.0,
                _ => drop(map.next_value::<de::IgnoredAny>()?),
            }
        }
        Ok(header)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Header, E> {
        Ok(Header { is_null: true, ..Header::default() })
    }
}

/// The headers in a list, or nothing for anything else that is called `items`.
struct Items(Vec<Header>);

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemsVisitor)
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects with apiVersion and kind")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Items, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Items(items))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Items, E> {
        Ok(Items(Vec::new()))
    }
}
