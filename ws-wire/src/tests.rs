use super::*;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[test]
fn the_examples_of_rfc_6455_section_5_7_are_written_and_read() {
    let hello = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(frame(0x81, b"Hello", None), hello);
    assert_eq!(frame(0x81, b"Hello", Some(KEY)), masked);
    assert_eq!(frame(0x01, b"Hel", None), [0x01, 0x03, 0x48, 0x65, 0x6c]);
    assert_eq!(frame(0x80, b"lo", None), [0x80, 0x02, 0x6c, 0x6f]);
    assert_eq!(header(0x82, 256, None), [0x82, 0x7e, 0x01, 0x00]);
    assert_eq!(header(0x82, 65536, None), [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    for (bytes, key) in [(&hello[..], None), (&masked[..], Some(KEY))] {
        let mut rest = bytes;
        let (header, payload) = take(&mut rest).unwrap();
        assert_eq!(
            (header.first(), header.mask, header.length, payload.as_slice()),
            (0x81, key, 5, &b"Hello"[..])
        );
        assert!(rest.is_empty());
    }
}

#[test]
fn a_frame_that_is_cut_off_anywhere_is_incomplete() {
    for length in [0, 125, 126, 65535, 65536] {
        let bytes = frame(0x82, &vec![b'x'; length], Some([1, 2, 3, 4]));
        let (header, size) = Header::read(&bytes).unwrap();
        assert_eq!((header.length, size + length), (length as u64, bytes.len()));
        assert!((0..size).all(|cut| Header::read(&bytes[..cut]).is_none()));
        let mut cut = &bytes[..bytes.len() - 1];
        assert_eq!((take(&mut cut), cut.len()), (None, bytes.len() - 1));
    }
}

#[test]
fn a_length_that_is_not_minimal_is_detected() {
    let minimal = |bytes: &[u8]| Header::read(bytes).unwrap().0.minimal;
    assert!(!minimal(&[0x82, 126, 0, 125]) && minimal(&[0x82, 126, 0, 126]));
    assert!(!minimal(&[0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255]));
    assert!(minimal(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]));
}

#[test]
fn the_first_byte_is_divided_and_composed() {
    for byte in 0..=255 {
        assert_eq!(Header::read(&[byte, 0]).unwrap().0.first(), byte);
    }
    let header = |first| Header::read(&[first, 0]).unwrap().0;
    assert_eq!((header(0xc1).fin, header(0xc1).rsv, header(0xc1).opcode), (true, 4, 1));
    assert_eq!((header(0x3a).fin, header(0x3a).rsv, header(0x3a).opcode), (false, 3, 10));
    assert!(header(0x3a).is_control() && !header(0x82).is_control());
}

#[test]
fn masking_twice_restores_the_payload() {
    let plain: Vec<u8> = (0..37).collect();
    let mut bytes = plain.clone();
    apply_mask(&mut bytes, [9, 8, 7, 6]);
    assert_eq!(bytes[..5], [9, 9, 5, 5, 13]);
    apply_mask(&mut bytes, [9, 8, 7, 6]);
    assert_eq!(bytes, plain);
}
