//! What is written is read again.

use super::*;

fn all() -> Vec<Envelope> {
    let at = Number { run: 3, number: 9 };
    let members = vec![("ada".into(), "Ada".into()), ("".into(), "é".into())];
    let beat = Beat {
        origin: 7,
        beat: 4,
        part: 1,
        is_last: true,
        goodbye: true,
        runs: 3,
        live: vec![("a/b".into(), at)],
        stored: vec![("c".into(), 4, 5)],
    };
    let presence = |note| Envelope::Presence { origin: 7, topic: "a".into(), note };
    vec![
        Envelope::Live { origin: 7, at, topic: "a/b".into(), message: Message::text("héllo") },
        Envelope::Live { origin: 7, at, topic: "a/b".into(), message: Message::binary(vec![]) },
        Envelope::Stored {
            topic: "a".into(),
            epoch: 4,
            offset: 5,
            record: Record { id: 1 << 100, message: Message::binary(vec![0, 255]) },
        },
        Envelope::Beat(beat),
        presence(Note::Digest { version: 2 }),
        presence(Note::Changes { base: 1, version: 2, set: members.clone(), gone: vec!["x".into()] }),
        presence(Note::Whole { version: 2, part: 1, is_last: false, members }),
        presence(Note::Ask { of: 7 }),
    ]
}

#[test]
fn what_servers_send_each_other_is_read_as_it_was_written() {
    for envelope in all() {
        assert_eq!(Envelope::decode(envelope.encode()), Some(envelope));
    }
    let record = Record { id: 5, message: Message::text("x") };
    assert_eq!(Record::decode(record.encode()), Some(record));
}

#[test]
fn what_is_cut_off_or_changed_in_an_envelope_is_refused_or_read_and_never_fails() {
    for envelope in all() {
        let encoded = envelope.encode();
        for length in 0..encoded.len() {
            let _ = Envelope::decode(encoded.slice(..length));
        }
        for place in 0..encoded.len() {
            for value in [0, 1, 2, 0x7f, 0xff] {
                let mut changed = encoded.to_vec();
                changed[place] = value;
                let _ = Envelope::decode(changed.into());
            }
        }
        let mut later = encoded.to_vec();
        later[0] = 2;
        assert_eq!(Envelope::decode(later.into()), None);
    }
}
