//! Whether a message in protobuf has all the fields that it must have; `prost` fills them in without a word.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::describe::{Field, Kind, Presence};

/// How deep messages may be in each other.
pub(super) const DEPTH: usize = 64;

/// Names the fields that are missing.
pub(super) fn check(bytes: &[u8], fields: &[Field]) -> Result<(), String> {
    let mut missing = Vec::new();
    look(bytes, fields, "", DEPTH, &mut missing)?;
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!("Missing required fields: {}", missing.join(", "))),
    }
}

fn look(mut bytes: &[u8], fields: &[Field], path: &str, depth: usize, missing: &mut Vec<String>) -> Result<(), String> {
    if depth == 0 {
        return Err(format!("more than {DEPTH} messages in each other"));
    }
    let mut seen: Vec<u32> = Vec::new();
    while !bytes.is_empty() {
        let (number, wire) = decode_key(&mut bytes).map_err(|error| error.to_string())?;
        let field = fields.iter().find(|field| field.number == number);
        match (field.map(|field| (field, field.kind)), wire) {
            (Some((field, Kind::Message(inner))), WireType::LengthDelimited) => {
                let body = delimited(&mut bytes)?;
                // What a map says under a name is not looked into: no map of ours has required fields.
                if field.presence != Presence::Map {
                    look(body, inner(), &format!("{path}{}.", field.name), depth - 1, missing)?;
                }
            }
            _ => skip_field(wire, number, &mut bytes, DecodeContext::default()).map_err(|error| error.to_string())?,
        }
        seen.push(number);
    }
    let lacking = fields.iter().filter(|field| field.presence == Presence::Required && !seen.contains(&field.number));
    missing.extend(lacking.map(|field| format!("{path}{}", field.name)));
    Ok(())
}

/// The next bytes that say how many they are.
pub(super) fn delimited<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let length = decode_varint(bytes).map_err(|error| error.to_string())?;
    let length = usize::try_from(length).ok().filter(|length| *length <= bytes.len());
    let (body, rest) = bytes.split_at(length.ok_or("it ends too early")?);
    *bytes = rest;
    Ok(body)
}
