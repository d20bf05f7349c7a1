//! A second, slow implementation of RFC 1951 and RFC 7692 section 7.2.2, which reads bit by bit and keeps all output. It
//! shares no code with ws-core or zlib. The fuzz targets use this file as well.

/// Why data cannot be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The data is not DEFLATE, or refers to bytes before the window.
    Corrupt,
    /// The data ends inside a block.
    CutOff,
    /// The content is longer than the limit.
    TooLong,
}

/// One direction of permessage-deflate.
#[derive(Debug, Clone)]
pub struct Inflater {
    window: usize,
    takeover: bool,
    /// The content of the previous messages, at most a window.
    history: Vec<u8>,
}

/// The result of inflating a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inflated {
    /// The content up to the fault.
    pub content: Vec<u8>,
    /// What is wrong with the message. `CutOff` is reported only for a whole message.
    pub fault: Option<Fault>,
    /// The largest distance of a back-reference; 0 without one.
    pub distance: usize,
    /// The number of DEFLATE streams in the message.
    pub streams: usize,
    /// How many of them end with a final block.
    pub ended: usize,
}

impl Inflater {
    /// Creates an inflater for a peer that compresses with a window of `bits`, with or without context takeover.
    pub fn new(bits: u8, takeover: bool) -> Self {
        Self { window: 1 << bits, takeover, history: Vec::new() }
    }

    /// Inflates a message, or its beginning unless `whole`, up to one byte over `limit`.
    pub fn message(&mut self, payload: &[u8], whole: bool, limit: usize) -> Inflated {
        let mut inflated = Inflated { content: Vec::new(), fault: None, distance: 0, streams: 0, ended: 0 };
        inflated.fault = self.streams(payload, whole, limit, &mut inflated).err();
        if whole && inflated.fault.is_none() && self.takeover {
            self.history.extend(&inflated.content);
            self.history.drain(..self.history.len().saturating_sub(self.window));
        }
        inflated
    }

