//! One file a rule.

mod contract_names;
mod core_is_pure;
mod dependencies_explained;
mod docs_run;
mod error_enums_grow;
mod features_stay_at_the_door;
mod file_length;
mod implementations_run_their_suite;
mod links_resolve;
mod no_drawers;
mod no_unsafe;
mod nothing_left_undone;
mod roles_stay_apart;
mod select_is_biased;
mod style_has_one_home;

use super::Rule;

/// Every rule.
pub(crate) const ALL: &[Rule] = &[
    contract_names::RULE,
    core_is_pure::RULE,
    dependencies_explained::RULE,
    docs_run::RULE,
    error_enums_grow::RULE,
    features_stay_at_the_door::RULE,
    file_length::RULE,
    implementations_run_their_suite::RULE,
    links_resolve::RULE,
    no_drawers::RULE,
    no_unsafe::RULE,
    nothing_left_undone::RULE,
    roles_stay_apart::RULE,
    select_is_biased::RULE,
    style_has_one_home::RULE,
];
