//! How instances are replaced, and those with disks above all.

use super::super::findings::Findings;
use crate::marathon::model::{App, Unreachable};

pub(super) fn check(app: &App, findings: &mut Findings) {
    if let Unreachable::Replaced { inactive_after_seconds, expunge_after_seconds } = app.unreachable_strategy
        && inactive_after_seconds > expunge_after_seconds
    {
        let message = format!(
            "an instance would be given up after {expunge_after_seconds} seconds, before it is replaced after \
             {inactive_after_seconds}"
        );
        findings.add("/unreachableStrategy/inactiveAfterSeconds", message);
    }
    if !findings.have_read(&["container", "residency", "unreachableStrategy"]) {
        return;
    }
    if app.residency.is_some() && !app.is_resident() {
        let message =
            "the app has no disks that outlive instances: leave it out, or set `container.volumes` with `persistent`";
        findings.add("/residency", message);
    }
    if app.is_resident() && matches!(app.unreachable_strategy, Unreachable::Replaced { .. }) {
        let message = "instances with disks are waited for, as their data is where they are: set it to \"disabled\"";
        findings.add("/unreachableStrategy", message);
    }
}
