//! Whether an app can be what it says.

use super::findings::Findings;
use crate::marathon::model::App;

/// Whether an app can be what it says.
pub(super) fn app(_app: &App, _findings: &mut Findings) {}

/// Whether an app can become another one.
pub(super) fn change(_from: &App, _to: &App, _findings: &mut Findings) {}
