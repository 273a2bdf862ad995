//! Lines that stay, and on a terminal a table below them that is drawn anew.

use std::io::{self, IsTerminal as _, Write as _};

/// Standard output: a log of lines, and on a terminal a table that always stands below the last line.
#[derive(Debug)]
pub(super) struct Screen {
    is_terminal: bool,
    drawn: usize,
}

impl Screen {
    /// Standard output as it is.
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stdout().is_terminal(), drawn: 0 }
    }

    /// Writes `lines` for good, and draws `table` below them where there is a terminal. A closed output is ignored: the
    /// cluster does not depend on who looks at it.
    pub(super) fn show(&mut self, lines: &[String], table: &[String]) {
        let mut text = String::new();
        if self.drawn > 0 {
            // Up to the first line of the table, and clear from there to the end of the screen.
            text.push_str(&format!("\x1b[{}A\x1b[J", self.drawn));
        }
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        self.drawn = 0;
        if self.is_terminal && !table.is_empty() {
            // On a narrow terminal a line is cut, not broken in two: each must be one row, or too few are cleared.
            text.push_str("\x1b[?7l");
            for line in table {
                text.push_str(line);
                text.push('\n');
            }
            text.push_str("\x1b[?7h");
            self.drawn = table.len();
        }
        let mut output = io::stdout().lock();
        let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    }
}

/// The text without what could command a terminal: names and messages come from manifests and programs.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
