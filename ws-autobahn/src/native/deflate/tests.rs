//! Tests of the suite's compression.

use super::*;

const PLAIN: Direction = Direction { no_takeover: false, bits: 15 };

#[test]
fn messages_round_trip_with_every_window_with_and_without_takeover() {
    let data: Vec<u8> = (0..40_000u32).flat_map(|n| (n * n).to_string().into_bytes()).collect();
    for bits in 8..=15 {
        for no_takeover in [false, true] {
            let direction = Direction { no_takeover, bits };
            let (mut deflater, mut inflater) = (Deflater::new(direction), Inflater::new(direction));
            for message in [&data[..], b"", b"x", &data[7..], &data[..1000]] {
                let packed = deflater.message(message).unwrap();
                assert!(inflater.message(&packed, 1 << 20).unwrap() == message, "{direction:?}");
            }
        }
    }
}

#[test]
fn the_examples_of_rfc_7692_are_decompressed() {
    let mut inflater = Inflater::new(PLAIN);
    // Section 7.2.3.1, and 7.2.3.2 with the shared window.
    let first = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let second = [0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(inflater.message(&first, 10).unwrap(), b"Hello");
    assert_eq!(inflater.message(&second, 10).unwrap(), b"Hello");
    // Section 7.2.3.3: a block that is not compressed; 7.2.3.4: BFINAL.
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    assert_eq!(Inflater::new(PLAIN).message(&stored, 10).unwrap(), b"Hello");
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    assert_eq!(Inflater::new(PLAIN).message(&last, 10).unwrap(), b"Hello");
}

#[test]
fn a_bomb_and_garbage_are_refused() {
    let zeros = Deflater::new(PLAIN).message(&vec![0; 1 << 20]).unwrap();
    assert!(Inflater::new(PLAIN).message(&zeros, 1000).unwrap_err().contains("longer than 1000"));
    assert!(Inflater::new(PLAIN).message(&[0xff; 20], 1000).is_err());
}

#[test]
fn deflate_offers_are_encoded_parsed_and_accepted() {
    let full = Offer {
        server_no_takeover: true,
        server_bits: Some(9),
        client_no_takeover: true,
        client_can_limit: true,
    };
    let plain = Offer::default();
    let text = full.text();
    assert_eq!(Offer::parse_all(&[format!("{text}, x-other; a=1, permessage-deflate")]), [full, plain]);
    assert_eq!(Offer::parse_all(&["permessage-deflate; server_max_window_bits=08".to_owned()]), []);
    let demands = [Demand { no_takeover: true, bits: Some(9) }, Demand { no_takeover: true, bits: None }];
    let (answer, agreed) = Offer::accept(&[plain, full], &demands).unwrap();
    assert_eq!(
        answer,
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_no_context_takeover; \
         client_max_window_bits=9"
    );
    let nine = Direction { no_takeover: true, bits: 9 };
    assert_eq!(agreed, Agreed { server: nine, client: nine });
    assert_eq!(Agreed::parse(&[answer]).unwrap(), Some(agreed));
    assert_eq!(
        Offer::accept(&[plain], &demands).unwrap().0,
        "permessage-deflate; client_no_context_takeover"
    );
    assert_eq!(Offer::accept(&[plain], &demands[..1]), None);
    assert_eq!(Agreed::parse(&[]).unwrap(), None);
    assert!(Agreed::parse(&["x-other".to_owned()]).is_err());
}
