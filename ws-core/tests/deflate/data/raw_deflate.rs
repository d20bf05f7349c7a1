//! DEFLATE written by hand (RFC 1951), so that it may refer back to where nothing is.

/// The payload of a message, as it grows. Each call of its methods writes whole blocks.
#[derive(Clone, Default)]
pub(crate) struct RawDeflate {
    bytes: Vec<u8>,
    /// Bits of the last byte that are used; 0 when all are.
    used: u32,
}

impl RawDeflate {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Literals in fixed blocks.
    pub(crate) fn literals(mut self, literals: &[u8]) -> Self {
        self.begin(false);
        for byte in literals {
            match *byte {
                byte @ 0..144 => self.code(0x30 + u32::from(byte), 8),
                byte => self.code(0x190 + u32::from(byte - 144), 9),
            }
        }
        self.end()
    }

    /// `length` bytes, 3 to 258, from `distance` bytes back, 1 to 32,768: a fixed block.
    pub(crate) fn reference(mut self, distance: usize, length: usize) -> Self {
        self.begin(false);
        // Section 3.2.5: two symbols of length have as many extra bits as the last four, and so on; 258 is by itself.
        let (mut symbol, mut base) = (257, 3);
        let extra_of = |symbol: usize| if symbol < 265 { 0 } else { (symbol - 261) / 4 };
        while symbol < 284 && length >= base + (1 << extra_of(symbol)) {
            base += 1 << extra_of(symbol);
            symbol += 1;
        }
        if length == 258 {
            self.code(0b1100_0101, 8);
        } else {
            match symbol {
                256..280 => self.code(symbol as u32 - 256, 7),
                _ => self.code(0xc0 + symbol as u32 - 280, 8),
            }
            self.bits((length - base) as u32, extra_of(symbol) as u32);
        }
        let (mut symbol, mut base) = (0, 1);
        let extra_of = |symbol: usize| if symbol < 4 { 0 } else { symbol / 2 - 1 };
        while distance >= base + (1 << extra_of(symbol)) {
            base += 1 << extra_of(symbol);
            symbol += 1;
        }
        assert!(symbol < 30 && (3..=258).contains(&length), "{distance}, {length}");
        self.code(symbol as u32, 5);
        self.bits((distance - base) as u32, extra_of(symbol) as u32);
        self.end()
    }

    /// Bytes in stored blocks.
    pub(crate) fn stored(mut self, bytes: &[u8]) -> Self {
        for part in bytes.chunks(0xffff) {
            self.bits(0, 3);
            self.used = 0;
            let length = part.len() as u16;
            self.bytes.extend(length.to_le_bytes());
            self.bytes.extend((!length).to_le_bytes());
            self.bytes.extend(part);
        }
        self
    }

    /// An empty block that ends a DEFLATE stream; another may follow.
    pub(crate) fn last_block(mut self) -> Self {
        self.begin(true);
        self = self.end();
        self.used = 0;
        self
    }

    /// The payload, without the four bytes that a sender removes (RFC 7692 section 7.2.1).
    pub(crate) fn payload(mut self) -> Vec<u8> {
        self.bits(0, 3);
        self.bytes
    }

    fn begin(&mut self, last: bool) {
        self.bits(0b010 | u32::from(last), 3);
    }

    fn end(mut self) -> Self {
        self.code(0, 7);
        self
    }

    /// A Huffman code: its highest bit first.
    fn code(&mut self, code: u32, count: u32) {
        for n in (0..count).rev() {
            self.bits(code >> n & 1, 1);
        }
    }

    fn bits(&mut self, value: u32, count: u32) {
        for n in 0..count {
            if self.used == 0 {
                self.bytes.push(0);
            }
            if let Some(byte) = self.bytes.last_mut() {
                *byte |= ((value >> n & 1) as u8) << self.used;
            }
            self.used = (self.used + 1) % 8;
        }
    }
}
