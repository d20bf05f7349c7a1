//! The command line, parsed without a crate, so that this sample builds fast.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
Echoes every message, and serves a page to try it at the same address

Usage: echo [OPTIONS]

Options:
      --listen <ADDR>      Address to listen on; port 0 chooses a free port [default: 127.0.0.1:9001]
      --origin <ORIGIN>    Serve pages of this origin instead of those of this server, for example http://localhost:8080
      --compress           Compress messages (permessage-deflate) for clients that offer it
      --tls <CHAIN> <KEY>  Use TLS with this certificate chain and its key (PEM files)
  -h, --help               Print help
";

pub(crate) struct Options {
    pub(crate) listen: SocketAddr,
    pub(crate) origin: Option<String>,
    pub(crate) compress: bool,
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
}

impl Options {
    /// Parses the arguments; `None` for `--help`.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, String> {
        let mut options =
            Self { listen: ([127, 0, 0, 1], 9001).into(), origin: None, compress: false, tls: None };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let argument = argument.to_string_lossy();
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(OsString::from(value))),
                None => (&*argument, None),
            };
            match (name, value) {
                ("--listen", value) => options.listen = address(value.or_else(|| arguments.next()))?,
                ("--origin", value) => {
                    let origin = value
                        .or_else(|| arguments.next())
                        .ok_or("--origin needs an origin, for example http://localhost:8080")?;
                    options.origin = Some(origin.to_string_lossy().into_owned());
                }
                ("--compress", None) => options.compress = true,
                ("--tls", None) => {
                    let (chain, key) = (arguments.next(), arguments.next());
                    let files = chain.zip(key).ok_or("--tls needs two files: --tls CHAIN KEY")?;
                    options.tls = Some((files.0.into(), files.1.into()));
                }
                ("-h" | "--help", None) => return Ok(None),
                _ => return Err(format!("unexpected argument '{argument}'")),
            }
        }
        Ok(Some(options))
    }
}

fn address(value: Option<OsString>) -> Result<SocketAddr, String> {
    let value = value.ok_or("--listen needs an address, for example 127.0.0.1:9001")?;
    let text = value.to_string_lossy();
    text.parse().map_err(|_| {
        format!("--listen '{text}': write it as address:port, for example 127.0.0.1:9001 or [::1]:0")
    })
}
