//! A fuzz input: settings, a script of splits, and the bytes that are split.

/// Takes a fuzz input apart from its front. What is missing at its end is zero, so every input is one.
#[derive(Debug, Clone)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of it.
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    /// One of `choices`, as the next byte says.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// The next `n` bytes, or as many as there are.
    pub fn bytes(&mut self, n: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        front
    }

    /// A script of splits: a byte with the number of sizes (0 to 7), then a byte for each.
    pub fn splits(&mut self) -> Splits {
        let n = usize::from(self.byte() % 8);
        Splits { sizes: self.bytes(n).to_vec(), next: 0 }
    }

    /// Whether all has been taken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has not been taken: mostly the stream.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// The sizes of the pieces that a stream arrives in, over and over; a size of 0 means all that is left.
#[derive(Debug, Clone)]
pub struct Splits {
    sizes: Vec<u8>,
    next: usize,
}

impl Splits {
    /// The stream in one piece.
    pub fn whole() -> Self {
        Self { sizes: Vec::new(), next: 0 }
    }

    /// Each byte for itself.
    pub fn bytewise() -> Self {
        Self { sizes: vec![1], next: 0 }
    }

    /// The size of the next piece when `left` bytes are left: at least 1, at most `left`.
    pub fn next(&mut self, left: usize) -> usize {
        let size = self.sizes.get(self.next % self.sizes.len().max(1)).copied().unwrap_or(0);
        self.next += 1;
        if size == 0 { left } else { left.min(size.into()) }
    }

    /// The pieces of `stream`.
    pub fn cut<'a>(mut self, mut stream: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !stream.is_empty() {
            let (piece, rest) = stream.split_at(self.next(stream.len()));
            pieces.push(piece);
            stream = rest;
        }
        pieces
    }
}
