//! What is sent first on a connection: `--message` and `--file`.

use std::fs;

use ws_client::Message;

use crate::args;
use crate::failure::Failure;

/// Reads the files, so that one that cannot be sent is noticed before anything is.
pub(super) fn messages(args: &args::Session) -> Result<Vec<Message>, Failure> {
    let texts = args.messages.iter().map(|text| {
        let text = text.clone();
        Ok(if args.binary { Message::binary(text.into_bytes()) } else { Message::text(text) })
    });
    let files = args.files.iter().map(|path| {
        let failure =
            |why: &dyn std::fmt::Display| Failure::usage(format!("--file {}: {why}", path.display()));
        let contents =
            fs::read(path).map_err(|error| failure(&format_args!("it cannot be read: {error}")))?;
        if !args.text {
            return Ok(Message::binary(contents));
        }
        let text = String::from_utf8(contents).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            failure(&format_args!("it is not UTF-8 (at byte {at}): leave out --text to send it as binary"))
        })?;
        Ok(Message::text(text))
    });
    texts.chain(files).collect()
}
