//! The suite of [`Volumes`](orch_core::runtime::Volumes). Its subject is a [`VolumesFixture`].

pub mod contained;
pub mod files;
mod fixture;
pub mod host_paths;
pub mod made;
pub mod own_files;
pub mod parts;
pub mod private;
pub mod removals;
mod steps;
pub mod used;

pub use fixture::VolumesFixture;

use super::Clause;

/// Lists the clauses of the suite.
#[doc(hidden)]
#[macro_export]
macro_rules! volumes_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::volumes as clauses; [$($args)*]
            V1 made::a_folder_that_exists_keeps_what_is_in_it
                "A folder that exists keeps what containers wrote, however often it is made, also by a new agent.";
            V1 made::files_that_are_the_same_are_not_written_again
                "Files that are the same are not written again, not even by a new agent.";
            V1 made::files_that_a_container_changed_are_made_right
                "Files that a container changed or removed are made right.";
            V1 made::callers_that_race_make_one_volume
                "When several callers make the same volume at once, all succeed and get the same path.";
            V1 made::a_volume_does_not_become_another_kind
                "A volume that is there is not made into one of another kind: the request is Refused.";
            V2 files::all_files_change_at_once
                "While files change, whoever reads them sees all of them as they were or all of them as they are.";
            V2 files::an_update_that_nobody_waits_for_leaves_the_old_or_the_new
                "When the future of an update is dropped, at any moment, the files are the old or the new.";
            V2 files::files_that_are_no_longer_wanted_go
                "After an update the files are those of the update and no others.";
            Spec files::files_have_their_content
                "Files have their content, in folders as well, and empty ones too.";
            V3 contained::hostile_names_of_files_are_refused
                "Names of files that lead out of the volume, or cannot be, are Refused, and the files stay as they were.";
            V3 contained::a_link_in_the_place_of_a_file_is_not_written_through
                "A link that a container put in the place of a file, or of a folder, is not written through.";
            V3 contained::removal_follows_no_link
                "Removal follows no link that a container made.";
            V4 removals::nothing_is_left
                "After remove nothing of the pod is left: no file, no folder, no mount.";
            V4 removals::nothing_is_left_of_what_an_earlier_agent_made
                "A new agent lists what an earlier one made, and removes it.";
            V4 removals::what_is_behind_a_host_path_stays
                "What is behind a host path stays when the pod is removed.";
            V4 removals::what_is_not_known_is_removed
                "Removing a pod that is not known succeeds, and so does removing one again.";
            V4 removals::other_pods_keep_their_volumes
                "Removing a pod leaves the volumes of others alone.";
            V5 private::others_cannot_read
                "No other user of the node can read what is in a volume, whatever the modes in there.";
            V6 parts::a_part_is_found_or_made
                "A part of a volume is found, or made as a folder; an empty path is the volume itself.";
            V6 parts::a_path_that_leads_upwards_is_refused
                "A path that is absolute, leads upwards or cannot be is Refused.";
            V6 parts::a_link_out_of_the_volume_is_refused
                "A link out of the volume is Refused, at any place of the path, of a host path as well.";
            V6 parts::a_link_within_the_volume_is_followed
                "A link within the volume is followed.";
            V6 parts::what_is_no_folder_has_no_parts
                "A path through a file is Refused, and so is one to a file that a volume of files does not have.";
            V7 own_files::a_file_of_its_own_is_made_and_read
                "A file that was made is read, its beginning if it is longer, and stays as it is when it is made again.";
            V7 own_files::a_file_that_is_removed_is_gone
                "A file that is removed is gone, and no other; what is not there is removed.";
            V7 own_files::a_link_in_its_place_is_not_read_through
                "A link in the place of such a file is not read through.";
            Spec host_paths::what_is_there_must_be_what_is_expected
                "What is at a host path must be what is expected; the refusal tells both.";
            Spec host_paths::what_is_missing_is_made_if_asked_for
                "What is missing at a host path is made only if that is asked for, and is Refused otherwise.";
            Spec host_paths::hostile_paths_are_refused
                "A host path that is not absolute, leads upwards or cannot be is Refused.";
            Spec host_paths::a_link_that_leads_nowhere_is_not_followed
                "Nothing is made through a link that leads nowhere.";
            Spec used::what_is_written_is_counted
                "Usage tells what is used, with the limit, also to a new agent.";
            Spec used::what_is_behind_a_host_path_is_not_counted
                "What is behind a host path is not counted.";
        }
    };
}

/// Makes a test of every clause of the suite of volumes. The argument is an expression that makes a new
/// [`VolumesFixture`](crate::suite::volumes::VolumesFixture).
#[macro_export]
macro_rules! volumes_suite {
    ($fixture:expr) => {
        $crate::volumes_clauses! { [$crate::clause_tests] [$fixture] }
    };
}

/// The clauses of the suite of volumes.
#[must_use]
pub fn clauses<F: VolumesFixture>() -> &'static [Clause<F>] {
    volumes_clauses! { [crate::clause_table] [] }
}
