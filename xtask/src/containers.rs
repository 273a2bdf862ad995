//! Which tests run real containers, for which they need root.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::command::Failed;
use crate::tidy::Tree;

/// Asks for the tests of containers to be left out.
pub(crate) const WITHOUT: &str = "--without-containers";

/// What a test says that starts real containers or makes networks: the daemons and hosts of `orch_testkit::daemon`, and the
/// worlds around proxies and routes of the kernel.
const SIGNS: [&str; 4] = ["Dockerd::", "Containerd::", "Host::new", "Kernel::new"];

/// The names of the test targets of a workspace.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Targets {
    /// They need nothing special.
    pub(crate) plain: Vec<String>,
    /// They run containers.
    pub(crate) of_containers: Vec<String>,
}

impl Targets {
    pub(crate) fn of(tree: &Tree) -> Self {
        let mut found: BTreeMap<&str, bool> = BTreeMap::new();
        for (path, text) in tree.rust() {
            let Some((_, path)) = path.split_once("/tests/").filter(|(package, _)| is_member(package)) else {
                continue;
            };
            let name = path.split('/').next().unwrap_or(path);
            let name = name.strip_suffix(".rs").unwrap_or(name);
            *found.entry(name).or_default() |= SIGNS.iter().any(|sign| text.contains(sign));
        }
        let mut targets = Self::default();
        for (name, of_containers) in found {
            let list = if of_containers { &mut targets.of_containers } else { &mut targets.plain };
            list.push(name.to_owned());
        }
        targets
    }

    /// Arguments for cargo that leave out those of containers, and nothing else.
    pub(crate) fn arguments_without(&self) -> Vec<&str> {
        let plain = self.plain.iter().flat_map(|name| ["--test", name.as_str()]);
        ["--lib", "--bins", "--examples", "--benches"].into_iter().chain(plain).collect()
    }
}

/// `benches/peers` is a workspace of its own, and `src/tests/` is of units.
fn is_member(package: &str) -> bool {
    !package.starts_with("benches/") && !package.contains("/src")
}

/// Fails unless the tests of containers can be run by who runs this.
pub(crate) fn require_root() -> Result<(), Failed> {
    // Who runs a program owns what Linux says of it.
    if fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0) {
        return Ok(());
    }
    Err(Failed(format!(
        "the tests of dockerd and containerd need root: run `sudo -E env PATH=\"$PATH\" cargo xtask test`, or leave them \
         out with `cargo xtask test {WITHOUT}`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_left_out_for_any_of_its_files_and_nothing_else_is() {
        let tree = Tree::from_files(&[
            ("orch-a/tests/plain.rs", "Etcd::start()"),
            ("orch-a/tests/docker/main.rs", "mod faults;"),
            ("orch-a/tests/docker/faults.rs", "Dockerd::shared().await"),
            ("orch-a/src/tests/units.rs", ""),
            ("benches/peers/tests/other.rs", ""),
            ("examples/whole/tests/containerd.rs", "let daemon = Containerd::start().await;"),
        ]);
        let targets = Targets::of(&tree);
        assert_eq!(targets.plain, ["plain"]);
        assert_eq!(targets.of_containers, ["containerd", "docker"]);
        assert_eq!(targets.arguments_without(), ["--lib", "--bins", "--examples", "--benches", "--test", "plain"]);
    }
}
