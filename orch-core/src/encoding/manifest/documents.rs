//! A YAML stream cut into its documents, so that an error in one does not hide those in the others.

/// A document with something in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document<'a> {
    /// Its number in the stream, from 1; empty documents count.
    pub(super) number: usize,
    /// How many lines stand before `text`.
    pub(super) lines_before: usize,
    /// The line, from 1, of the first line with something in it.
    pub(super) line: usize,
    /// The document with the marker that begins it.
    pub(super) text: &'a str,
}

/// Cuts at each line that begins with `---` or `...` and then white space or nothing. No such line can be part of a
/// document, not even inside of quotes or a block of text (YAML 1.2.2, productions 205 to 207).
pub(super) fn split(text: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let (mut number, mut start, mut start_line) = (1, 0, 0);
    let (mut has_marker, mut content_line) = (false, None);
    let (mut offset, mut line) = (0, 0);
    let mut cut = |number, range: std::ops::Range<usize>, lines_before, content_line: Option<usize>| {
        if let Some(line) = content_line {
            documents.push(Document { number, lines_before, line: line + 1, text: &text[range] });
        }
    };
    for row in text.split_inclusive('\n') {
        let marker = marker(row);
        // What stands before the first marker of a document and is no content belongs to that document: directives.
        if marker == Some(Marker::Begin) && (has_marker || content_line.is_some()) {
            cut(number, start..offset, start_line, content_line);
            (number, start, start_line, has_marker, content_line) = (number + 1, offset, line, false, None);
        }
        match marker {
            Some(Marker::Begin) => {
                has_marker = true;
                if is_content(&row[3..]) {
                    content_line = Some(line);
                }
            }
            Some(Marker::End) => {}
            None if content_line.is_none() && is_content(row) && !row.starts_with('%') => content_line = Some(line),
            None => {}
        }
        offset += row.len();
        line += 1;
        if marker == Some(Marker::End) && (has_marker || content_line.is_some()) {
            cut(number, start..offset, start_line, content_line);
            (number, start, start_line, has_marker, content_line) = (number + 1, offset, line, false, None);
        }
    }
    // Directives without a document are a mistake that the parser explains.
    let directive = text[start..].lines().position(|row| row.starts_with('%')).filter(|_| !has_marker);
    cut(number, start..offset, start_line, content_line.or(directive.map(|row| start_line + row)));
    documents
}

#[derive(PartialEq, Eq)]
enum Marker {
    Begin,
    End,
}

fn marker(row: &str) -> Option<Marker> {
    let row = row.trim_start_matches('\u{FEFF}');
    let (head, rest) = row.split_at_checked(3)?;
    let ends = rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']);
    match head {
        "---" if ends => Some(Marker::Begin),
        "..." if ends => Some(Marker::End),
        _ => None,
    }
}

fn is_content(row: &str) -> bool {
    let row = row.trim_start_matches('\u{FEFF}').trim();
    !row.is_empty() && !row.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_numbered_and_know_their_lines() {
        let found = |text| -> Vec<(usize, usize, usize, &str)> {
            split(text).into_iter().map(|d| (d.number, d.lines_before, d.line, d.text)).collect()
        };
        assert_eq!(found(""), []);
        assert_eq!(found("---\n---\n# nothing\n"), []);
        assert_eq!(found("a: 1"), [(1, 0, 1, "a: 1")]);
        assert_eq!(
            found("# top\n---\na: 1\n---\n\nb: 1\n"),
            [(1, 0, 3, "# top\n---\na: 1\n"), (2, 3, 6, "---\n\nb: 1\n")]
        );
        assert_eq!(found("a: 1\r\n---\r\n---\r\nb: 1"), [(1, 0, 1, "a: 1\r\n"), (3, 2, 4, "---\r\nb: 1")]);
        assert_eq!(
            found("%YAML 1.2\n--- {a: 1}\n...\nb: 1\n"),
            [(1, 0, 2, "%YAML 1.2\n--- {a: 1}\n...\n"), (2, 3, 4, "b: 1\n")]
        );
        assert_eq!(found("a: |\n  ---\n  x\n----\n"), [(1, 0, 1, "a: |\n  ---\n  x\n----\n")]);
    }
}
