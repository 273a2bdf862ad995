//! What only tables are told in, by a [`Writer`]: numbers of 32 bits, and text.

use crate::netlink::wire::Writer;

impl Writer {
    pub(super) fn number(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(super) fn text(&mut self, kind: u16, value: &str) {
        self.filled(kind, |bytes| {
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(0);
        });
    }

    pub(super) fn len(&self) -> usize {
        self.as_bytes().len()
    }
}
