//! What a crash leaves, at every step.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use orch_core::runtime::VolumeFile;

use super::*;
use crate::volumes::node::delete::delete;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("orch-files-{}-{name}", std::process::id()));
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    fn content(&self) -> Folder {
        Folder::open(&self.0).expect("the folder")
    }

    /// What is read at these paths.
    fn read(&self, paths: &[&str]) -> BTreeMap<String, String> {
        let read = |path: &&str| Some(((*path).to_owned(), fs::read_to_string(self.0.join(path)).ok()?));
        paths.iter().filter_map(read).collect()
    }

    fn names(&self) -> usize {
        self.content().names(usize::MAX).expect("names").len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let parent = Folder::open(self.0.parent().expect("one")).expect("the folder");
        delete(&parent, self.0.file_name().expect("one")).expect("deleted");
    }
}

fn set(files: &[(&str, &str)]) -> FileSet {
    let file = |(path, content): &(&str, &str)| {
        ((*path).to_owned(), VolumeFile { content: (*content).to_owned().into(), mode: 0o640 })
    };
    FileSet::new(&files.iter().map(file).collect(), None).expect("valid")
}

fn text(files: &FileSet) -> BTreeMap<String, String> {
    let text = |file: &VolumeFile| String::from_utf8(file.content.to_vec()).expect("text");
    files.files.iter().map(|(path, file)| (path.clone(), text(file))).collect()
}

const PATHS: [&str; 6] = ["a", "b", "c", "d/e", "d/f/g", "b/h"];

#[test]
fn a_crash_at_any_step_leaves_the_old_files_or_the_new() {
    let sets = [
        set(&[]),
        set(&[("a", "1"), ("b", "1")]),
        set(&[("a", "2"), ("c", "2"), ("d/e", "2"), ("d/f/g", "2")]),
        set(&[("b/h", "3"), ("d/e", "3")]),
        set(&[("a", "4"), ("b", "4"), ("d/f/g", "4")]),
    ];
    let mut crashes = 0;
    for (number, (old, new)) in sets.iter().flat_map(|old| sets.iter().map(move |new| (old, new))).enumerate() {
        for survived in 0.. {
            let place = Place::new(&format!("crash-{number}-{survived}"));
            let content = place.content();
            make(&content, old, None).expect("made");
            let steps = plan::steps(&perform::observe(&content, new, None).expect("seen"), new);
            for step in &steps[..survived] {
                perform::perform(&content, step, new, None).expect("done");
                let seen = place.read(&PATHS);
                assert!(seen == text(old) || seen == text(new), "after {step:?} there is {seen:?}");
            }
            make(&place.content(), new, None).expect("made by the next one");
            assert_eq!(place.read(&PATHS), text(new));
            assert_eq!(place.names(), 2 + new.top_names().len(), "nothing else is left");
            assert_eq!(plan::steps(&perform::observe(&content, new, None).expect("seen"), new), []);
            crashes += 1;
            if survived == steps.len() {
                break;
            }
        }
    }
    assert!(crashes > 150, "only {crashes} crashes");
}

#[test]
fn a_crash_that_is_not_survived_by_the_old_version_of_the_plan_is_seen() {
    // The order that Kubernetes has: the links to new files come after the switch.
    let (old, new) = (set(&[("a", "1")]), set(&[("a", "2"), ("c", "2")]));
    let place = Place::new("order");
    let content = place.content();
    make(&content, &old, None).expect("made");
    let mut steps = plan::steps(&perform::observe(&content, &new, None).expect("seen"), &new);
    let link = steps.iter().position(|step| matches!(step, plan::Step::Link(_))).expect("one");
    steps.swap(link, link + 1);
    steps[..=link].iter().try_for_each(|step| perform::perform(&content, step, &new, None)).expect("done");
    let seen = place.read(&PATHS);
    assert!(seen != text(&old) && seen != text(&new), "the check above would see {seen:?}");
}

#[test]
fn what_a_container_put_there_leads_nowhere() {
    let outside = Place::new("outside");
    fs::write(outside.0.join("a"), "kept").expect("a file");
    fs::create_dir(outside.0.join("..version-1")).expect("a folder");
    let wanted = set(&[("a", "1"), ("d/e", "1")]);
    let traps: [fn(&Path, &Path); 6] = [
        |volume, outside| symlink(outside, volume.join("..data")).expect("a link"),
        |volume, _| fs::create_dir(volume.join("..data")).expect("a folder"),
        |volume, outside| {
            symlink(outside, volume.join("..version-1")).expect("a link");
            symlink("..version-1", volume.join("..data")).expect("a link");
        },
        |volume, outside| symlink(outside.join("a"), volume.join("a")).expect("a link"),
        |volume, outside| {
            fs::create_dir_all(volume.join("a/b")).expect("folders");
            symlink(outside, volume.join("a/b/c")).expect("a link");
            symlink(outside, volume.join("d")).expect("a link");
        },
        |volume, outside| symlink(outside.join("new"), volume.join("..new")).expect("a link"),
    ];
    for (number, trap) in traps.into_iter().enumerate() {
        let place = Place::new(&format!("trap-{number}"));
        trap(&place.0, &outside.0);
        make(&place.content(), &wanted, None).expect("made");
        assert_eq!(place.read(&PATHS), text(&wanted), "trap {number}");
        assert_eq!(outside.read(&["a"]), [("a".to_owned(), "kept".to_owned())].into(), "trap {number}");
        assert_eq!(outside.names(), 2, "trap {number}");
    }
}

#[test]
fn what_a_container_changed_is_made_right() {
    let wanted = set(&[("a", "1"), ("d/e", "1")]);
    let changes: [fn(&Path); 6] = [
        |volume| fs::write(volume.join("a"), "2").expect("written"),
        |volume| fs::write(volume.join("..data/more"), "2").expect("written"),
        |volume| fs::remove_file(volume.join("..data/d/e")).expect("removed"),
        |volume| fs::remove_file(volume.join("a")).expect("removed"),
        |volume| fs::remove_file(volume.join("..data")).expect("removed"),
        |volume| {
            fs::remove_file(volume.join("..data/a")).expect("removed");
            nix::unistd::mkfifo(&volume.join("..data/a"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let place = Place::new(&format!("change-{number}"));
        make(&place.content(), &wanted, None).expect("made");
        change(&place.0);
        make(&place.content(), &wanted, None).expect("made");
        assert_eq!(place.read(&PATHS), text(&wanted), "change {number}");
        assert_eq!(place.names(), 4, "change {number}");
    }
}
