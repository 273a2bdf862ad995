//! Resources as messages have them, and as an allocator has them.

use std::collections::BTreeSet;

use orch_core::allocator::{
    Disk, DiskSource, PersistentVolume, Ranges, Reservation, Resource, Resources, Role, Scalar, Value,
};

use crate::wire::{self, DiskSourceType, ReservationType, ValueType, VolumeMode};

/// How a framework wants to see resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// In which role they were offered, for who is in several.
    pub allocated_to: Option<Role>,
    /// Whether reservations are a stack; or a role and what else is to be said of it, as before Mesos 1.4.
    pub stacked: bool,
}

/// What messages say, as an allocator counts it. To whom it is allocated is not part of it.
///
/// # Errors
/// What is wrong, with the resource's name.
pub fn from_wire(resources: &[wire::Resource]) -> Result<Resources, String> {
    let mut all = Resources::new();
    for resource in resources {
        let one =
            one_from_wire(resource).map_err(|reason| format!("Invalid resource '{}': {reason}", resource.name))?;
        all.add(one);
    }
    Ok(all)
}

fn one_from_wire(resource: &wire::Resource) -> Result<Resource, String> {
    if resource.name.is_empty() {
        return Err("a resource has a name".to_owned());
    }
    if resource.shared.is_some() {
        return Err("shared resources are not supported".to_owned());
    }
    Ok(Resource {
        name: resource.name.as_str().into(),
        reservations: reservations(resource)?,
        disk: resource.disk.as_ref().map(disk).transpose()?,
        revocable: resource.revocable.is_some(),
        value: value(resource)?,
    })
}

fn value(resource: &wire::Resource) -> Result<Value, String> {
    match resource.r#type() {
        ValueType::Scalar => {
            let scalar = resource.scalar.as_ref().ok_or("it is a SCALAR without scalar")?;
            let amount = Scalar::from_f64(scalar.value).filter(|amount| amount.as_f64() >= 0.0);
            amount.map(Value::Scalar).ok_or_else(|| format!("{} is no amount", scalar.value))
        }
        ValueType::Ranges => {
            let ranges = resource.ranges.as_ref().ok_or("it is RANGES without ranges")?;
            match ranges.range.iter().find(|range| range.begin > range.end) {
                Some(range) => Err(format!("[{}-{}] ends before it begins", range.begin, range.end)),
                None => Ok(Value::Ranges(Ranges::new(ranges.range.iter().map(|range| (range.begin, range.end))))),
            }
        }
        ValueType::Set => {
            let set = resource.set.as_ref().ok_or("it is a SET without set")?;
            Ok(Value::Set(set.item.iter().cloned().collect::<BTreeSet<_>>()))
        }
        ValueType::Text => Err("no resource is a TEXT".to_owned()),
    }
}

fn reservations(resource: &wire::Resource) -> Result<Vec<Reservation>, String> {
    if !resource.reservations.is_empty() {
        return resource.reservations.iter().map(|one| reservation(one, one.role.as_deref())).collect();
    }
    let role = resource.role.as_deref().filter(|role| *role != Role::DEFAULT);
    match (role, &resource.reservation) {
        (None, None) => Ok(Vec::new()),
        (None, Some(one)) if one.role.is_none() => Err("it is reserved for nobody: name the role".to_owned()),
        (role, Some(one)) => {
            let mut reserved = reservation(one, one.role.as_deref().or(role))?;
            // The old form says by being there that it was made while the system ran.
            reserved.dynamic = one.r#type.is_none() || reserved.dynamic;
            Ok(vec![reserved])
        }
        (Some(_), None) => Ok(vec![reservation(&wire::ReservationInfo::default(), role)?]),
    }
}

fn reservation(one: &wire::ReservationInfo, role: Option<&str>) -> Result<Reservation, String> {
    let role: Role = role.unwrap_or_default().parse().map_err(|error| format!("{error}"))?;
    if role == Role::default() {
        return Err("nothing can be reserved for the role '*'".to_owned());
    }
    let labels = one.labels.iter().flat_map(|labels| &labels.labels);
    Ok(Reservation {
        role,
        dynamic: one.r#type() == ReservationType::Dynamic,
        principal: one.principal.clone(),
        labels: labels.map(|label| (label.key.clone(), label.value.clone())).collect(),
    })
}

