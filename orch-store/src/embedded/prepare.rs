//! [`prepare`]: what can be done for a write before it is handed in.

use orch_core::store::{StoreError, Write};

use super::staging::Prepared;

/// Copies what others share, and makes the JSON.
pub(super) fn prepare(mut write: Write, limit: usize) -> Result<Prepared, StoreError> {
    let Write::Put { key, value, .. } = &mut write else { return Ok(Prepared { write, json: None }) };
    value.unshare();
    let json = value.encode()?;
    // The length stands in four bytes.
    let limit = limit.min(u32::MAX as usize);
    if json.len() > limit {
        return Err(StoreError::TooLarge { key: key.clone(), size: json.len(), limit });
    }
    if json.contains(&0) {
        let message = format!("{key} has a zero byte, which no JSON has");
        return Err(StoreError::Refused { message, source: None });
    }
    Ok(Prepared { write, json: Some(json) })
}
