//! [`RawTerminal`]: the terminal passes on every key, and is as it was in the end.

use std::io::{IsTerminal as _, stdin};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// The terminal passes on every key as it is pressed, until this is dropped.
#[derive(Debug)]
pub(super) struct RawTerminal(Termios);

impl RawTerminal {
    /// `None` where standard input is no terminal.
    pub(super) fn enter() -> Option<Self> {
        let before = stdin().is_terminal().then(|| tcgetattr(stdin()).ok()).flatten()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // If the terminal is gone there is nothing to mend.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

/// The terminal's size as `COLUMNSxROWS`; an ordinary one where there is none.
pub(super) fn size() -> String {
    let size = tcgetwinsize(std::io::stdout()).ok().filter(|size| size.ws_col > 0);
    size.map_or_else(|| "80x24".to_owned(), |size| format!("{}x{}", size.ws_col, size.ws_row))
}
