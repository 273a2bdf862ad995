//! What only tables ask of a [`Client`]: transactions, and the generation of all tables.

use nix::errno::Errno;

use super::batch::{Finished, TABLES};
use crate::netlink::wire::{Header, Writer, find};
use crate::netlink::{Client, REQUEST, Refusal, outcome};

const GET_GENERATION: u16 = 16;
const GENERATION_ID: u16 = 1;

impl Client {
    /// Does a transaction.
    pub(super) fn transact(&self, batch: &Finished) -> Result<(), Refusal> {
        self.send(&batch.bytes).map_err(|errno| Refusal::new("send a transaction", errno))?;
        let (mut refusal, mut acknowledged) = (None, 0);
        self.answers(|message| {
            if let Some((errno, sequence)) = outcome(&message) {
                match errno {
                    None => acknowledged += 1,
                    Some(errno) => {
                        refusal.get_or_insert(Refusal::new(batch.deed(sequence), errno));
                    }
                }
            }
            true
        })?;
        match refusal {
            Some(refusal) => Err(refusal),
            None if acknowledged == 0 => Err(Refusal::new("hear what became of a transaction", Errno::ENOBUFS)),
            None => Ok(()),
        }
    }

    /// The number of the last transaction of anybody in this network.
    pub(super) fn generation(&self) -> Result<u32, Refusal> {
        let mut writer = Writer::default();
        let kind = TABLES << 8 | GET_GENERATION;
        writer.message(Header { kind, flags: REQUEST, sequence: 1, family: 0, resource: 0 }, |_| {});
        let failed = |errno| Refusal::new("ask for the generation of the tables", errno);
        self.send(&writer).map_err(failed)?;
        let mut generation = Err(failed(Errno::ENOBUFS));
        self.answers(|message| {
            match outcome(&message) {
                Some((Some(errno), _)) => generation = Err(failed(errno)),
                Some((None, _)) => {}
                None => {
                    let id = find(message.attributes(), &[GENERATION_ID]);
                    if let Some(id) = id.and_then(|id| id.first_chunk()) {
                        generation = Ok(u32::from_be_bytes(*id));
                    }
                }
            }
            true
        })?;
        generation
    }
}
