//! The suite of [`Images`](orch_core::runtime::Images). Its subject is an [`ImagesFixture`].

mod fixture;
pub mod imports;
pub mod pulls;
pub mod removals;
mod steps;

pub use fixture::{ImagesFixture, RegistryNames};

use super::Clause;

/// Lists the clauses of the suite.
#[doc(hidden)]
#[macro_export]
macro_rules! images_clauses {
    ([$($with:tt)*] [$($args:tt)*]) => {
        $($with)*! { use $crate::suite::images as clauses; [$($args)*]
            I1 imports::what_is_imported_is_there
                "An image that was imported is found by its name, is listed, and containers start from it.";
            I1 imports::an_archive_that_is_cut_leaves_nothing
                "An archive that is cut off is Invalid, leaves no image, and can be imported again.";
            I1 imports::an_import_that_is_dropped_leaves_nothing
                "An import that is dropped or whose source fails leaves no image, and can be repeated.";
            I2 imports::importing_again_changes_nothing
                "To import what is there succeeds and changes nothing.";
            I3 imports::a_name_can_move_to_other_content
                "A name that is given to other content leaves the image that had it, and what was started from it, as they were.";
            I5 imports::what_is_no_archive_is_refused
                "What is no archive, or does not end, is Invalid.";
            Start imports::a_container_needs_its_image
                "A container whose image is not on the node is not started: NoSuchImage, and nothing is changed.";
            I2 removals::what_is_not_there_is_removed
                "To remove an image that is not there succeeds.";
            I4 removals::an_image_in_use_is_not_removed
                "An image that a container was started from, running or ended, is not removed: InUse.";
            I1 pulls::what_is_pulled_is_there
                "An image that was pulled is found, with its progress told; to pull it again changes nothing.";
            I1 pulls::what_cannot_be_pulled_says_why
                "An image that the registry does not have is NotFound, a damaged one Invalid, and leave nothing.";
            Pull pulls::a_secret_image_needs_credentials
                "An image that is given to some only is Denied to others.";
            Pull pulls::a_registry_that_is_down_is_told
                "A registry that does not answer is an error of the registry, and transient.";
        }
    };
}

/// Makes a test of every clause of the suite of images. The argument is an expression that makes a new
/// [`ImagesFixture`](crate::suite::images::ImagesFixture).
#[macro_export]
macro_rules! images_suite {
    ($fixture:expr) => {
        $crate::images_clauses! { [$crate::clause_tests] [$fixture] }
    };
}

/// The clauses of the suite of images.
#[must_use]
pub fn clauses<F: ImagesFixture>() -> &'static [Clause<F>] {
    images_clauses! { [crate::clause_table] [] }
}