fn disk(disk: &wire::DiskInfo) -> Result<Disk, String> {
    let source = disk.source.as_ref().map(|source| match source.r#type() {
        DiskSourceType::Path => Ok(DiskSource::Path(source.path.as_ref().and_then(|path| path.root.clone()))),
        DiskSourceType::Mount => Ok(DiskSource::Mount(source.mount.as_ref().and_then(|mount| mount.root.clone()))),
        other => Err(format!("disks of type {} are not supported", other.text())),
    });
    let volume = disk.persistence.as_ref().map(|persistence| {
        let volume = disk.volume.as_ref().ok_or("a persistent volume has a volume with a container path")?;
        Ok::<_, String>(PersistentVolume {
            id: persistence.id.clone(),
            principal: persistence.principal.clone(),
            container_path: volume.container_path.clone(),
            read_only: volume.mode() == VolumeMode::Ro,
        })
    });
    Ok(Disk { volume: volume.transpose()?, source: source.transpose()? })
}

/// What an allocator counts, as a message says it.
#[must_use]
pub fn to_wire(resources: &Resources, form: &Form) -> Vec<wire::Resource> {
    resources.iter().map(|resource| one_to_wire(resource, form)).collect()
}

fn one_to_wire(resource: &Resource, form: &Form) -> wire::Resource {
    let mut said = wire::Resource {
        name: resource.name.to_string(),
        disk: resource.disk.as_ref().map(disk_to_wire),
        revocable: resource.revocable.then(wire::Nothing::default),
        ..wire::Resource::default()
    };
    let allocated = form.allocated_to.as_ref();
    said.allocation_info = allocated.map(|role| wire::AllocationInfo { role: Some(role.to_string()) });
    match &resource.value {
        Value::Scalar(amount) => {
            said.set_type(ValueType::Scalar);
            said.scalar = Some(wire::Scalar { value: amount.as_f64() });
        }
        Value::Ranges(ranges) => {
            said.set_type(ValueType::Ranges);
            let range = ranges.spans().map(|(begin, end)| wire::Range { begin, end }).collect();
            said.ranges = Some(wire::Ranges { range });
        }
        Value::Set(words) => {
            said.set_type(ValueType::Set);
            said.set = Some(wire::Set { item: words.iter().cloned().collect() });
        }
    }
    if form.stacked {
        said.reservations = resource.reservations.iter().map(reservation_to_wire).collect();
    } else {
        said.role = Some(resource.owner().map_or_else(|| Role::DEFAULT.to_owned(), ToString::to_string));
        let dynamic = resource.reservations.last().filter(|reservation| reservation.dynamic);
        said.reservation = dynamic.map(|reservation| {
            let said = reservation_to_wire(reservation);
            wire::ReservationInfo { r#type: None, role: None, ..said }
        });
    }
    said
}

fn reservation_to_wire(reservation: &Reservation) -> wire::ReservationInfo {
    let label = |(key, value): &(String, Option<String>)| wire::Label { key: key.clone(), value: value.clone() };
    let labels: Vec<_> = reservation.labels.iter().map(label).collect();
    let mut said = wire::ReservationInfo {
        role: Some(reservation.role.to_string()),
        principal: reservation.principal.clone(),
        labels: (!labels.is_empty()).then_some(wire::Labels { labels }),
        ..wire::ReservationInfo::default()
    };
    said.set_type(if reservation.dynamic { ReservationType::Dynamic } else { ReservationType::Static });
    said
}

fn disk_to_wire(disk: &Disk) -> wire::DiskInfo {
    let source = disk.source.as_ref().map(|source| {
        let mut said = wire::DiskSource::default();
        let (kind, root) = match source {
            DiskSource::Path(root) => (DiskSourceType::Path, root),
            DiskSource::Mount(root) => (DiskSourceType::Mount, root),
        };
        said.set_type(kind);
        let root = Some(wire::DiskRoot { root: root.clone() });
        match kind {
            DiskSourceType::Path => said.path = root,
            _ => said.mount = root,
        }
        said
    });
    let volume = disk.volume.as_ref();
    wire::DiskInfo {
        persistence: volume
            .map(|volume| wire::Persistence { id: volume.id.clone(), principal: volume.principal.clone() }),
        volume: volume.map(|volume| {
            let mut said = wire::Volume { container_path: volume.container_path.clone(), ..wire::Volume::default() };
            said.set_mode(if volume.read_only { VolumeMode::Ro } else { VolumeMode::Rw });
            said
        }),
        source,
    }
}

/// Attributes as `--attributes` has them: `rack:r1;level:10;ports:[1-5]`.
///
/// # Errors
/// What is wrong, if a part is no attribute.
pub fn attributes(text: &str) -> Result<Vec<wire::Attribute>, String> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts.map(attribute).collect()
}