    fn streams(
        &self,
        payload: &[u8],
        whole: bool,
        limit: usize,
        inflated: &mut Inflated,
    ) -> Result<(), Fault> {
        let mut at = 0;
        // A DEFLATE stream of no bytes counts as complete.
        while at < payload.len() {
            inflated.streams += 1;
            let mut window = if self.takeover { self.history.clone() } else { Vec::new() };
            window.extend(&inflated.content);
            let reach = if self.takeover { self.window } else { 1 << 15 };
            let preset = window.split_off(window.len().saturating_sub(reach));
            let mut stream =
                Stream::new(&payload[at..], preset, limit.saturating_sub(inflated.content.len()));
            let end = stream.run();
            inflated.content.extend(stream.content());
            inflated.distance = inflated.distance.max(stream.distance);
            match end {
                Ok(()) => {
                    at += stream.bytes_read();
                    inflated.ended += 1;
                }
                Err(Fault::CutOff) if whole => {
                    // Section 7.2.2: with four more bytes the stream is complete, or ends between two blocks, which an
                    // empty final block shows.
                    let ended = [&payload[at..], &[0, 0, 0xFF, 0xFF], &[1, 0, 0, 0xFF, 0xFF]].concat();
                    let preset = stream.output[..stream.preset].to_vec();
                    let mut again = Stream::new(&ended, preset, usize::MAX);
                    let ends_there =
                        again.run() == Ok(()) && [ended.len() - 5, ended.len()].contains(&again.bytes_read());
                    let adds_nothing = again.content() == stream.content();
                    return if ends_there && adds_nothing { Ok(()) } else { Err(Fault::CutOff) };
                }
                Err(Fault::CutOff) => return Ok(()),
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}

/// One DEFLATE stream.
struct Stream<'a> {
    input: &'a [u8],
    /// The number of bits read.
    position: usize,
    output: Vec<u8>,
    preset: usize,
    limit: usize,
    distance: usize,
}

/// A canonical Huffman code (RFC 1951 section 3.2.2): the number of symbols of each length, and the symbols in order.
struct Code {
    counts: [u16; 16],
    symbols: Vec<u16>,
}

impl<'a> Stream<'a> {
    fn new(input: &'a [u8], preset: Vec<u8>, limit: usize) -> Self {
        Self { input, position: 0, preset: preset.len(), output: preset, limit, distance: 0 }
    }

    fn content(&self) -> &[u8] {
        &self.output[self.preset..]
    }

    fn bytes_read(&self) -> usize {
        self.position.div_ceil(8)
    }

    /// Reads up to the end of a final block.
    fn run(&mut self) -> Result<(), Fault> {
        loop {
            let last = self.bits(1)? == 1;
            match self.bits(2)? {
                0 => self.stored()?,
                1 => {
                    let lengths: Vec<u8> = (0..288)
                        .map(|n| match n {
                            0..144 => 8,
                            144..256 => 9,
                            256..280 => 7,
                            _ => 8,
                        })
                        .collect();
                    self.compressed(&Code::new(&lengths), &Code::new(&[5; 30]))?;
                }
                2 => {
                    let (literals, distances) = self.codes()?;
                    self.compressed(&literals, &distances)?;
                }
                _ => return Err(Fault::Corrupt),
            }
            if last {
                return Ok(());
            }
        }
    }

    fn bits(&mut self, n: usize) -> Result<usize, Fault> {
        let mut value = 0;
        for bit in 0..n {
            let byte = self.input.get(self.position / 8).ok_or(Fault::CutOff)?;
            value |= usize::from(byte >> (self.position % 8) & 1) << bit;
            self.position += 1;
        }
        Ok(value)
    }

    fn put(&mut self, byte: u8) -> Result<(), Fault> {
        self.output.push(byte);
        if self.content().len() > self.limit { Err(Fault::TooLong) } else { Ok(()) }
    }

    fn stored(&mut self) -> Result<(), Fault> {
        self.position = self.bytes_read() * 8;
        let length = self.bits(16)?;
        if self.bits(16)? != length ^ 0xFFFF {
            return Err(Fault::Corrupt);
        }
        for _ in 0..length {
            let byte = self.bits(8)?;
            self.put(byte as u8)?;
        }
        Ok(())
    }

    fn symbol(&mut self, code: &Code) -> Result<usize, Fault> {
        let (mut value, mut first, mut index) = (0, 0, 0);
        for length in 1..16 {
            value |= self.bits(1)?;
            let count = usize::from(code.counts[length]);
            if value < first + count {
                return Ok(code.symbols[index + value - first].into());
            }
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        Err(Fault::Corrupt)
    }

    fn compressed(&mut self, literals: &Code, distances: &Code) -> Result<(), Fault> {
        loop {
            let symbol = self.symbol(literals)?;
            let length = match symbol {
                0..256 => {
                    self.put(symbol as u8)?;
                    continue;
                }
                256 => return Ok(()),
                257..286 => self.extended(&LENGTHS, symbol - 257)?,
                _ => return Err(Fault::Corrupt),
            };
            let symbol = self.symbol(distances)?;
            if symbol >= 30 {
                return Err(Fault::Corrupt);
            }
            let distance = self.extended(&DISTANCES, symbol)?;
            if distance > self.output.len() {
                return Err(Fault::Corrupt);
            }
            self.distance = self.distance.max(distance);
            for _ in 0..length {
                self.put(self.output[self.output.len() - distance])?;
            }
        }
    }

    fn extended(&mut self, table: &[(usize, usize)], symbol: usize) -> Result<usize, Fault> {
        let (base, bits) = table[symbol];
        Ok(base + self.bits(bits)?)
    }

    /// Reads the codes of a dynamic block (section 3.2.7).
    fn codes(&mut self) -> Result<(Code, Code), Fault> {
        let (literals, distances) = (self.bits(5)? + 257, self.bits(5)? + 1);
        let given = self.bits(4)? + 4;
        if literals > 286 || distances > 30 {
            return Err(Fault::Corrupt);
        }
        let mut lengths = [0; 19];
        for &place in &ORDER[..given] {
            lengths[place] = self.bits(3)? as u8;
        }
        if lengths == [0; 19] {
            // Like zlib: each bit is then a length of 0, so that the end-of-block symbol has no code.
            for _ in 0..literals + distances {
                self.bits(1)?;
            }
            return Err(Fault::Corrupt);
        }
        let code = Code::new(&lengths);
        if code.unused(&lengths) != Some(0) {
            return Err(Fault::Corrupt);
        }
        let mut lengths = Vec::new();
        while lengths.len() < literals + distances {
            let symbol = self.symbol(&code)?;
            let (value, times) = match symbol {
                0..16 => (symbol as u8, 1),
                16 => {
                    // Like zlib: the bits first.
                    let times = 3 + self.bits(2)?;
                    (*lengths.last().ok_or(Fault::Corrupt)?, times)
                }
                17 => (0, 3 + self.bits(3)?),
                _ => (0, 11 + self.bits(7)?),
            };
            lengths.extend(std::iter::repeat_n(value, times));
        }
        if lengths.len() > literals + distances || lengths[256] == 0 {
            return Err(Fault::Corrupt);
        }
        let (literals, distances) = lengths.split_at(literals);
        for lengths in [literals, distances] {
            let single =
                lengths.iter().all(|&length| length < 2) && lengths.iter().filter(|&&n| n == 1).count() == 1;
            match Code::new(lengths).unused(lengths) {
                Some(0) => {}
                // A code with a single symbol has one bit, whose other value is unused.
                Some(_) if single => {}
                _ => return Err(Fault::Corrupt),
            }
        }
        Ok((Code::new(literals), Code::new(distances)))
    }
}

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0; 16];
        let mut symbols = Vec::new();
        for length in 1..16 {
            for (symbol, _) in lengths.iter().enumerate().filter(|(_, l)| **l == length) {
                counts[usize::from(length)] += 1;
                symbols.push(symbol as u16);
            }
        }
        Self { counts, symbols }
    }

    /// Returns the number of unused codes of 15 bits; `None` if there are too few codes, 0 without symbols.
    fn unused(&self, lengths: &[u8]) -> Option<u32> {
        if lengths.iter().all(|&length| length == 0) {
            return Some(0);
        }
        let used: u32 = (1..16).map(|length| u32::from(self.counts[length]) << (15 - length)).sum();
        (1u32 << 15).checked_sub(used)
    }
}

/// Section 3.2.5: the base and the number of extra bits of each length and distance.
#[rustfmt::skip]
const LENGTHS: [(usize, usize); 29] = [
    (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1), (13, 1),
    (15, 1), (17, 1), (19, 2), (23, 2), (27, 2), (31, 2), (35, 3), (43, 3), (51, 3), (59, 3),
    (67, 4), (83, 4), (99, 4), (115, 4), (131, 5), (163, 5), (195, 5), (227, 5), (258, 0),
];
#[rustfmt::skip]
const DISTANCES: [(usize, usize); 30] = [
    (1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (9, 2), (13, 2), (17, 3), (25, 3),
    (33, 4), (49, 4), (65, 5), (97, 5), (129, 6), (193, 6), (257, 7), (385, 7), (513, 8), (769, 8),
    (1025, 9), (1537, 9), (2049, 10), (3073, 10), (4097, 11), (6145, 11), (8193, 12), (12289, 12), (16385, 13), (24577, 13),
];
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
