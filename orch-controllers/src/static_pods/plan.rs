//! What to do so that the static pods of a node are those that its folder asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orch_core::client::ClientError;
use orch_core::controller::Action;
use orch_core::key::Key;
use orch_core::object::Pod;

use super::wanted::{Wanted, place};
use super::{CONFIG_FILE, CONFIG_HASH, PodFile, PodSourceError, is_static_on};

/// What is to be done, in order, and what a person should know.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub(super) actions: Vec<Action>,
    pub(super) troubles: BTreeSet<Trouble>,
}

/// Something that only a person can mend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Trouble {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// A file counts as a whole: where anything in it is refused, the pods that run of it go on as they are.
///
/// `pods` are all pods that are seen, by key; of those, only the static ones of this node are changed.
pub(super) fn plan(
    node: &str,
    said: &Result<Vec<PodFile>, PodSourceError>,
    pods: &BTreeMap<Key, Arc<Pod>>,
) -> Result<Decided, ClientError> {
    let mut decided = Decided::default();
    let files = match said {
        Ok(files) => files,
        Err(error) => {
            let goes_on = "; all pods go on as they are";
            decided.trouble("FailedReadingFolder", format!("the folder of static pods: {error}{goes_on}"));
            return Ok(decided);
        }
    };
    let asked = Asked::of(node, files, &mut decided);
    for (key, pod) in pods.iter().filter(|(_, pod)| is_static_on(pod, node)) {
        let file = annotation(pod, CONFIG_FILE);
        match asked.wanted.get(key) {
            _ if pod.metadata.is_deleting() => {}
            Some(wanted) if annotation(pod, CONFIG_HASH) == Some(wanted.hash()) => {
                if file != annotation(&wanted.pod, CONFIG_FILE) {
                    let mut renamed = Pod::clone(pod);
                    let name = annotation(&wanted.pod, CONFIG_FILE).unwrap_or_default().to_owned();
                    renamed.metadata.annotations.insert(CONFIG_FILE.to_owned(), name);
                    decided.actions.push(Action::update(&**pod, renamed)?);
                }
            }
            wanted if file.is_some_and(|file| asked.spares(file, wanted.is_some())) => {}
            Some(_) | None => decided.actions.push(Action::delete(Arc::clone(pod))),
        }
    }
    for (key, wanted) in asked.wanted {
        match pods.get(&key) {
            None => decided.actions.push(Action::create_as(wanted.pod, wanted.uid)),
            Some(pod) if is_static_on(pod, node) => {}
            Some(_) => {
                let (place, remedy) = (wanted.place, "delete it, or rename the one in the file");
                decided
                    .trouble("NameTaken", format!("{place}: {key} is there already and not of this folder: {remedy}"));
            }
        }
    }
    Ok(decided)
}

impl Decided {
    fn trouble(&mut self, reason: &'static str, message: String) {
        self.troubles.insert(Trouble { reason, message });
    }
}

/// What the files ask for.
#[derive(Default)]
struct Asked<'a> {
    wanted: BTreeMap<Key, Wanted>,
    /// The files that are not followed, and why.
    broken: BTreeMap<&'a str, &'static str>,
}

/// Another file is followed instead.
const DUPLICATE: &str = "DuplicatePod";

impl<'a> Asked<'a> {
    fn of(node: &str, files: &'a [PodFile], decided: &mut Decided) -> Self {
        let mut asked = Self::default();
        let mut in_order: Vec<&PodFile> = files.iter().collect();
        in_order.sort_by_key(|file| &file.name);
        for file in in_order {
            match asked.file(node, file) {
                Ok(pods) => asked.wanted.extend(pods),
                Err(mut trouble) => {
                    asked.broken.insert(&file.name, trouble.reason);
                    trouble.message.push_str("; until that is mended, pods of this file that run go on as they are");
                    decided.troubles.insert(trouble);
                }
            }
        }
        asked
    }

    /// Whether a pod of a file goes on because the file is not followed. It makes way for what another file asks for only
    /// if that file goes before this one.
    fn spares(&self, file: &str, is_asked_for: bool) -> bool {
        self.broken.get(file).is_some_and(|reason| !is_asked_for || *reason != DUPLICATE)
    }

    /// The pods of a file, none of which another file has.
    fn file(&self, node: &str, file: &PodFile) -> Result<BTreeMap<Key, Wanted>, Trouble> {
        let name = &file.name;
        let trouble = |reason, message| Trouble { reason, message };
        let pods = file.pods.as_ref().map_err(|error| trouble("FailedReadingFile", format!("{name}: {error}")))?;
        let mut found: BTreeMap<Key, Wanted> = BTreeMap::new();
        for asked in pods {
            let place = place(name, asked);
            let wanted = Wanted::new(name, asked, node);
            let wanted = wanted.map_err(|error| trouble("NotAStaticPod", format!("{place}: {error}")))?;
            if let Some(first) = self.wanted.get(&wanted.key).or(found.get(&wanted.key)) {
                let first = &first.place;
                let message = format!("{place}: already asked for by {first}: rename one of the two, or remove it");
                return Err(trouble(DUPLICATE, message));
            }
            found.insert(wanted.key.clone(), wanted);
        }
        Ok(found)
    }
}

fn annotation<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    pod.metadata.annotations.get(name).map(String::as_str)
}

#[cfg(test)]
mod tests;
