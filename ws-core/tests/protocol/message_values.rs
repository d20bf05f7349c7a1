//! Messages and their bytes as values: what they are made from, and what they give.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use ws_core::{Binary, DataType, Message, Utf8Bytes};

#[test]
fn a_message_has_a_type_a_length_and_a_payload() {
    let (text, binary) = (Message::text("größe"), Message::binary(vec![0, 0xFF]));
    assert_eq!((text.data_type(), text.len(), text.is_empty()), (DataType::Text, 7, false));
    assert_eq!((text.as_text(), text.as_bytes()), (Some("größe"), "größe".as_bytes()));
    assert_eq!((binary.data_type(), binary.len(), binary.is_empty()), (DataType::Binary, 2, false));
    assert_eq!((binary.as_text(), binary.as_bytes()), (None, &[0, 0xFF][..]));
    assert!(Message::text("").is_empty() && Message::binary(Vec::new()).is_empty());
    assert_eq!((text.is_text(), text.is_binary()), (true, false));
    assert_eq!((binary.is_text(), binary.is_binary()), (false, true));
    assert_eq!((text.clone().into_text().as_deref(), binary.into_text()), (Some("größe"), None));
    assert_eq!(text.into_bytes(), "größe");
}

#[test]
fn a_message_converts_from_every_common_type_of_text_and_bytes() {
    let text = Message::text("ab");
    for made in [
        Message::from("ab"),
        Message::from(String::from("ab")),
        Message::from(&String::from("ab")),
        Message::from(Box::<str>::from("ab")),
        Message::from(Cow::Borrowed("ab")),
        Message::from(Cow::<str>::Owned("ab".into())),
        Message::from(Utf8Bytes::from("ab")),
    ] {
        assert_eq!(made, text);
    }
    assert_eq!(Message::from('ß'), Message::text("ß"));
    let binary = Message::binary(vec![1, 2]);
    for made in [
        Message::from(&[1, 2][..]),
        Message::from(&[1, 2]),
        Message::from([1, 2]),
        Message::from(b"\x01\x02"),
        Message::from(vec![1, 2]),
        Message::from(&vec![1, 2]),
        Message::from(Box::<[u8]>::from([1, 2])),
        Message::from(Cow::Borrowed(&[1, 2][..])),
        Message::from(Cow::<[u8]>::Owned(vec![1, 2])),
        Message::from(BytesMut::from(&[1, 2][..])),
        Message::from(Bytes::from_static(&[1, 2])),
        Message::from(Binary::Lent(&[1, 2])),
    ] {
        assert_eq!(made, binary);
    }
    assert_ne!(Message::text("ab"), Message::binary("ab"));
}

#[test]
fn lent_and_owned_bytes_are_equal_where_they_are_the_same() {
    let (lent, owned) = (Binary::Lent(b"ab"), Binary::Owned(Bytes::from_static(b"ab")));
    assert_eq!(
        (lent.as_ref(), owned.as_ref(), &*lent, &*owned),
        (&b"ab"[..], &b"ab"[..], &b"ab"[..], &b"ab"[..])
    );
    assert_eq!(lent, owned);
    assert_ne!(lent, Binary::from(b"abc"));
    assert_ne!(owned, Binary::from(b"ax".to_vec()));
}

#[test]
fn owned_bytes_are_given_on_without_a_copy() {
    let bytes = Bytes::from(b"where they are".to_vec());
    let place = bytes.as_ptr();
    let given = Bytes::from(Binary::from(bytes));
    assert_eq!((given.as_ptr(), &*given), (place, &b"where they are"[..]));
    assert_eq!(Bytes::from(Binary::from(&b"lent"[..])), "lent");
}
