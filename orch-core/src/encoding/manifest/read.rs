//! [`Kinds::read`]: a manifest's text to objects, or to all that is wrong with it.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::IgnoredAny;

use super::documents::{self, Document};
use super::error::{ManifestError, ManifestErrors, ManifestProblem};
use super::kinds::{Entry, Kinds, Source};
use super::list::Items;
use crate::encoding::error::{DecodeError, Place};
use crate::encoding::type_meta::Header;
use crate::encoding::{MANIFEST_BYTES_MAX, check_size, json, yaml};
use crate::key::{Key, KeyError};
use crate::kind::{AnyObject, Scope};
use crate::object::validate_metadata;
use crate::validation::Problems;

/// Most documents in one manifest.
const DOCUMENTS_MAX: usize = 1000;
/// Most errors in one answer: nobody mends more at a time, and each may cost a reading of its document.
const ERRORS_MAX: usize = 50;

/// An object of a manifest.
#[derive(Clone, Debug)]
pub struct ManifestObject {
    /// The number of the document that it stands in, from 1.
    pub document: usize,
    /// The line on which that document begins, from 1.
    pub line: usize,
    /// The object.
    pub object: Arc<dyn AnyObject>,
}

impl Kinds {
    /// Reads a manifest: YAML of any number of documents, or JSON; each an object or a `v1 List` of objects. Every
    /// object is validated. Empty documents are passed over.
    ///
    /// # Errors
    /// [`ManifestErrors`]: what is wrong with any of the documents, up to 50 errors.
    pub fn read(&self, text: &str) -> Result<Vec<ManifestObject>, ManifestErrors> {
        let mut reading =
            Reading { kinds: self, objects: Vec::new(), first_lines: BTreeMap::new(), errors: Vec::new() };
        reading.manifest(text);
        if reading.errors.is_empty() { Ok(reading.objects) } else { Err(ManifestErrors { errors: reading.errors }) }
    }
}

/// A manifest half read.
struct Reading<'a> {
    kinds: &'a Kinds,
    objects: Vec<ManifestObject>,
    first_lines: BTreeMap<Key, usize>,
    errors: Vec<ManifestError>,
}

