//! The deflate codecs behind stdin and stdout, for `interop/deflate_zlib.py` to drive.
//!
//! A request is a letter, three numbers and bytes, a reply is a number and bytes; all numbers have 32 bits, big end
//! first, the last one is the length of the bytes.
//!
//! | letter | numbers | does | reply |
//! |---|---|---|---|
//! | `N` | window bits, no context takeover, level | starts a connection afresh | 1 |
//! | `D` | 0 none, 1 sync, 2 message; 0 | deflates a piece | 1, output |
//! | `W` | 0, 0 | deflates a whole message if it pays | 1 if so, output |
//! | `I` | last, room for a step, bytes in a step | inflates a piece | 1, output; or 0 |

use std::io::{self, Read, Write};

use ws_core::deflate::{Deflater, Flush, InflateStatus, Inflater, WindowBits};

fn main() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut deflater = Deflater::new(WindowBits::MAX, false, 1);
    let mut inflater = Inflater::new(WindowBits::MAX, false);
    // The message so far: without context takeover it is the window.
    let mut message = Vec::new();
    let mut letter = [0];
    while input.read(&mut letter)? == 1 {
        let [a, b, c] = [number(&mut input)?, number(&mut input)?, number(&mut input)?];
        let mut data = vec![0; number(&mut input)? as usize];
        input.read_exact(&mut data)?;
        let mut reply = Vec::new();
        let ok = match letter[0] {
            b'N' => {
                let bits =
                    u8::try_from(a).ok().and_then(WindowBits::new).ok_or(io::ErrorKind::InvalidInput)?;
                deflater = Deflater::new(bits, b == 1, c as u8);
                inflater = Inflater::new(bits, b == 1);
                message.clear();
                true
            }
            b'D' => {
                let flush = [Flush::None, Flush::Sync, Flush::Message][a as usize];
                deflater.deflate(&data, flush, &mut reply).is_ok()
            }
            b'W' => deflater.deflate_message(&data, &mut reply),
            b'I' => {
                let start = message.len();
                let ok = inflate(&mut inflater, &data, a == 1, b as usize, c as usize, &mut message);
                reply.extend(&message[start..]);
                if a == 1 {
                    message.clear();
                }
                ok
            }
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        output.write_all(&u32::from(ok).to_be_bytes())?;
        output.write_all(&(reply.len() as u32).to_be_bytes())?;
        output.write_all(&reply)?;
        output.flush()?;
    }
    Ok(())
}

fn inflate(
    inflater: &mut Inflater,
    data: &[u8],
    last: bool,
    room: usize,
    step: usize,
    output: &mut Vec<u8>,
) -> bool {
    let mut rest = data;
    loop {
        let piece = &rest[..rest.len().min(step)];
        let ends = piece.len() == rest.len();
        let Ok(done) = inflater.inflate(piece, last && ends, output, room) else { return false };
        rest = &rest[done.consumed..];
        match done.status {
            InflateStatus::Done => return true,
            InflateStatus::NeedInput if ends => return true,
            _ => {}
        }
    }
}

fn number(input: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}
