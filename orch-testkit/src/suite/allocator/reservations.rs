//! A6: reserved.

use orch_core::allocator::{
    Acceptance, Allocator, AllocatorChange, AllocatorError, Conversion, Disk, Filters, Offer, PersistentVolume,
    Reservation, Resource, Resources,
};

use super::market::{Market, resources, role};

/// The same resources, reserved for a role.
fn reserved(plain: &Resources, for_role: &str) -> Resources {
    let reserve = |part: &Resource| {
        let mut part = part.clone();
        let by = Some("ops".to_owned());
        part.reservations.push(Reservation { role: role(for_role), dynamic: true, principal: by, labels: Vec::new() });
        part
    };
    plain.iter().map(reserve).collect()
}

fn converted(from: &Resources, to: &Resources) -> Conversion {
    Conversion { from: from.clone(), to: to.clone() }
}

fn accept<A: Allocator>(market: &mut Market<A>, offer: &Offer, conversions: Vec<Conversion>, used: &Resources) {
    let acceptance = Acceptance { conversions, used: used.clone(), filters: Filters::NONE };
    market.accept_all(offer, acceptance).unwrap_or_else(|error| panic!("{offer:?}: {error}"));
}

/// Resources become reserved and free again, with nothing made or lost.
pub async fn a_conversion_makes_and_loses_nothing<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400;ports:[1-9]").framework("db", "db");
    let (plain, kept) = (resources("cpus:3;ports:[1-3]"), reserved(&resources("cpus:3;ports:[1-3]"), "db"));
    let offer = market.offer_to("db");
    accept(&mut market, &offer, vec![converted(&plain, &kept)], &reserved(&resources("cpus:1"), "db"));
    market.tell(AllocatorChange::FrameworkRemoved("db".into()));
    market = market.framework("web", "*");
    let offer = market.offer_to("web");
    assert_eq!(offer.resources.to_string(), "cpus:1;mem:400;ports:[4-9]", "a reservation holds without its framework");
    market.decline(&offer, 0.0);
    for bad in ["cpus:4", "cpus:2", "mem:3", "cpus:3;mem:1"] {
        let refused = market
            .try_tell(AllocatorChange::Converted("node".into(), converted(&resources("cpus:3"), &resources(bad))));
        let expected =
            matches!(refused, Err(AllocatorError::NotConserved { .. } | AllocatorError::Insufficient { .. }));
        assert!(expected, "cpus:3 cannot become {bad}: {refused:?}");
    }
    market.tell(AllocatorChange::Converted("node".into(), converted(&kept, &plain)));
    market.allocate();
    market.decline_all(0.0);
    assert_eq!(market.offer_to("web").resources.to_string(), "cpus:4;mem:400;ports:[1-9]");
}

/// A persistent volume is offered whole, to its role alone, until it is freed.
pub async fn a_persistent_volume_is_offered_whole_until_it_is_freed<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400;disk:100").framework("db", "db");
    let disk = reserved(&resources("disk:60"), "db");
    let volume: Resources = disk
        .iter()
        .map(|part| {
            let volume =
                PersistentVolume { id: "v1".to_owned(), container_path: "data".to_owned(), ..Default::default() };
            Resource { disk: Some(Disk { volume: Some(volume), source: None }), ..part.clone() }
        })
        .collect();
    let offer = market.offer_to("db");
    let conversions = vec![converted(&resources("disk:60"), &disk), converted(&disk, &volume)];
    let task = resources("cpus:1").plus(&volume);
    accept(&mut market, &offer, conversions, &task);
    assert!(!market.offer_to("db").resources.contains(&volume), "it is in use");
    market.decline_all(0.0);
    let usage = market.used[0].clone();
    market.tell(AllocatorChange::Recovered(usage, Filters::NONE));
    market = market.framework("web", "*");
    for _ in 0..3 {
        for offer in market.allocate() {
            let has = offer.resources.contains(&volume);
            assert_eq!(has, offer.framework.as_str() == "db", "the volume is for its role, whole: {offer:?}");
            market.decline(&offer, if has { 60.0 } else { 0.0 });
        }
        market.tell(AllocatorChange::Revived("db".into(), Default::default()));
    }
    market.decline_all(0.0);
    let freed = vec![converted(&volume, &disk), converted(&disk, &resources("disk:60"))];
    loop {
        let offers = market.offered("db");
        if let Some(offer) = offers.first() {
            accept(&mut market, offer, freed, &Resources::new());
            break;
        }
        market.decline_all(60.0);
    }
    market.tell(AllocatorChange::FrameworkRemoved("db".into()));
    market.allocate();
    market.decline_all(0.0);
    market.tell(AllocatorChange::Revived("web".into(), Default::default()));
    assert_eq!(market.offer_to("web").resources.to_string(), "cpus:4;disk:100;mem:400");
}

/// An operator's conversion takes back offers if it must, and never what is used.
pub async fn an_operator_may_convert_what_is_offered<A: Allocator>(new: impl Fn() -> A) {
    let mut market = Market::new(new()).node("node", "cpus:4;mem:400").framework("web", "*");
    let offer = market.offer_to("web");
    market.accept(&offer, &resources("cpus:1"), 0.0).expect("it was offered");
    market.offer_to("web");
    let all = resources("cpus:4");
    let refused = market.try_tell(AllocatorChange::Converted("node".into(), converted(&all, &reserved(&all, "db"))));
    assert!(matches!(refused, Err(AllocatorError::Insufficient { .. })), "1 of 4 is used: {refused:?}");
    assert_eq!(market.offers.len(), 1, "what cannot be takes back nothing");
    let free = resources("cpus:3");
    let rescinded = market.tell(AllocatorChange::Converted("node".into(), converted(&free, &reserved(&free, "db"))));
    assert_eq!(rescinded.len(), usize::from(market.allocator.is_exclusive()), "it takes back what it must");
    assert_eq!(market.offer_to("web").resources.to_string(), "mem:400", "the rest is reserved");
}