fn attribute(part: &str) -> Result<wire::Attribute, String> {
    let split = part.split_once(':').filter(|(name, value)| !name.trim().is_empty() && !value.trim().is_empty());
    let (name, value) = split.ok_or_else(|| format!("{part:?} is no attribute: write it as name:value"))?;
    let (name, value) = (name.trim().to_owned(), value.trim());
    let mut attribute = wire::Attribute { name, ..wire::Attribute::default() };
    let inner = |open, close| value.strip_prefix(open).and_then(|rest: &str| rest.strip_suffix(close));
    if let Some(inner) = inner('[', ']') {
        attribute.set_type(ValueType::Ranges);
        let span = |span: &str| {
            let (begin, end) = span.trim().split_once('-')?;
            Some(wire::Range { begin: begin.trim().parse().ok()?, end: end.trim().parse().ok()? })
        };
        let range: Option<Vec<_>> = inner.split(',').map(span).collect();
        let range = range.ok_or_else(|| format!("{part:?} has no ranges: write them as [1-5, 7-9]"))?;
        attribute.ranges = Some(wire::Ranges { range });
    } else if let Some(inner) = inner('{', '}') {
        attribute.set_type(ValueType::Set);
        attribute.set = Some(wire::Set { item: inner.split(',').map(|item| item.trim().to_owned()).collect() });
    } else if let Some(number) = value.parse::<f64>().ok().filter(|number| number.is_finite()) {
        attribute.set_type(ValueType::Scalar);
        attribute.scalar = Some(wire::Scalar { value: number });
    } else {
        attribute.set_type(ValueType::Text);
        attribute.text = Some(wire::Text { value: value.to_owned() });
    }
    Ok(attribute)
}

/// An attribute's value as people write it.
#[must_use]
pub fn attribute_text(attribute: &wire::Attribute) -> String {
    let spans = |ranges: &wire::Ranges| {
        ranges.range.iter().map(|range| format!("{}-{}", range.begin, range.end)).collect::<Vec<_>>().join(", ")
    };
    match attribute.r#type() {
        ValueType::Scalar => attribute.scalar.as_ref().map(|scalar| scalar.value.to_string()),
        ValueType::Ranges => attribute.ranges.as_ref().map(|ranges| format!("[{}]", spans(ranges))),
        ValueType::Set => attribute.set.as_ref().map(|set| format!("{{{}}}", set.item.join(", "))),
        ValueType::Text => attribute.text.as_ref().map(|text| text.value.clone()),
    }
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str, stacked: bool) -> Resources {
        let resources: Resources = text.parse().unwrap();
        from_wire(&to_wire(&resources, &Form { allocated_to: None, stacked })).unwrap()
    }

    #[test]
    fn what_is_said_in_either_form_is_read_as_it_was() {
        let text = "cpus:1.5;mem(web):64;ports:[1-5, 8-9];disks:{a, b}";
        for stacked in [true, false] {
            assert_eq!(again(text, stacked), text.parse().unwrap());
        }
    }

    #[test]
    fn old_clients_see_the_role_on_every_resource_and_new_ones_a_stack() {
        let resources: Resources = "cpus:1;mem(web):64".parse().unwrap();
        let old = to_wire(&resources, &Form::default());
        assert_eq!(old.iter().map(|one| one.role.as_deref()).collect::<Vec<_>>(), [Some("*"), Some("web")]);
        let new = to_wire(&resources, &Form { allocated_to: None, stacked: true });
        assert!(new.iter().all(|one| one.role.is_none()) && new[1].reservations.len() == 1);
    }

    #[test]
    fn what_is_no_amount_is_refused_by_name() {
        for (json, part) in [
            (r#"{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}"#, "'cpus': -1 is no amount"),
            (r#"{"name":"cpus","type":"SCALAR"}"#, "SCALAR without scalar"),
            (r#"{"name":"p","type":"RANGES","ranges":{"range":[{"begin":2,"end":1}]}}"#, "ends before it begins"),
            (r#"{"name":"p","type":"TEXT"}"#, "no resource is a TEXT"),
            (r#"{"name":"c","type":"SCALAR","scalar":{"value":1},"role":"a b"}"#, "'c': "),
        ] {
            let resource = wire::MediaType::Json.decode::<wire::Resource>(json.as_bytes(), "Resource").unwrap();
            let refused = from_wire(&[resource]).unwrap_err();
            assert!(refused.contains(part), "{refused}");
        }
    }

    #[test]
    fn attributes_are_of_four_kinds() {
        let all = attributes("rack:r1;level:10;ports:[1-5, 7-9];zones:{a, b};").unwrap();
        let texts: Vec<_> = all.iter().map(attribute_text).collect();
        assert_eq!(texts, ["r1", "10", "[1-5, 7-9]", "{a, b}"]);
        assert!(attributes("rack").is_err() && attributes(":x").is_err() && attributes("p:[x]").is_err());
    }
}
