//! The volumes of a pod: what must be made before its containers start, and what has changed since.

use std::collections::BTreeMap;

use orch_core::runtime::VolumeName;

use super::super::environment::Surroundings;
use super::super::troubles::Subject;
use super::super::volumes::{Made, sources};
use super::running::{Running, Wanted};
use super::{Step, warning};

/// Whether containers can be started, as far as volumes are concerned.
#[derive(Clone, Debug)]
pub(super) enum VolumesState<'a> {
    /// They are there.
    Made(&'a BTreeMap<VolumeName, Made>),
    /// Not yet; why, if they should be.
    Missing(String),
}

impl<'a> Running<'a> {
    /// Wants the volumes made that are not there or not as they should be. What cannot be told any more, such as the
    /// files of a config map that is gone, stays as it is.
    pub(super) fn volumes(&self, wanted: &mut Wanted<'a>) -> VolumesState<'a> {
        static NONE: BTreeMap<VolumeName, Made> = BTreeMap::new();
        if self.pod.spec.volumes.is_empty() {
            return VolumesState::Made(&NONE);
        }
        let Some(made) = &self.look.found.volumes else {
            let message = "MountVolume.SetUp failed: this node agent was started without a place for volumes";
            wanted.news.push(warning("FailedMount", message));
            return VolumesState::Missing(message.to_owned());
        };
        let mut missing = None;
        let mut make = Vec::new();
        for (name, source) in sources(self.pod, self.surroundings()) {
            match (source, made.get(&name)) {
                (Ok(source), Some(made)) if made.source == source => {}
                (Ok(source), before) => {
                    missing = missing.or_else(|| before.is_none().then(String::new));
                    make.push((name, source));
                }
                (Err(_), Some(_)) => {}
                (Err(message), None) => {
                    wanted.news.push(warning("FailedMount", message.clone()));
                    missing = Some(message);
                }
            }
        }
        if let Some(trouble) = self.look.found.troubles.get(&Subject::Volumes) {
            missing = missing.map(|why| if why.is_empty() { trouble.message.clone() } else { why });
        }
        if !make.is_empty() {
            wanted.volumes = Some(Step::MakeVolumes(self.uid.clone(), make));
        }
        missing.map_or(VolumesState::Made(made), VolumesState::Missing)
    }

    pub(super) fn surroundings(&self) -> Surroundings<'a> {
        Surroundings { pod_ip: self.pod_ip(), config: self.look.config, references: &self.look.found.references }
    }
}
