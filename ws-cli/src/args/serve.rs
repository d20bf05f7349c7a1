//! What `ws serve` takes.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{address, count, memory};

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on, as ADDRESS:PORT or as a port of 127.0.0.1; port 0 picks a free one
    #[arg(value_name = "ADDRESS", default_value = "127.0.0.1:9001", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Encrypt (wss://) with this certificate: a PEM file, with its chain
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of --cert: a PEM file
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Compress messages (permessage-deflate) for clients that offer it
    #[arg(short, long)]
    pub(crate) compress: bool,
    /// Accept this subprotocol; may be repeated, the preferred one first
    #[arg(short, long = "subprotocol", value_name = "NAME")]
    pub(crate) subprotocols: Vec<String>,
    /// Accept pages of this origin; may be repeated; 'any' accepts all. Default: pages of this server only
    #[arg(long = "origin", value_name = "ORIGIN")]
    pub(crate) origins: Vec<String>,
    /// Accept requests for this host name, as a proxy or a forwarded port passes it on; may be repeated; 'any' accepts
    /// all. Default: loopback names if the server listens on loopback, else all
    #[arg(long = "host", value_name = "HOST")]
    pub(crate) hosts: Vec<String>,
    /// Believe these proxies when they name the address of a client, as --proxy-protocol or --forwarded says: addresses and
    /// networks with commas between them, such as 10.0.0.0/8,::1
    #[arg(long, value_name = "NETWORKS", requires = "how_proxies_name_clients")]
    pub(crate) trust_proxies: Option<String>,
    /// Expect a header of the PROXY protocol, version 1 or 2, before each connection of a trusted proxy
    #[arg(long, requires = "trust_proxies", group = "how_proxies_name_clients")]
    pub(crate) proxy_protocol: bool,
    /// Take the address of the client from these fields of a trusted proxy's requests
    #[arg(long, value_name = "FIELDS", requires = "trust_proxies", group = "how_proxies_name_clients")]
    pub(crate) forwarded: Option<Forwarded>,
    /// Accept messages up to this size
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_size: u64,
    /// Let all connections together hold this much memory: near it requests are refused with 503, then WebSockets with much
    /// unfinished input, or output that their peers do not read, are closed with 1013. Default: half of what the system has
    #[arg(long, value_name = "BYTES", value_parser = memory)]
    pub(crate) max_memory: Option<usize>,
    /// Let this many WebSockets be open. Default: what the limit of open files allows
    #[arg(long, value_name = "COUNT", value_parser = count)]
    pub(crate) max_connections: Option<usize>,
    /// Let a client address have this many WebSockets open; more are refused with 429. Default: no limit, as for the next three
    #[arg(long, value_name = "COUNT", value_parser = count)]
    pub(crate) per_address_max_connections: Option<usize>,
    /// Let a client address request this many WebSockets a second; more are refused with 429
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) per_address_handshakes_per_second: Option<u32>,
    /// Read this many frames a second from the WebSockets of a client address
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) per_address_messages_per_second: Option<u32>,
    /// Read this many bytes a second from the WebSockets of a client address
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) per_address_bytes_per_second: Option<u64>,
    /// What is done with frames and bytes that come faster: read them later, or close the WebSocket with 1008
    #[arg(long, value_name = "HOW", default_value = "delay")]
    pub(crate) per_address_excess: ExcessOf,
    // Not a doc comment: rustdoc would want a link.
    #[arg(long, value_name = "ADDRESS", value_parser = address, help = "Answer with metrics for Prometheus at http://ADDRESS/metrics: ADDRESS:PORT, or a port of 127.0.0.1. Whoever reaches the address can read them")]
    pub(crate) metrics: Option<SocketAddr>,
}

/// What is done with what an address sends beyond its limits.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ExcessOf {
    /// Read it later
    Delay,
    /// Close the WebSocket with 1008
    Close,
}

/// The fields in which a proxy names a client.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Forwarded {
    /// X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host
    XForwarded,
    /// Forwarded (RFC 7239)
    Forwarded,
}
