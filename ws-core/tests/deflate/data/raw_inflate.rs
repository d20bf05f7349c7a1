//! RFC 1951, plainly: a decoder written for the tests, which also tells how far back a stream reaches.

/// What a stream of blocks decodes to.
pub(crate) struct Decoded {
    pub(crate) data: Vec<u8>,
    /// The largest distance of any back-reference; 0 if there is none.
    pub(crate) farthest: usize,
}

/// Decodes messages that share a window: all blocks, up to the end of each payload plus the tail of RFC 7692
/// section 7.2.2.
pub(crate) fn decode(payloads: &[Vec<u8>]) -> Decoded {
    let mut out = Decoded { data: Vec::new(), farthest: 0 };
    for payload in payloads {
        let mut stream = payload.clone();
        stream.extend([0x00, 0x00, 0xff, 0xff]);
        let mut bits = Bits { bytes: &stream, at: 0 };
        while bits.at < stream.len() * 8 {
            block(&mut bits, &mut out);
        }
    }
    out
}

fn block(bits: &mut Bits<'_>, out: &mut Decoded) {
    assert_eq!(bits.take(1), 0, "a final block");
    match bits.take(2) {
        0 => {
            bits.at = bits.at.next_multiple_of(8);
            let (len, complement) = (bits.take(16), bits.take(16));
            assert_eq!(len, complement ^ 0xffff);
            for _ in 0..len {
                let byte = bits.take(8) as u8;
                out.data.push(byte);
            }
        }
        1 => {
            let lengths: Vec<u8> = (0..288)
                .map(|n| {
                    if n < 144 {
                        8
                    } else if n < 256 {
                        9
                    } else if n < 280 {
                        7
                    } else {
                        8
                    }
                })
                .collect();
            symbols(bits, &Code::new(&lengths), &Code::new(&[5; 30]), out);
        }
        2 => {
            let (literals, distances, codes) =
                (bits.take(5) as usize + 257, bits.take(5) as usize + 1, bits.take(4) as usize + 4);
            let mut order = [0_u8; 19];
            for place in &CODE_LENGTH_ORDER[..codes] {
                order[*place] = bits.take(3) as u8;
            }
            let code = Code::new(&order);
            let mut lengths = Vec::new();
            while lengths.len() < literals + distances {
                match code.next(bits) {
                    16 => {
                        let (last, times) = (*lengths.last().unwrap(), 3 + bits.take(2));
                        lengths.extend((0..times).map(|_| last));
                    }
                    17 => lengths.extend((0..3 + bits.take(3)).map(|_| 0)),
                    18 => lengths.extend((0..11 + bits.take(7)).map(|_| 0)),
                    length => lengths.push(length as u8),
                }
            }
            symbols(bits, &Code::new(&lengths[..literals]), &Code::new(&lengths[literals..]), out);
        }
        _ => panic!("block type 3"),
    }
}

fn symbols(bits: &mut Bits<'_>, literals: &Code, distances: &Code, out: &mut Decoded) {
    loop {
        match literals.next(bits) {
            byte @ 0..=255 => out.data.push(byte as u8),
            256 => return,
            symbol => {
                let (base, extra) = LENGTHS[symbol - 257];
                let length = base + bits.take(extra) as usize;
                let (base, extra) = DISTANCES[distances.next(bits)];
                let distance = base + bits.take(extra) as usize;
                out.farthest = out.farthest.max(distance);
                for _ in 0..length {
                    let byte = out.data[out.data.len() - distance];
                    out.data.push(byte);
                }
            }
        }
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> u32 {
        (0..count).fold(0, |value, n| {
            let bit = self.bytes[self.at / 8] >> (self.at % 8) & 1;
            self.at += 1;
            value | u32::from(bit) << n
        })
    }
}

/// A canonical Huffman code (RFC 1951 section 3.2.2): symbols in the order of their codes, counted by length.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0; 16];
        let mut symbols = Vec::new();
        for (length, count) in counts.iter_mut().enumerate().skip(1) {
            let before = symbols.len();
            symbols.extend((0..lengths.len()).filter(|n| usize::from(lengths[*n]) == length));
            *count = symbols.len() - before;
        }
        Self { counts, symbols }
    }

    fn next(&self, bits: &mut Bits<'_>) -> usize {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1) as usize;
            if code < first + count {
                return self.symbols[index + code - first];
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        panic!("no such code");
    }
}

const CODE_LENGTH_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const LENGTHS: [(usize, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

const DISTANCES: [(usize, u32); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];
