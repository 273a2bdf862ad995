//! `k8s-like logs`

use std::fmt::Write as _;
use std::process::ExitCode;

use http_body_util::BodyExt as _;
use tokio::io::AsyncWriteExt as _;

use super::Where;
use crate::api::{ApiError, escaped};
use crate::cli::Logs;

/// Shows what a container wrote.
pub(crate) async fn logs(options: Logs) -> Result<ExitCode, ApiError> {
    let Logs { at, pod, container, follow, tail, since, previous, timestamps } = options;
    let mut path = path(&at, "containerLogs", &pod, container.as_deref());
    let mut mark = '?';
    let numbers = [("tailLines", tail.map(|lines| lines.to_string())), ("sinceSeconds", since.map(|s| s.to_string()))];
    let flags = [("follow", follow), ("previous", previous), ("timestamps", timestamps)];
    let flags = flags.into_iter().filter(|(_, on)| *on).map(|(name, _)| (name, Some("true".to_owned())));
    for (name, value) in numbers.into_iter().chain(flags) {
        let Some(value) = value else { continue };
        // Writing to a string does not fail.
        let _ = write!(path, "{mark}{name}={value}");
        mark = '&';
    }
    let mut output = at.cluster()?.stream(&path).await?;
    let mut out = tokio::io::stdout();
    while let Some(piece) = output.frame().await {
        let piece = piece.map_err(|error| ApiError(format!("the output broke off: {error}")))?;
        // Whoever reads it may have had enough: `k8s-like logs … | head`.
        if let Ok(data) = piece.into_data()
            && out.write_all(&data).await.is_err()
        {
            break;
        }
    }
    let _ = out.flush().await;
    Ok(ExitCode::SUCCESS)
}

/// The path of what is asked about a container.
pub(super) fn path(at: &Where, what: &str, pod: &str, container: Option<&str>) -> String {
    // People write what `kubectl get` printed.
    let pod = pod.strip_prefix("pod/").unwrap_or(pod);
    format!("/{what}/{}/{}/{}", escaped(&at.namespace), escaped(pod), escaped(container.unwrap_or("-")))
}
