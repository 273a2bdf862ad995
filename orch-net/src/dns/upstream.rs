//! Questions to other name servers, and what comes back. Pure.

use domain::base::iana::{OptRcode, Rcode};
use domain::base::{Header, MessageBuilder, Name};

use super::answer;
use super::authority::ROOM_UDP;
use super::question::{HEADER, Question, name_end};

/// What an incoming message is to a question that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its answer.
    Answer,
    /// The statement that it was not understood.
    Failure,
    /// Something else.
    Stranger,
}

/// The name in a mixture of upper and lower case, and not all in lower case if that can be helped.
pub(super) fn disguise(name: &[u8], mut chance: impl FnMut() -> u64) -> Vec<u8> {
    // The lengths of labels are less than any letter.
    let mut name = name.to_ascii_lowercase();
    let mut letters = name.iter_mut().filter(|byte| byte.is_ascii_lowercase()).peekable();
    let mut has_upper = false;
    while letters.peek().is_some() {
        let bits = chance();
        for (index, letter) in letters.by_ref().take(64).enumerate() {
            if bits >> index & 1 == 1 {
                letter.make_ascii_uppercase();
                has_upper = true;
            }
        }
    }
    if !has_upper && let Some(first) = name.iter_mut().find(|byte| byte.is_ascii_lowercase()) {
        first.make_ascii_uppercase();
    }
    name
}

/// The question as it is sent to another server: for `name`, which is the question's own but for the case.
pub(super) fn query(question: &Question<'_>, name: &[u8], id: u16) -> Option<Vec<u8>> {
    let mut query = MessageBuilder::from_target(Vec::new()).ok()?;
    query.header_mut().set_id(id);
    query.header_mut().set_rd(true);
    let mut query = query.question();
    query.push((Name::from_slice(name).ok()?, question.rtype, question.class)).ok()?;
    let mut query = query.additional();
    if let Some(edns) = question.edns {
        let opt = query.opt(|opt| {
            opt.set_udp_payload_size(u16::try_from(ROOM_UDP).unwrap_or(u16::MAX));
            opt.set_dnssec_ok(edns.signatures);
            Ok(())
        });
        opt.ok()?;
    }
    Some(query.finish())
}

/// What `message` is to `query`, which is a question as this server writes it.
pub(super) fn judge(message: &[u8], query: &[u8]) -> Verdict {
    let (Some(end), Some(head)) = (name_end(query), message.get(..HEADER)) else { return Verdict::Stranger };
    let header = Header::for_message_slice(head);
    let count = u16::from_be_bytes([head[4], head[5]]);
    if head[..2] != query[..2] || !header.qr() {
        return Verdict::Stranger;
    }
    if count == 0 && header.rcode() != Rcode::NOERROR {
        return Verdict::Failure;
    }
    let part = |range: std::ops::Range<usize>| (message.get(range.clone()), query.get(range));
    let same_name = matches!(part(HEADER..end), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b));
    let same_type = matches!(part(end..end + 4), (Some(a), Some(b)) if a == b);
    if count == 1 && same_name && same_type { Verdict::Answer } else { Verdict::Stranger }
}

/// Whether no other server need be asked. One that fails or refuses may be the only one that does.
pub(super) fn is_final(answer: &[u8]) -> bool {
    let Some(head) = answer.get(..HEADER) else { return false };
    matches!(Header::for_message_slice(head).rcode(), Rcode::NOERROR | Rcode::NXDOMAIN)
}

/// The answer of another server as the answer to `question`.
pub(super) fn give_back(question: &Question<'_>, mut answer: Vec<u8>, room: usize) -> Option<Vec<u8>> {
    if answer.len() > room {
        return answer::without_records(question, OptRcode::NOERROR, true, room);
    }
    let header = Header::for_message_slice_mut(answer.get_mut(..HEADER)?);
    header.set_id(question.id);
    header.set_rd(question.recursion);
    header.set_ra(true);
    header.set_aa(false);
    let name = question.name.as_slice();
    answer.get_mut(HEADER..HEADER + name.len())?.copy_from_slice(name);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::question;

    const ASKED: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03Www\x07example\0\0\x41\0\x01";

    fn answered(query: &[u8]) -> Vec<u8> {
        let mut answer = query.to_vec();
        answer[2] |= 0x80;
        answer
    }

    #[test]
    fn only_the_answer_to_the_very_question_is_heard() {
        let question = question::read(ASKED).expect("a question");
        let name = disguise(question.name.as_slice(), || 0b1010);
        let sent = query(&question, &name, 7).expect("a question");
        let answer = answered(&sent);
        assert_eq!(judge(&answer, &sent), Verdict::Answer);
        assert_eq!(judge(&sent, &sent), Verdict::Stranger, "a question is no answer");
        for byte in [0, 1, 13, 16, answer.len() - 4, answer.len() - 3, answer.len() - 1] {
            let mut forged = answer.clone();
            forged[byte] ^= 0x02;
            assert_eq!(judge(&forged, &sent), Verdict::Stranger, "byte {byte}");
        }
        // Of types, unlike names, the case counts: HTTPS is 65, and 97 is another one.
        let mut forged = answer.clone();
        forged[answer.len() - 3] ^= 0x20;
        assert_eq!(judge(&forged, &sent), Verdict::Stranger);
        for length in 0..answer.len() {
            assert_eq!(judge(&answer[..length], &sent), Verdict::Stranger, "{length}");
        }
    }

    #[test]
    fn an_answer_goes_back_as_the_client_asked() {
        let question = question::read(ASKED).expect("a question");
        let sent = query(&question, &disguise(question.name.as_slice(), || 0b1010), 7).expect("a question");
        let given = give_back(&question, answered(&sent), 512).expect("an answer");
        assert_eq!(given[..2], ASKED[..2]);
        assert_eq!(given[HEADER..], ASKED[HEADER..]);
        let short = give_back(&question, [answered(&sent), vec![0; 600]].concat(), 512).expect("an answer");
        assert!(Header::for_message_slice(&short).tc() && short.len() <= 512);
    }

    #[test]
    fn a_name_is_disguised_in_case_only() {
        for bits in [0, 1, u64::MAX, 0x5555] {
            let name = disguise(b"\x03wWw\x07example\0", || bits);
            assert!(name.eq_ignore_ascii_case(b"\x03www\x07example\0"));
            assert!(name.iter().any(u8::is_ascii_uppercase), "{bits:x}");
        }
        assert_eq!(disguise(b"\x011\0", || 0), b"\x011\0");
    }
}
