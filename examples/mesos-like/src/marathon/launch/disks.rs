//! [`Disks`]: disks that outlive tasks, and what is reserved with them.

use serde::{Deserialize, Serialize};

use super::Supply;
use crate::marathon::model::{App, AppId};
use crate::wire::scheduler::{Operation, OperationType, Reserve, Unreserve, Volumes};
use crate::wire::{
    DiskInfo, Label, Labels, Persistence, ReservationInfo, ReservationType, Resource, Scalar, Volume, VolumeMode,
};

/// By this label a reservation says of which instance it is.
const INSTANCE: &str = "marathon_task_id";

/// A disk that outlives tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalVolume {
    /// Where it is in the container.
    pub container_path: String,
    /// By what the agent knows it.
    pub persistence_id: String,
}

/// What an instance has reserved, and its disks in it.
#[derive(Clone, Debug)]
pub struct Disks {
    /// The disks.
    pub volumes: Vec<LocalVolume>,
    /// What the task is started with.
    pub resources: Vec<Resource>,
    /// What reserves it and makes the disks.
    pub operations: Vec<Operation>,
}

impl Disks {
    /// What an instance needs that was taken from an offer, reserved for a role; its disks are cut from the disk among it. Ports
    /// are not reserved.
    #[must_use]
    pub fn reserved(app: &App, instance: &str, role: &str, taken: Vec<Resource>) -> Self {
        let (ports, taken): (Vec<Resource>, Vec<Resource>) =
            taken.into_iter().partition(|resource| resource.name == "ports");
        let reserved: Vec<Resource> = taken.into_iter().map(|resource| reserved(resource, instance, role)).collect();
        let (disks, mut resources): (Vec<Resource>, Vec<Resource>) =
            reserved.iter().cloned().partition(|resource| resource.name == "disk");
        let (mut volumes, mut made) = (Vec::new(), Vec::new());
        let mut left = disks.first().and_then(|disk| disk.scalar.as_ref()).map_or(0.0, |scalar| scalar.value);
        for (path, size) in persistent(app) {
            let Some(disk) = disks.first() else { break };
            let id = persistence_id(&app.id, path, instance);
            left -= size;
            made.push(Resource {
                scalar: Some(Scalar { value: size }),
                disk: Some(disk_info(path, &id)),
                ..disk.clone()
            });
            volumes.push(LocalVolume { container_path: path.to_owned(), persistence_id: id });
        }
        if let Some(disk) = disks.first().filter(|_| left > 0.0) {
            resources.push(Resource { scalar: Some(Scalar { value: left }), ..disk.clone() });
        }
        resources.extend(made.iter().cloned().chain(ports));
        let mut reserve = operation(OperationType::Reserve);
        reserve.reserve = Some(Reserve { source: Vec::new(), resources: reserved });
        let mut create = operation(OperationType::Create);
        create.create = Some(Volumes { volumes: made });
        Self { volumes, resources, operations: vec![reserve, create] }
    }

    /// What gives back what was reserved.
    #[must_use]
    pub fn given_back(resources: Vec<Resource>) -> Vec<Operation> {
        let (volumes, others): (Vec<Resource>, Vec<Resource>) =
            resources.into_iter().partition(|resource| resource.disk.is_some());
        let mut operations = Vec::new();
        if !volumes.is_empty() {
            let mut destroy = operation(OperationType::Destroy);
            destroy.destroy = Some(Volumes { volumes: volumes.clone() });
            operations.push(destroy);
        }
        let bare = volumes.into_iter().map(|volume| Resource { disk: None, ..volume });
        let mut unreserve = operation(OperationType::Unreserve);
        unreserve.unreserve = Some(Unreserve { resources: others.into_iter().chain(bare).collect() });
        operations.push(unreserve);
        operations
    }
}

/// How much disk an instance takes in all.
#[must_use]
pub(super) fn all_disk(app: &App) -> f64 {
    app.disk + persistent(app).map(|(_, size)| size).sum::<f64>()
}

/// Whose a resource is that was reserved for an instance.
pub(super) fn instance_of(resource: &Resource) -> Option<&str> {
    let labels = resource.reservations.iter().filter_map(|reservation| reservation.labels.as_ref());
    labels.flat_map(|labels| &labels.labels).find(|label| label.key == INSTANCE)?.value.as_deref()
}

