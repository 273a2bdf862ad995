//! [`WireError`]: why bytes are no message.

/// Why bytes are no message. The words are Mesos's own where clients may look at them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// It is no JSON.
    #[error("Failed to parse body into JSON: {0}")]
    NoJson(String),
    /// It is JSON, but does not fit the message.
    #[error("Failed to convert JSON into {message} protobuf: {reason}")]
    Unfit {
        /// Which message.
        message: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// It is no protobuf, or lacks a field.
    #[error("Failed to parse body into {message} protobuf: {reason}")]
    NoProtobuf {
        /// Which message.
        message: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A record is larger than may be, or its length is no number.
    #[error("the stream is not RecordIO: {0}")]
    NoRecord(String),
}
