//! Strategies: what generated tests are made of.

/// Defines functions that give a strategy for a struct from one for each of its fields.
macro_rules! strategies {
    ($($(#[$doc:meta])* $vis:vis fn $name:ident() -> $type:ident { $($field:ident: $strategy:expr),+ $(,)? })+) => {$(
        $(#[$doc])*
        $vis fn $name() -> BoxedStrategy<$type> {
            prop_compose! {
                fn fields()($($field in $strategy),+) -> $type {
                    $type { $($field),+ }
                }
            }
            fields().boxed()
        }
    )+};
}

pub mod allocator;
pub mod cluster;
pub mod field;
pub mod object;
mod pod;
