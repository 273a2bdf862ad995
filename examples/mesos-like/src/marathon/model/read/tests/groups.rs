//! Groups.

use super::*;
use crate::marathon::model::Version;

fn group_of(body: Value) -> Result<GroupChange, ReadError> {
    group(body, &AppId::root(), None)
}

#[test]
fn ids_and_dependencies_start_from_the_group() {
    let body = json!({
        "id": "shop", "dependencies": ["../log"], "version": null,
        "apps": [{"id": "web", "cmd": "a", "dependencies": ["back/db"]}, {"id": "/shop/mail", "cmd": "a"}],
        "groups": [{"id": "back", "version": "2026-01-02T03:04:05.678Z", "pods": [],
            "apps": [{"id": "db", "cmd": "a", "dependencies": ["../mail"]}]}],
    });
    let Ok(GroupChange::Put(shop)) = group_of(body) else { panic!("it is a group") };
    let back = &shop.groups[0];
    let ids: Vec<_> = shop.apps.iter().chain(&back.apps).map(|app| app.id.as_str()).collect();
    assert_eq!((ids, back.id.as_str()), (vec!["/shop/web", "/shop/mail", "/shop/back/db"], "/shop/back"));
    let first = |ids: &std::collections::BTreeSet<AppId>| ids.first().map(ToString::to_string);
    assert_eq!(first(&shop.dependencies).as_deref(), Some("/log"));
    assert_eq!(first(&shop.apps[0].dependencies).as_deref(), Some("/shop/back/db"));
    assert_eq!(first(&back.apps[0].dependencies).as_deref(), Some("/shop/mail"));
}

#[test]
fn a_group_may_be_scaled_or_go_back() {
    assert_eq!(group(json!({"scaleBy": 2}), &AppId::root(), Some(&AppId::root())), Ok(GroupChange::ScaleBy(2.0)));
    let version = "2026-01-02T03:04:05.678Z";
    assert_eq!(group_of(json!({"version": version})), Ok(GroupChange::RollBack(Version(1_767_323_045_678))));
    let empty = group(json!({}), &AppId::root(), Some(&AppId::root()));
    assert!(matches!(empty, Ok(GroupChange::Put(Group { id, .. })) if id.is_root()));
    for (body, path) in [
        (json!({"scaleBy": -1}), "/scaleBy"),
        (json!({"scaleBy": 2, "version": version}), "/scaleBy"),
        (json!({"scaleBy": 2, "apps": [{}]}), "/scaleBy"),
        (json!({"version": version, "apps": [{}]}), "/version"),
        (json!({"version": "yesterday"}), "/version"),
    ] {
        assert_eq!(wrong(group_of(body.clone())).0, [path], "{body}");
    }
}

#[test]
fn what_is_wrong_with_a_part_is_at_its_path() {
    let app = || json!({"id": "web", "cmd": "a"});
    for (body, paths) in [
        (json!({"apps": []}), vec!["/id"]),
        (json!({"id": "/Shop"}), vec!["/id"]),
        (json!({"id": "shop", "apps": [app(), app()]}), vec!["/apps(1)/id"]),
        (json!({"id": "shop", "apps": [app()], "groups": [{"id": "web"}]}), vec!["/groups(0)/id"]),
        (json!({"id": "shop", "apps": [{"id": "/web", "cmd": "a"}]}), vec!["/apps(0)/id"]),
        (json!({"id": "shop", "groups": [{"id": "/back"}]}), vec!["/groups(0)/id"]),
        (json!({"id": "shop", "apps": [app(), 1, {"id": "db"}]}), vec!["/apps(1)", "/apps(2)"]),
        (json!({"id": "shop", "groups": [{"id": "a", "scaleBy": 2}]}), vec!["/groups(0)/scaleBy"]),
        (json!({"id": "shop", "pods": [{}]}), vec!["/pods"]),
        (json!({"id": "shop", "app": []}), vec!["/app"]),
        (json!({"id": "shop", "dependencies": ["/shop", "/A"]}), vec!["/dependencies(1)"]),
        (json!({"id": "shop", "dependencies": ["/shop"]}), vec!["/dependencies"]),
        (
            json!({"id": "shop", "groups": [{"id": "a", "apps": [{"id": "b", "cmd": "c", "cpus": "1", "mem": -1}]}]}),
            vec!["/groups(0)/apps(0)/cpus", "/groups(0)/apps(0)/mem"],
        ),
    ] {
        let (found, text) = wrong(group_of(body.clone()));
        assert_eq!(found, paths, "{body}: {text}");
    }
}