impl Reading<'_> {
    fn manifest(&mut self, text: &str) {
        let whole = Document { number: 1, lines_before: 0, line: 1, text };
        if let Err(error) = check_size(text.as_bytes(), MANIFEST_BYTES_MAX) {
            return self.decode_error(&whole, error);
        }
        // What begins like JSON may be YAML all the same; what is JSON has rules of its own, such as its escapes.
        if text.trim_start().starts_with('{') && json::read(text.as_bytes(), PhantomData::<IgnoredAny>).is_ok() {
            return match json::check_keys(text.as_bytes()) {
                Ok(()) => self.document(&whole, Source::Json(text)),
                Err(error) => self.decode_error(&whole, error),
            };
        }
        for (count, document) in documents::split(text).iter().enumerate() {
            if count == DOCUMENTS_MAX {
                return self.error(document, None, ManifestProblem::TooManyDocuments { limit: DOCUMENTS_MAX });
            }
            if self.is_full() {
                return;
            }
            self.document(document, Source::Yaml(document.text));
        }
    }

    fn document(&mut self, document: &Document<'_>, source: Source<'_>) {
        let header = match source {
            Source::Json(text) => json::read(text.as_bytes(), PhantomData::<Header>),
            Source::Yaml(text) => yaml::read(text, PhantomData::<Header>),
        };
        match header {
            Err(error) => self.decode_error(document, error),
            Ok(header) if header.is_null => {}
            Ok(header) if header.api_version.as_deref() == Some("v1") && header.kind.as_deref() == Some("List") => {
                self.list(document, source, &header.items);
            }
            Ok(header) => {
                let read = self.entry(document, &header, "").and_then(|entry| (entry.read)(source));
                match read {
                    Ok(object) => self.object(document, object),
                    Err(error) => self.decode_error(document, error),
                }
            }
        }
    }

    /// The kind that a header names. Lines in errors are relative to the document, as the parsers' are.
    fn entry(&self, document: &Document<'_>, header: &Header, path: &str) -> Result<Entry, DecodeError> {
        let line = document.line - document.lines_before;
        let place = Place { path: path.to_owned(), line, column: 0 };
        match (&header.api_version, &header.kind) {
            (Some(api_version), Some(kind)) => self.kinds.find(api_version, kind, place).copied(),
            (api_version, kind) => {
                let missing = match (api_version, kind) {
                    _ if !header.is_object => "expected an object with apiVersion and kind",
                    (None, None) => "missing fields apiVersion and kind",
                    (None, _) => "missing field apiVersion",
                    _ => "missing field kind",
                };
                let example = self.kinds.iter().next().map_or(String::new(), |kind| {
                    format!(", for example apiVersion: {} and kind: {}", kind.api_version, kind.name)
                });
                Err(DecodeError::Invalid { place, message: format!("{missing}{example}") })
            }
        }
    }

    fn list(&mut self, document: &Document<'_>, source: Source<'_>, headers: &[Header]) {
        let entries: Vec<Option<Entry>> = (headers.iter().enumerate())
            .map(|(index, header)| match self.entry(document, header, &format!("items[{index}]")) {
                Ok(entry) => Some(entry),
                Err(error) => {
                    self.decode_error(document, error);
                    None
                }
            })
            .collect();
        let mut read = Vec::new();
        for own in &self.kinds.entries {
            let is_own = |entry: &Option<Entry>| entry.is_some_and(|entry| entry.kind == own.kind);
            let items = Items::new(entries.iter().map(is_own).collect());
            let mut left = entries.iter().any(is_own);
            while left {
                match (own.read_items)(source, &items) {
                    Ok(()) => break,
                    Err(error) => self.decode_error(document, error),
                }
                left = !self.is_full() && items.pass_over_failed();
            }
            read.append(&mut items.into_read());
        }
        read.sort_by_key(|(index, _)| *index);
        for (_, object) in read {
            self.object(document, object);
        }
    }

    fn object(&mut self, document: &Document<'_>, mut object: Arc<dyn AnyObject>) {
        let namespaced = object.kind().scope == Scope::Namespaced;
        if let (true, Some(metadata)) = (namespaced, Arc::get_mut(&mut object).map(|object| object.metadata_mut()))
            && metadata.namespace.is_none()
        {
            metadata.namespace.clone_from(&self.kinds.namespace);
        }
        let name = Some(format!("{} {}", object.kind().name, object.metadata().name).trim_end().to_owned());
        match object.key() {
            // The rules of metadata, below, say it by the field.
            Err(KeyError::NotAName { .. }) => {}
            Err(error) => self.error(document, name.clone(), ManifestProblem::Key(error)),
            Ok(key) => match self.first_lines.get(&key) {
                Some(&first_line) => {
                    self.error(document, name.clone(), ManifestProblem::Duplicate { key, first_line });
                }
                None => drop(self.first_lines.insert(key, document.line)),
            },
        }
        let mut problems = Problems::default();
        problems.field("metadata", |problems| validate_metadata(object.metadata(), problems));
        object.validate(&mut problems);
        for problem in problems.into_result().err().into_iter().flat_map(|invalid| invalid.problems) {
            self.error(document, name.clone(), ManifestProblem::Invalid(problem));
        }
        self.objects.push(ManifestObject { document: document.number, line: document.line, object });
    }

    fn decode_error(&mut self, document: &Document<'_>, error: DecodeError) {
        self.error(document, None, ManifestProblem::Decode(error.after_lines(document.lines_before, document.line)));
    }

    fn is_full(&self) -> bool {
        self.errors.len() > ERRORS_MAX
    }

    fn error(&mut self, document: &Document<'_>, object: Option<String>, problem: ManifestProblem) {
        if self.is_full() {
            return;
        }
        let is_last = self.errors.len() == ERRORS_MAX;
        let (object, problem) = if is_last { (None, ManifestProblem::MoreErrors) } else { (object, problem) };
        let line = match &problem {
            ManifestProblem::Decode(error) => error.place().map(|place| place.line).filter(|line| *line > 0),
            _ => None,
        };
        let line = line.unwrap_or(document.line);
        self.errors.push(ManifestError { document: document.number, line, object, problem });
    }
}
