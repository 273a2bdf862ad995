//! The rules of paths that users write: none of them may lead out of its place.

use crate::validation::Problems;

/// The longest path that the system takes.
const PATH_MAX: usize = 4096;

/// Reports text that is no absolute path, or that steps upwards.
pub(super) fn validate_absolute_path(path: &str, problems: &mut Problems) {
    if !path.starts_with('/') {
        problems.report(format!("must be an absolute path, which begins with '/', got {path:?}"));
    }
    validate_any_path(path, problems);
}

/// Reports text that is no relative path, or that steps upwards.
pub(super) fn validate_relative_path(path: &str, problems: &mut Problems) {
    if path.starts_with('/') {
        problems.report(format!("must be a relative path, without a '/' in front, got {path:?}"));
    }
    validate_any_path(path, problems);
}

/// Reports text that is no relative path of a file in a volume. Names that begin with `..` are left for the versions
/// between which a volume is switched.
pub(super) fn validate_file_path(path: &str, problems: &mut Problems) {
    validate_relative_path(path, problems);
    if path.is_empty() || path.split('/').skip(usize::from(path.starts_with('/'))).any(|part| matches!(part, "" | "."))
    {
        problems.report(format!("must be names joined by '/', for example \"conf/web.conf\", got {path:?}"));
    }
    if path.starts_with("..") && path.split('/').all(|part| part != "..") {
        problems.report(format!("must not begin with \"..\", got {path:?}"));
    }
}

/// The names of a path in order, by which paths that lead to the same place are equal.
pub(super) fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).collect()
}

fn validate_any_path(path: &str, problems: &mut Problems) {
    if path.split('/').any(|part| part == "..") {
        problems
            .report(format!("must not contain \"..\" between slashes: it would lead out of its place, got {path:?}"));
    }
    if path.contains('\0') {
        problems.report("must not contain a NUL character: no path can");
    }
    if path.len() > PATH_MAX {
        problems.report(format!("must have at most {PATH_MAX} bytes, got {}", path.len()));
    }
}
