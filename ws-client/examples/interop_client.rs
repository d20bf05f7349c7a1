//! Tests an echo server of another implementation with everything that a client does; the scripts in `interop/` start
//! the servers. Exits with status 1 at the first wrong exchange.

use std::process::ExitCode;

use clap::Parser;
use ws_client::ws_core::DataType;
use ws_client::{
    Client, CloseCode, HttpVersion, Message, Options, Proxy, ProxyChoice, Tls, WebSocket, deflate,
};

/// Exchanges messages of all sizes, in pieces, pings and close codes with an echo server.
#[derive(Parser)]
struct Arguments {
    /// The server: ws://host:port, with the paths /echo, /fragments, /ping and /close?CODE
    url: String,
    /// Compress every message, and require that the server agrees to compression
    #[arg(long)]
    compress: bool,
    /// Open every WebSocket over HTTP/2 (RFC 8441), at last a hundred at a time
    #[arg(long)]
    http2: bool,
    /// Connect through this proxy
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// PEM file with the authorities to trust for wss://
    #[arg(long, value_name = "FILE")]
    roots: Option<std::path::PathBuf>,
}

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(seen) => {
            println!("{seen}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("interop_client: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns what there is to report.
async fn run(arguments: Arguments) -> Result<String, Failure> {
    let url = arguments.url.trim_end_matches('/');
    let mut options = Options::default();
    options.deflate = arguments.compress.then(|| {
        let mut config = deflate::Config::client();
        config.threshold = 0;
        // With context takeover: each message may refer back to earlier ones.
        config.client_no_context_takeover = false;
        config
    });
    if let Some(url) = &arguments.proxy {
        options.proxy = ProxyChoice::Always(Proxy::new(url)?);
    }
    if let Some(path) = &arguments.roots {
        options.tls = Tls::from_root_pem(&std::fs::read(path)?)?;
    }
    if arguments.http2 {
        options.http_version = HttpVersion::Http2;
    }
    let client = options.build()?;
    let mut exchanges = 0;

    let (mut ws, _negotiated) = client.connect(format!("{url}/echo")).await?;
    equal(&ws.connection().is_compressing(), &arguments.compress, "compression agreed")?;
    for size in SIZES {
        for message in [Message::text(text(size)), Message::binary(bytes(size))] {
            ws.send(message.clone()).await?;
            same(&mut ws, &message, &format!("{size} bytes")).await?;
            exchanges += 1;
        }
    }
    exchanges += pieces(&mut ws).await?;
    for i in 0..1000 {
        ws.feed(format!("message {i}")).await?;
    }
    for i in 0..1000 {
        same(&mut ws, &Message::text(format!("message {i}")), "one of many").await?;
    }
    ws.ping(b"unanswered by us, answered by you").await?;
    ws.send("after a ping").await?;
    same(&mut ws, &Message::text("after a ping"), "after a ping").await?;
    let info = ws.close(CloseCode::NORMAL_CLOSURE, "done").await?;
    equal(
        &(info.is_clean(), info.received),
        &(true, Some(CloseCode::NORMAL_CLOSURE)),
        "our close with 1000",
    )?;
    exchanges += 3;

    exchanges += closes(&client, url).await?;

    let (mut ws, _negotiated) = client.connect(format!("{url}/fragments")).await?;
    let whole = format!("grüß{}end", "e ".repeat(50_000));
    same(&mut ws, &Message::text(whole), "a message in pieces").await?;
    ws.close(CloseCode::NORMAL_CLOSURE, "").await?;
    let (mut ws, _negotiated) = client.connect(format!("{url}/ping")).await?;
    same(&mut ws, &Message::text("ponged"), "a ping").await?;
    ws.close(CloseCode::NORMAL_CLOSURE, "").await?;
    exchanges += 2;
    if !arguments.http2 {
        return Ok(format!("{exchanges} exchanges"));
    }
    let mut open = share(&client, url).await?;
    for ws in &mut open {
        let info = ws.close(CloseCode(4001), "bye").await?;
        equal(&(info.is_clean(), info.received), &(true, Some(CloseCode(4001))), "the answer to our close")?;
    }
    Ok(format!("{exchanges} exchanges, then {WEBSOCKETS} WebSockets at a time"))
}

/// Opens many WebSockets over HTTP/2, and uses all of them at a time.
async fn share(client: &Client, url: &str) -> Result<Vec<WebSocket<ws_client::Stream>>, Failure> {
    let mut open = Vec::new();
    for _ in 0..WEBSOCKETS {
        let (ws, negotiated) = client.connect(format!("{url}/echo")).await?;
        equal(&negotiated.http_version(), &http::Version::HTTP_2, "the version of HTTP")?;
        open.push(ws);
    }
    let large = |n| Message::binary(bytes(if n < 5 { 1 << 20 } else { 1000 }));
    for (n, ws) in open.iter_mut().enumerate() {
        ws.send(format!("世界 {n}")).await?;
        ws.send(large(n)).await?;
    }
    for (n, ws) in open.iter_mut().enumerate() {
        same(ws, &Message::text(format!("世界 {n}")), "one of many WebSockets").await?;
        same(ws, &large(n), "one of many WebSockets").await?;
    }
    Ok(open)
}

/// How many WebSockets share a connection.
const WEBSOCKETS: usize = 100;

/// The borders of the three length encodings (RFC 6455 section 5.2), and more than a buffer takes at once.
const SIZES: [usize; 8] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20, 4 << 20];

/// Codes that may be in a Close and that both sides allow a program to send.
const CODES: [u16; 9] = [1000, 1001, 1003, 1008, 1011, 3000, 3999, 4000, 4999];

/// Messages sent in pieces come back whole.
async fn pieces(ws: &mut WebSocket<ws_client::Stream>) -> Result<usize, Failure> {
    let ue = "ü".as_bytes();
    // A character that is split; empty pieces; a piece over 64 KiB.
    let long = "b".repeat(70_000);
    let text: [&[u8]; 5] = [b"gr", ue, b"", long.as_bytes(), b"end"];
    for (i, piece) in text.iter().enumerate() {
        ws.send_piece(DataType::Text, piece, i + 1 == text.len()).await?;
    }
    same(ws, &Message::text(String::from_utf8(text.concat())?), "text in pieces").await?;
    let binary: [&[u8]; 3] = [b"", &[0xFF; 126], b""];
    for (i, piece) in binary.iter().enumerate() {
        ws.send_piece(DataType::Binary, piece, i + 1 == binary.len()).await?;
    }
    same(ws, &Message::binary(binary.concat()), "binary in pieces").await?;
    Ok(2)
}

/// Closes with every code, from either side.
async fn closes(client: &Client, url: &str) -> Result<usize, Failure> {
    for code in CODES.map(CloseCode) {
        let (mut ws, _negotiated) = client.connect(format!("{url}/echo")).await?;
        let info = ws.close(code, "bye").await?;
        equal(&(info.is_clean(), info.received), &(true, Some(code)), "the answer to our close")?;

        let (mut ws, _negotiated) = client.connect(format!("{url}/close?{code}")).await?;
        let info = match ws.recv().await {
            Ok(None) => ws.close_info().ok_or("no information about their close")?,
            Err(ws_client::Error::Closed(info)) if !info.is_normal() => *info,
            other => return Err(format!("{other:?} instead of their close").into()),
        };
        equal(&(info.is_clean(), info.received), &(true, Some(code)), "their close")?;
        equal(&&*info.reason, &"as you wish", "their reason")?;
    }
    Ok(2 * CODES.len())
}

async fn same(ws: &mut WebSocket<ws_client::Stream>, expected: &Message, what: &str) -> Result<(), Failure> {
    match ws.recv().await? {
        Some(message) if message == *expected => Ok(()),
        Some(other) => Err(format!("{what}: {} bytes came back otherwise", other.len()).into()),
        None => Err(format!("{what}: closed instead: {:?}", ws.close_info()).into()),
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T, what: &str) -> Result<(), Failure> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}").into()) }
}

/// Text that compresses, with characters of one to four bytes, exactly `size` bytes long.
fn text(size: usize) -> String {
    let line = "{\"id\": 1234, \"text\": \"grüße, 你好 🎉\"}\n";
    let mut text = line.repeat(size / line.len());
    text.extend(std::iter::repeat_n('x', size - text.len()));
    text
}

/// Returns bytes with almost all values.
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 7919 % 251) as u8).collect()
}
