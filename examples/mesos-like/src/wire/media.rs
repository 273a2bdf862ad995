//! [`MediaType`]: the two forms of a message.

use bytes::Bytes;

use super::describe::Described;
use super::error::WireError;
use super::{from_json, required, to_json};

/// A message in both forms.
pub trait Message: prost::Message + Default + Described + Sized {}

impl<T: prost::Message + Default + Described> Message for T {}

/// The form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// `application/json`
    Json,
    /// `application/x-protobuf`
    Protobuf,
}

impl MediaType {
    /// As headers name it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/x-protobuf",
        }
    }

    /// What a `Content-Type` means; parameters, which Mesos does not take, are passed over.
    #[must_use]
    pub fn of_content(header: &str) -> Option<Self> {
        let name = header.split(';').next().unwrap_or_default().trim();
        [Self::Json, Self::Protobuf].into_iter().find(|media| name.eq_ignore_ascii_case(media.text()))
    }

    /// What answers an `Accept`: JSON where there is a choice.
    #[must_use]
    pub fn accepted(header: Option<&str>) -> Option<Self> {
        let Some(header) = header else { return Some(Self::Json) };
        let allows = |media: Self| {
            header.split(',').any(|part| {
                let (name, parameters) = part.split_once(';').unwrap_or((part, ""));
                let refused = parameters
                    .split(';')
                    .any(|parameter| parameter.trim().strip_prefix("q=").is_some_and(|q| q.parse::<f32>() == Ok(0.0)));
                let name = name.trim();
                !refused && (name == "*/*" || name == "application/*" || name.eq_ignore_ascii_case(media.text()))
            })
        };
        [Self::Json, Self::Protobuf].into_iter().find(|media| allows(*media))
    }

    /// A message in this form: JSON in one line.
    #[must_use]
    pub fn encode<T: Message>(self, message: &T) -> Bytes {
        let bytes = message.encode_to_vec();
        match self {
            Self::Json => Bytes::from(to_json::write(&bytes, T::fields())),
            Self::Protobuf => Bytes::from(bytes),
        }
    }

    /// The message in these bytes; `name` is what errors call it.
    ///
    /// # Errors
    /// [`WireError`] if there is none.
    pub fn decode<T: Message>(self, bytes: &[u8], name: &'static str) -> Result<T, WireError> {
        let no_protobuf = |reason: String| WireError::NoProtobuf { message: name, reason };
        match self {
            Self::Json => {
                let bytes = from_json::read(bytes, T::fields(), name)?;
                T::decode(bytes.as_slice())
                    .map_err(|error| WireError::Unfit { message: name, reason: error.to_string() })
            }
            Self::Protobuf => {
                let message = T::decode(bytes).map_err(|error| no_protobuf(error.to_string()))?;
                required::check(bytes, T::fields()).map_err(no_protobuf)?;
                Ok(message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_answered_where_nothing_or_anything_is_accepted_and_nothing_where_neither_form_is() {
        let json = Some(MediaType::Json);
        assert_eq!(MediaType::accepted(None), json);
        assert_eq!(MediaType::accepted(Some("*/*")), json);
        assert_eq!(MediaType::accepted(Some("text/html, application/json;q=0.5")), json);
        assert_eq!(MediaType::accepted(Some("application/x-protobuf")), Some(MediaType::Protobuf));
        assert_eq!(MediaType::accepted(Some("application/json;q=0, */*")), json);
        assert_eq!(MediaType::accepted(Some("text/html")), None);
    }

    #[test]
    fn a_content_type_may_have_parameters() {
        assert_eq!(MediaType::of_content("application/json; charset=utf-8"), Some(MediaType::Json));
        assert_eq!(MediaType::of_content("application/recordio"), None);
    }
}
