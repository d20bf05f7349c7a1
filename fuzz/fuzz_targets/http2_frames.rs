//! What a server makes of frames of HTTP/2 in any order: requests whole and malformed, DATA with frames of WebSockets and
//! without, padding, trailers, resets, windows, settings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_fuzz::Input;
use ws_fuzz::http2::{self, CONNECT, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, fields, frame};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let splits = input.splits();
    let mut bytes = Vec::new();
    let mut newest = 1;
    for _ in 0..MAX_FRAMES {
        if input.is_empty() {
            break;
        }
        one(&mut input, &mut newest, &mut bytes);
    }
    http2::check(&splits.cut(&bytes), true);
});

/// As many streams as a server allows, each with a handful.
const MAX_FRAMES: usize = 400;

/// Adds a frame, or what belongs together, as the input says. `newest` is the last stream that was opened; stream 1 is
/// left alone.
fn one(input: &mut Input<'_>, newest: &mut u32, bytes: &mut Vec<u8>) {
    let operation = input.byte() % 18;
    // A stream that is open, most of the time.
    let stream = newest.saturating_sub(2 * u32::from(input.byte() % 4)).max(3);
    let mut send = |kind, flags, stream, payload: &[u8]| bytes.extend(frame(kind, flags, stream, payload));
    match operation {
        0..=2 => {
            *newest += 2;
            send(HEADERS, END_HEADERS, *newest, &fields(&CONNECT));
        }
        3 => {
            // A field is left out, doubled, or has another value.
            *newest += 2;
            let mut request = CONNECT.to_vec();
            let at = usize::from(input.byte()) % request.len();
            match input.byte() % 4 {
                0 => _ = request.remove(at),
                1 => request.push(request[at]),
                _ => {
                    request[at].1 = input.pick(&["", "GET", "13", "/page", "a b", "connect-udp", "elsewhere"])
                }
            }
            send(HEADERS, END_HEADERS | input.pick(&[0, END_STREAM]), *newest, &fields(&request));
        }
        4 => {
            // The block is not literals.
            *newest += 2;
            let length = usize::from(input.byte());
            send(HEADERS, END_HEADERS, *newest, input.bytes(length));
        }
        5 => {
            // In pieces.
            *newest += 2;
            let block = fields(&CONNECT);
            let (one, two) = block.split_at(usize::from(input.byte()).min(block.len()));
            send(HEADERS, 0, *newest, one);
            send(9, END_HEADERS, *newest, two);
        }
        6..=8 => {
            // A frame of a WebSocket that is masked with zeros.
            let first = input.pick(&[0x81, 0x82, 0x01, 0x80, 0x00, 0x89, 0x8a, 0x88, 0xc1, 0x83]);
            let payload = input.bytes(usize::from(first & 7)).to_vec();
            let message = ws_wire::frame(first, &payload, Some([0; 4]));
            send(DATA, input.pick(&[0, 0, 0, END_STREAM]), stream, &message);
        }
        9 => {
            let length = usize::from(input.byte());
            send(DATA, input.pick(&[0, 0, 0, END_STREAM]), stream, input.bytes(length));
        }
        10 => {
            let (length, padding) = (usize::from(input.byte() % 20), input.byte());
            let data = [&[padding][..], input.bytes(length), &vec![0; padding.into()]].concat();
            send(DATA, PADDED, stream, &data);
        }
        11 => send(3, 0, stream, &[0, 0, 0, input.byte()]),
        12 => send(HEADERS, END_HEADERS | input.pick(&[END_STREAM, 0]), stream, &fields(&[("x", "trailer")])),
        13 => {
            let more = input.pick(&[1_u32, 0, 100, 65_535, 1 << 20]);
            send(8, 0, input.pick(&[0, stream]), &more.to_be_bytes());
        }
        14 => {
            // SETTINGS_INITIAL_WINDOW_SIZE, SETTINGS_HEADER_TABLE_SIZE, SETTINGS_MAX_FRAME_SIZE, and one that is unknown.
            let window = input.pick(&[[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0xff, 0xff], [0, 1, 0, 0]]);
            let setting = input.pick(&[4, 1, 5, 99]);
            send(4, 0, 0, &[&[0, setting][..], &window].concat());
        }
        15 => send(6, input.pick(&[0, 1]), 0, &[input.byte(); 8]),
        16 => send(7, 0, 0, &[0, 0, 0, input.byte(), 0, 0, 0, input.byte() % 14]),
        _ => {
            // Any other kind, neither SETTINGS nor a window: the neighbour on stream 1 is to have one.
            let kind = input.pick(&[DATA, HEADERS, 2, 3, 5, 6, 7, 9, 10, 255]);
            let (flags, length) = (input.byte(), usize::from(input.byte()));
            send(kind, flags, input.pick(&[stream, 0, *newest + 2, 2]), input.bytes(length));
        }
    }
}
