//! Counts the frames in a stream of bytes, without looking at what they are.

/// Where a stream of frames (RFC 6455 section 5.2) is. What breaks the protocol is not noticed here; the connection ends
/// for it.
#[derive(Debug, Default)]
pub(crate) struct FrameCount {
    /// The header so far, and how many of its bytes are there.
    header: [u8; LONGEST_HEADER],
    length: usize,
    /// What is still to come of the payload.
    payload: u64,
}

impl FrameCount {
    /// Returns how many frames begin in these bytes, which follow those before.
    pub(crate) fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut frames: u64 = 0;
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload > 0 {
                let length = bytes.len().min(usize::try_from(self.payload).unwrap_or(usize::MAX));
                self.payload = self.payload.saturating_sub(length as u64);
                bytes = bytes.get(length..).unwrap_or_default();
                continue;
            }
            frames = frames.saturating_add(u64::from(self.length == 0));
            if let Some(place) = self.header.get_mut(self.length) {
                *place = *first;
            }
            self.length = self.length.saturating_add(1);
            bytes = rest;
            if self.length >= self.header_length() {
                self.payload = self.payload_length();
                self.length = 0;
            }
        }
        frames
    }

    /// Returns how many bytes are still to come of the frame that has begun, as far as that is known.
    pub(crate) fn rest(&self) -> u64 {
        match self.length {
            0 => self.payload,
            length => self.header_length().saturating_sub(length) as u64,
        }
    }

    /// The length of the header, as far as it is known: of its first two bytes, before they are there.
    fn header_length(&self) -> usize {
        if self.length < 2 {
            return 2;
        }
        let [_, second, ..] = self.header;
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + extended + mask
    }

    fn payload_length(&self) -> u64 {
        let [_, second, a, b, c, d, e, f, g, h, ..] = self.header;
        match second & 0x7f {
            126 => u16::from_be_bytes([a, b]).into(),
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            length => length.into(),
        }
    }
}

const LONGEST_HEADER: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        ws_wire::frame(0x82, &vec![0xff; length], Some([0; 4]))
    }

    #[test]
    fn frames_are_counted_where_they_begin_however_the_bytes_are_split() {
        let lengths = [0, 5, 125, 126, 300, 65_535, 65_536, 0, 0, 1];
        let stream: Vec<u8> = lengths.iter().flat_map(|length| frame(*length)).collect();
        for size in [1, 2, 3, 7, 1000, stream.len()] {
            let mut count = FrameCount::default();
            let frames: u64 = stream.chunks(size).map(|chunk| count.count(chunk)).sum();
            assert_eq!((frames, count.rest()), (lengths.len() as u64, 0), "{size}");
        }
    }

    #[test]
    fn the_rest_of_a_frame_is_known_from_its_header() {
        let mut count = FrameCount::default();
        let frame = frame(300);
        assert_eq!((count.count(&frame[..1]), count.rest()), (1, 1));
        assert_eq!((count.count(&frame[1..2]), count.rest()), (0, 6));
        assert_eq!((count.count(&frame[2..8]), count.rest()), (0, 300));
        assert_eq!((count.count(&frame[8..100]), count.rest()), (0, 208));
        assert_eq!((count.count(&frame[100..]), count.rest()), (0, 0));
    }

    #[test]
    fn a_length_beyond_all_bounds_is_no_fault_here() {
        let mut count = FrameCount::default();
        assert_eq!(count.count(&[0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4]), 1);
        assert_eq!(count.count(&[0; 100]), 0);
        assert_eq!(count.rest(), u64::MAX - 100);
    }
}
