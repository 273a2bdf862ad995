//! Offers that were not answered yet.

use super::Looked;
use crate::pages::{Address, Column, Html, Table, id, in_words, muted, paged, section};
use crate::wire::Offer;

/// All outstanding offers, and what frameworks are asked to give back.
pub(super) fn all(looked: Looked<'_>, here: &Address) -> Html {
    let outstanding = outstanding(looked, |_| true);
    let (shown, more) = paged(&outstanding, "from", here, looked.query);
    let page = table(looked, shown).and(more);
    let inverse: Vec<_> = looked.view.frameworks.iter().flat_map(|framework| &framework.inverse_offers).collect();
    if inverse.is_empty() {
        return page;
    }
    let mut table = Table::new([Column::text("Offer"), Column::text("Framework"), Column::text("Agent")]);
    for offer in inverse {
        let agent = offer.agent_id.as_ref().map_or_else(Html::default, |agent| looked.names.agent(&agent.value));
        table.row([id(&offer.id.value), looked.names.framework(&offer.framework_id.value), agent]);
    }
    page.and(section("Asked to give back, for maintenance", table.or("")))
}

/// The outstanding offers of which something is so.
pub(super) fn outstanding<'a>(looked: Looked<'a>, is_wanted: impl Fn(&Offer) -> bool) -> Vec<&'a Offer> {
    let all = looked.view.frameworks.iter().flat_map(|framework| &framework.offers);
    all.filter(|offer| is_wanted(offer)).collect()
}

pub(super) fn table(looked: Looked<'_>, offers: &[&Offer]) -> Html {
    let mut table = Table::new([
        Column::text("Offer"),
        Column::text("Framework"),
        Column::text("Role"),
        Column::text("Agent"),
        Column::text("Resources"),
    ]);
    for offer in offers {
        let role = offer.allocation_info.as_ref().and_then(|info| info.role.as_deref());
        table.row([
            id(&offer.id.value),
            looked.names.framework(&offer.framework_id.value),
            role.unwrap_or("*").into(),
            looked.names.agent(&offer.agent_id.value),
            muted(in_words(&offer.resources)),
        ]);
    }
    table.or("No offer waits for an answer.")
}
