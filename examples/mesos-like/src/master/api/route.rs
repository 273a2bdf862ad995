//! [`Route`]: what a request is for, by its path.

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// The scheduler API.
    Scheduler,
    /// Where agents speak to the master.
    Agent,
    /// The operator API.
    Operator,
    /// `/health`
    Health,
    /// `/version`
    Version,
    /// `/flags`
    Flags,
    /// `/metrics/snapshot`
    Metrics,
    /// `/redirect`
    Redirect,
    /// `/state`
    State,
    /// `/state-summary`
    StateSummary,
    /// `/slaves`
    Agents,
    /// `/frameworks`
    Frameworks,
    /// `/tasks`
    Tasks,
    /// `/roles`
    Roles,
    /// `/weights`
    Weights,
    /// `/quota`
    Quota,
    /// `/teardown`
    Teardown,
    /// `/reserve`
    Reserve,
    /// `/unreserve`
    Unreserve,
    /// `/create-volumes`
    CreateVolumes,
    /// `/destroy-volumes`
    DestroyVolumes,
    /// `/maintenance/schedule`
    MaintenanceSchedule,
    /// `/maintenance/status`
    MaintenanceStatus,
    /// `/machine/down`
    MachineDown,
    /// `/machine/up`
    MachineUp,
    /// `/why-no-offer`
    WhyNoOffer,
    /// `/files/browse`
    FilesBrowse,
    /// `/files/read`
    FilesRead,
    /// `/files/download`
    FilesDownload,
    /// `/` and `/pages`, for people with a browser
    Page,
}

/// Every path that leads somewhere, in parts.
const PATHS: [(&[&str], Route); 32] = [
    (&["api", "v1", "scheduler"], Route::Scheduler),
    (&["api", "v1", "agent"], Route::Agent),
    (&["api", "v1"], Route::Operator),
    (&["health"], Route::Health),
    (&["version"], Route::Version),
    (&["flags"], Route::Flags),
    (&["metrics", "snapshot"], Route::Metrics),
    (&["redirect"], Route::Redirect),
    (&["state"], Route::State),
    (&["state-summary"], Route::StateSummary),
    (&["slaves"], Route::Agents),
    (&["frameworks"], Route::Frameworks),
    (&["tasks"], Route::Tasks),
    (&["roles"], Route::Roles),
    (&["weights"], Route::Weights),
    (&["quota"], Route::Quota),
    (&["teardown"], Route::Teardown),
    (&["reserve"], Route::Reserve),
    (&["unreserve"], Route::Unreserve),
    (&["create-volumes"], Route::CreateVolumes),
    (&["destroy-volumes"], Route::DestroyVolumes),
    (&["maintenance", "schedule"], Route::MaintenanceSchedule),
    (&["maintenance", "status"], Route::MaintenanceStatus),
    (&["machine", "down"], Route::MachineDown),
    (&["machine", "up"], Route::MachineUp),
    (&["why-no-offer"], Route::WhyNoOffer),
    (&["files", "browse"], Route::FilesBrowse),
    (&["files", "read"], Route::FilesRead),
    (&["files", "download"], Route::FilesDownload),
    (&["pages"], Route::Page),
    // Older tools' names.
    (&["stats"], Route::Metrics),
    (&["system", "stats"], Route::Metrics),
];

impl Route {
    /// What a path leads to, and what stands behind it: the longest path that is known counts, with or without `/master`
    /// before it, `.json` and slashes behind it.
    #[must_use]
    pub fn of(path: &str) -> Option<(Self, &str)> {
        let path = path.trim_matches('/');
        if path.is_empty() {
            return Some((Self::Page, path));
        }
        let path = path.strip_prefix("master/").unwrap_or(path);
        let fits = |parts: &[&str]| {
            let mut rest = Some(path);
            for part in parts {
                let (first, behind) = next(rest?);
                if first != *part && first.strip_suffix(".json") != Some(part) {
                    return None;
                }
                rest = behind;
            }
            Some(rest.unwrap_or_default())
        };
        let found = PATHS.iter().filter_map(|(parts, route)| Some((parts.len(), *route, fits(parts)?)));
        found.max_by_key(|(length, ..)| *length).map(|(_, route, rest)| (route, rest))
    }

    /// Whether every master answers this by itself, and not the leading one alone.
    #[must_use]
    pub fn is_of_every_master(self) -> bool {
        matches!(self, Self::Health | Self::Version | Self::Flags | Self::Metrics)
    }
}

/// The first part of a path, and what is behind it.
fn next(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((first, rest)) => (first, Some(rest.trim_start_matches('/'))),
        None => (path, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_that_is_known_counts() {
        for (path, route, rest) in [
            ("/state", Route::State, ""),
            ("/master/state", Route::State, ""),
            ("/master/state.json", Route::State, ""),
            ("/master/frameworks/", Route::Frameworks, ""),
            ("/api/v1", Route::Operator, ""),
            ("/api/v1/operator", Route::Operator, "operator"),
            ("/master/api/v1/scheduler", Route::Scheduler, ""),
            ("//api//v1//", Route::Operator, ""),
            ("/api/v1/scheduler/x", Route::Scheduler, "x"),
            ("/quota/eng/web", Route::Quota, "eng/web"),
            ("/files/read.json", Route::FilesRead, ""),
            ("/", Route::Page, ""),
            ("/pages/agents", Route::Page, "agents"),
        ] {
            assert_eq!(Route::of(path), Some((route, rest)), "{path}");
        }
        for path in ["/master", "/api", "/states", "/metrics", "/master/master/state"] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }
}
