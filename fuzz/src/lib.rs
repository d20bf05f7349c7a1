//! What the fuzz targets share: how an input is cut into settings, splits and a stream, drivers that record what
//! comes of it, and references to compare with, written from the RFCs without a look at ws-core.

pub mod head;
pub mod heap;
pub mod inflate;
pub mod input;
pub mod record;
pub mod reference;
pub mod sample;
pub mod stream;

pub use input::{Input, Splits};
pub use record::{End, Outcome, Received};