impl Supply {
    /// Whether disks are offered that were made for an instance.
    #[must_use]
    pub fn has_reserved(&self, instance: &str) -> bool {
        self.has(|resource| resource.disk.is_some() && instance_of(resource) == Some(instance))
    }

    /// Takes all that was reserved for an instance, if it is offered.
    pub fn take_reserved(&mut self, instance: &str) -> Vec<Resource> {
        self.take_where(|resource| instance_of(resource) == Some(instance))
    }
}

fn persistent(app: &App) -> impl Iterator<Item = (&str, f64)> {
    let volumes = app.container.iter().flat_map(|container| &container.volumes);
    volumes.filter_map(|volume| Some((volume.container_path.as_str(), volume.persistent.as_ref()?.size)))
}

fn persistence_id(app: &AppId, path: &str, instance: &str) -> String {
    let unique = instance.rsplit("instance-").next().unwrap_or(instance);
    let path: String = path.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    format!("{}.{path}.{unique}", app.joined("_"))
}

fn reserved(mut resource: Resource, instance: &str, role: &str) -> Resource {
    let label = Label { key: INSTANCE.to_owned(), value: Some(instance.to_owned()) };
    let labels = Some(Labels { labels: vec![label] });
    let mut reservation = ReservationInfo { role: Some(role.to_owned()), labels, ..ReservationInfo::default() };
    reservation.set_type(ReservationType::Dynamic);
    resource.reservations.push(reservation);
    resource.role = None;
    resource
}

fn disk_info(path: &str, id: &str) -> DiskInfo {
    let mut volume = Volume { container_path: path.to_owned(), ..Volume::default() };
    volume.set_mode(VolumeMode::Rw);
    let persistence = Some(Persistence { id: id.to_owned(), principal: None });
    DiskInfo { persistence, volume: Some(volume), source: None }
}

fn operation(kind: OperationType) -> Operation {
    let mut operation = Operation::default();
    operation.set_type(kind);
    operation
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ValueType;

    fn scalar(name: &str, value: f64) -> Resource {
        let mut resource = Resource { name: name.to_owned(), scalar: Some(Scalar { value }), ..Resource::default() };
        resource.set_type(ValueType::Scalar);
        resource
    }

    #[test]
    fn disks_are_cut_from_what_is_reserved_and_given_back_with_it() {
        let volume =
            |path: &str, size: u32| serde_json::json!({ "containerPath": path, "persistent": { "size": size } });
        let app = serde_json::json!({
            "id": "/db", "cmd": "x", "disk": 10,
            "container": { "type": "MESOS", "volumes": [volume("data", 64), volume("log", 16)] },
        });
        let app: App = serde_json::from_value(app).expect("an app");
        assert_eq!(all_disk(&app), 90.0);
        let taken = vec![
            scalar("cpus", 1.0),
            scalar("disk", 90.0),
            Resource { name: "ports".to_owned(), ..Resource::default() },
        ];
        let disks = Disks::reserved(&app, "db.instance-1", "prod", taken);
        let sizes: Vec<(&str, Option<f64>, bool)> = disks
            .resources
            .iter()
            .map(|resource| {
                (resource.name.as_str(), resource.scalar.as_ref().map(|s| s.value), resource.disk.is_some())
            })
            .collect();
        let expected = [("cpus", Some(1.0), false), ("disk", Some(10.0), false), ("disk", Some(64.0), true)];
        assert_eq!(sizes[..3], expected);
        assert_eq!(sizes[3..], [("disk", Some(16.0), true), ("ports", None, false)]);
        assert!(disks.resources[..4].iter().all(|resource| instance_of(resource) == Some("db.instance-1")));
        assert_eq!(disks.volumes[0].persistence_id, "db.data.1");
        let reserved = disks.resources[..4].to_vec();
        let kinds: Vec<_> = Disks::given_back(reserved).iter().map(Operation::r#type).collect();
        assert_eq!(kinds, [OperationType::Destroy, OperationType::Unreserve]);
    }
}
