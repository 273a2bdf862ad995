//! [`Table`]: rows under headings. On a narrow screen each row is a card.

use super::html::{Html, element};
use super::{Address, Query, link, muted};

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    heading: &'static str,
    is_number: bool,
}

impl Column {
    /// A column of words.
    #[must_use]
    pub fn text(heading: &'static str) -> Self {
        Self { heading, is_number: false }
    }

    /// A column of numbers.
    #[must_use]
    pub fn number(heading: &'static str) -> Self {
        Self { heading, is_number: true }
    }

    fn class(self) -> &'static str {
        if self.is_number { "number" } else { "words" }
    }
}

/// Rows under headings.
#[derive(Clone, Debug)]
pub struct Table<const N: usize> {
    columns: [Column; N],
    rows: Html,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    #[must_use]
    pub fn new(columns: [Column; N]) -> Self {
        Self { columns, rows: Html::default() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [Html; N]) {
        let cell = |(column, cell): (&Column, Html)| {
            let heading = element("td").class(column.class()).attribute("data-heading", column.heading);
            heading.add(element("div").add(cell))
        };
        let row = element("tr").add(self.columns.iter().zip(cells).map(cell).collect::<Html>());
        self.rows = std::mem::take(&mut self.rows).and(row);
    }

    /// The table; these words if it has no row.
    #[must_use]
    pub fn or(self, none: &str) -> Html {
        if self.rows.is_empty() {
            return element("p").class("none").add(none).into();
        }
        let heading =
            |column: &Column| element("th").class(column.class()).attribute("scope", "col").add(column.heading);
        let headings: Html = self.columns.iter().map(heading).collect();
        let table = element("table").add(element("thead").add(element("tr").add(headings)));
        element("div").class("wide").add(table.add(element("tbody").add(self.rows))).into()
    }
}

/// As many of a list as one page shows, from the one that the query names, and links to the others. It is remembered in the
/// address by this name; `here` is that of the page without it.
#[must_use]
pub fn paged<'a, T>(all: &'a [T], name: &'static str, here: &Address, query: &Query) -> (&'a [T], Html) {
    const MOST: usize = 200;
    let from = query.get(name).and_then(|from| from.parse().ok()).filter(|from| *from < all.len()).unwrap_or(0);
    let shown = all.get(from..).unwrap_or_default();
    let shown = shown.get(..MOST).unwrap_or(shown);
    if shown.len() == all.len() {
        return (shown, Html::default());
    }
    let to = |from: usize| here.clone().with(name, &from.to_string());
    let mut line = muted(format!("{}–{} of {}", from + 1, from + shown.len(), all.len()));
    if from > 0 {
        line = line.and(" · ").and(link(&to(from.saturating_sub(MOST)), "those before"));
    }
    if from + shown.len() < all.len() {
        line = line.and(" · ").and(link(&to(from + shown.len()), "the next"));
    }
    (shown, element("p").add(line).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_shown_in_pages() {
        let all: Vec<usize> = (0..450).collect();
        let here = Address::here("/pages/tasks");
        let page = |query: &str| paged(&all, "from", &here, &Query::of(query));
        let (first, line) = page("");
        assert_eq!((first.first(), first.len()), (Some(&0), 200));
        assert!(line.as_str().contains("1–200 of 450") && line.as_str().contains("?from=200\""), "{}", line.as_str());
        assert!(!line.as_str().contains("before"));
        let (last, line) = page("from=400");
        assert_eq!((last.first(), last.len()), (Some(&400), 50));
        assert!(line.as_str().contains("?from=200\"") && !line.as_str().contains("next"));
        for odd in ["from=-1", "from=x", "from=450", "from=99999999999999999999999"] {
            assert_eq!(page(odd).0.first(), Some(&0), "{odd}");
        }
        assert!(paged(&all[..9], "from", &here, &Query::of("")).1.is_empty());
    }
}
