//! What the fuzz targets share: splitting an input into settings, splits and a stream, drivers that record the
//! results, and references to compare with, written from the RFCs without the code of ws-core.

pub mod head;
pub mod heap;
pub mod http2;
/// The decoder of the tests of ws-core.
#[path = "../../ws-core/tests/deflate/data/raw_inflate.rs"]
pub mod inflate;
pub mod input;
pub mod record;
pub mod reference;
pub mod sample;
pub mod stream;

pub use input::{Input, Splits};
pub use record::{End, Outcome, Received};
