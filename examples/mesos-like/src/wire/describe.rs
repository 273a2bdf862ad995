//! [`Described`]: what the fields of a message are called and what is in them, so that one message has two forms.

use std::collections::BTreeMap;

/// A message that says what its fields are.
pub trait Described {
    /// Its fields, in the order in which they are written.
    fn fields() -> &'static [Field];
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its number in protobuf.
    pub number: u32,
    /// How often it is there.
    pub presence: Presence,
    /// What is in it.
    pub kind: Kind,
    /// What it is in JSON where nothing is said.
    pub default: Option<&'static str>,
}

/// How often a field is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Always.
    Required,
    /// Once, or not.
    Optional,
    /// As often as one likes.
    Repeated,
    /// As often as one likes, each under a name of its own.
    Map,
}

/// What is in a field.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// Bytes: base64 in JSON.
    Bytes,
    /// True or false.
    Bool,
    /// A number with a fraction.
    Double,
    /// A whole number from the first to the second.
    Int(i64, i64),
    /// A whole number that is not negative, up to this one.
    Uint(u64),
    /// One of these names, each with its number.
    Enum(&'static [(&'static str, i32)]),
    /// A message with these fields.
    Message(fn() -> &'static [Field]),
}

/// A choice between names.
pub trait Names {
    /// The names as they are written, with their numbers.
    const NAMES: &'static [(&'static str, i32)];
}

impl<T: Described> Described for Option<T> {
    fn fields() -> &'static [Field] {
        T::fields()
    }
}

impl<T: Described> Described for Vec<T> {
    fn fields() -> &'static [Field] {
        T::fields()
    }
}

impl<T: Described> Described for Box<T> {
    fn fields() -> &'static [Field] {
        T::fields()
    }
}

impl<T: Described> Described for BTreeMap<String, T> {
    fn fields() -> &'static [Field] {
        T::fields()
    }
}

/// Messages as `prost` wants them, which also describe themselves.
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $name:ident { $( $(#[doc = $field_doc:literal])* #[prost($($attribute:tt)*)] $field:ident: $type:ty, )* }
    )*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, prost::Message)]
        #[allow(missing_docs, reason = "the protocol's own names")]
        pub struct $name { $( $(#[doc = $field_doc])* #[prost($($attribute)*)] pub $field: $type, )* }

        impl $crate::wire::Described for $name {
            fn fields() -> &'static [$crate::wire::Field] {
                const FIELDS: &[$crate::wire::Field] = &[
                    $( $crate::wire::describe::field!(stringify!($field), $type, $($attribute)*) ),*
                ];
                FIELDS
            }
        }
    )* };
}

/// A choice between names as `prost` wants it, which also knows how they are written.
macro_rules! names {
    ($(
        $(#[$doc:meta])*
        $name:ident { $( $variant:ident = $number:literal $text:literal, )* }
    )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
        #[repr(i32)]
        #[allow(missing_docs, reason = "the protocol's own names")]
        pub enum $name { $( $variant = $number, )* }

        impl $crate::wire::Names for $name {
            const NAMES: &'static [(&'static str, i32)] = &[ $( ($text, $number) ),* ];
        }

        impl $name {
            /// As it is written.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }
        }
    )* };
}

/// The description of one field, from what `prost` is told about it.
macro_rules! field {
    ($name:expr, $type:ty, enumeration($names:path), $label:ident $(, packed = $packed:tt)?, tag = $tag:tt $(, default = $default:tt)?) => {
        $crate::wire::Field {
            name: $crate::wire::describe::plain($name),
            number: $crate::wire::describe::number($tag),
            presence: $crate::wire::describe::presence!($label),
            kind: $crate::wire::Kind::Enum(<$names as $crate::wire::Names>::NAMES),
            default: $crate::wire::describe::default!($($default)?),
        }
    };
    ($name:expr, $type:ty, message, boxed, optional, tag = $tag:tt) => {
        $crate::wire::describe::field!($name, $type, message, optional, tag = $tag)
    };
    ($name:expr, $type:ty, btree_map = $kinds:tt, tag = $tag:tt) => {
        $crate::wire::Field {
            name: $crate::wire::describe::plain($name),
            number: $crate::wire::describe::number($tag),
            presence: $crate::wire::Presence::Map,
            kind: $crate::wire::Kind::Message(<$type as $crate::wire::Described>::fields),
            default: None,
        }
    };
    ($name:expr, $type:ty, $kind:ident, $label:ident $(, packed = $packed:tt)?, tag = $tag:tt $(, default = $default:tt)?) => {
        $crate::wire::Field {
            name: $crate::wire::describe::plain($name),
            number: $crate::wire::describe::number($tag),
            presence: $crate::wire::describe::presence!($label),
            kind: $crate::wire::describe::kind!($kind, $type),
            default: $crate::wire::describe::default!($($default)?),
        }
    };
}

macro_rules! presence {
    (required) => {
        $crate::wire::Presence::Required
    };
    (optional) => {
        $crate::wire::Presence::Optional
    };
    (repeated) => {
        $crate::wire::Presence::Repeated
    };
}

macro_rules! kind {
    (string, $type:ty) => {
        $crate::wire::Kind::Text
    };
    (bytes, $type:ty) => {
        $crate::wire::Kind::Bytes
    };
    (bool, $type:ty) => {
        $crate::wire::Kind::Bool
    };
    (double, $type:ty) => {
        $crate::wire::Kind::Double
    };
    (int32, $type:ty) => {
        $crate::wire::Kind::Int(i32::MIN as i64, i32::MAX as i64)
    };
    (int64, $type:ty) => {
        $crate::wire::Kind::Int(i64::MIN, i64::MAX)
    };
    (uint32, $type:ty) => {
        $crate::wire::Kind::Uint(u32::MAX as u64)
    };
    (uint64, $type:ty) => {
        $crate::wire::Kind::Uint(u64::MAX)
    };
    (message, $type:ty) => {
        $crate::wire::Kind::Message(<$type as $crate::wire::Described>::fields)
    };
}

macro_rules! default {
    () => {
        None
    };
    ($default:tt) => {
        Some($default)
    };
}

pub(crate) use {default, field, kind, messages, names, presence};

/// A field's name without the mark of a word that Rust has for itself.
pub(crate) const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// A field's number.
pub(crate) const fn number(text: &str) -> u32 {
    match u32::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("the number of a field"),
    }
}
