//! What is in an archive, put beside it.

use std::path::Path;

use tokio::process::Command;

use super::super::containers::Account;
use super::run;

/// Extracts an archive, which its name tells, into the folder in which it is. Anything else is left as it is.
pub(super) async fn extract(folder: &Path, name: &Path, account: Option<&Account>) -> Result<(), String> {
    let Some(mut command) = name.to_str().and_then(program) else { return Ok(()) };
    command.arg(folder.join(name)).current_dir(folder);
    run(command, account).await.map_err(|why| format!("it cannot be extracted: {why}"))
}

/// The program that extracts archives of such a name; it is told the path at the end. None of them follows a path or a
/// link out of the folder.
fn program(name: &str) -> Option<Command> {
    const TAR: [&str; 7] = [".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz"];
    let (program, arguments): (&str, &[&str]) = match name {
        _ if TAR.iter().any(|end| name.ends_with(end)) => ("tar", &["--no-same-owner", "-xf"]),
        _ if name.ends_with(".zip") => ("unzip", &["-o", "-q"]),
        _ if name.ends_with(".gz") => ("gzip", &["-d", "-f"]),
        _ => return None,
    };
    let mut command = Command::new(program);
    command.args(arguments);
    Some(command)
}
