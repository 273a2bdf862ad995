//! Roles, with what they have and may have.

use std::collections::BTreeMap;

use super::Looked;
use crate::master::api::roles::roles;
use crate::pages::{Column, Html, Table, amount, muted};
use crate::wire::Scalar;

/// All roles.
pub(super) fn all(looked: Looked<'_>) -> Html {
    let mut table = Table::new([
        Column::text("Role"),
        Column::number("Weight"),
        Column::text("Frameworks"),
        Column::text("Used"),
        Column::text("Offered"),
        Column::text("Reserved"),
        Column::text("Guaranteed"),
        Column::text("At most"),
    ]);
    for role in roles(looked.view) {
        let frameworks = role.frameworks.iter().enumerate().map(|(index, framework)| {
            Html::from(if index == 0 { "" } else { ", " }).and(looked.names.framework(framework))
        });
        let nothing = BTreeMap::new();
        let quota = role.quota.map_or((&nothing, &nothing), |quota| (&quota.guarantees, &quota.limits));
        table.row([
            (&role.name).into(),
            role.weight.to_string().into(),
            frameworks.collect(),
            in_words(&role.allocated),
            in_words(&role.offered),
            in_words(&role.reserved),
            in_words(quota.0),
            in_words(quota.1),
        ]);
    }
    table.or("Nothing is known of any role.")
}

fn in_words(amounts: &BTreeMap<String, Scalar>) -> Html {
    let words = amounts.iter().map(|(name, Scalar { value })| format!("{} {name}", amount(name, *value)));
    muted(words.collect::<Vec<_>>().join(", "))
}
