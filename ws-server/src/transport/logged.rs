//! What is logged while a test runs something.

use std::io::Read;
use std::sync::Mutex;

/// Runs `what`, and returns the log that this thread writes in the meantime.
pub(crate) fn logged(what: impl FnOnce()) -> String {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let subscriber = tracing_subscriber::fmt().with_writer(Mutex::new(writer)).with_ansi(false).finish();
    // The writer is dropped with the subscriber.
    tracing::subscriber::with_default(subscriber, what);
    let mut log = String::new();
    reader.read_to_string(&mut log).unwrap();
    log
}
