//! The rows of the test of answers that a client receives.

/// Source of the rule, raw bytes, `open` or how the error begins.
pub(crate) type Row = (&'static str, &'static str, &'static str);

pub(crate) const LINES: &[(&str, &str)] = &[
    ("{101}", "HTTP/1.1 101 Switching Protocols\r\n"),
    ("{U}", "Upgrade: websocket\r\n"),
    ("{C}", "Connection: Upgrade\r\n"),
    ("{A}", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
    (
        "{UCA}",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    ),
    ("{P}", "Sec-WebSocket-Protocol"),
    ("{E}", "Sec-WebSocket-Extensions"),
    ("{100}", "HTTP/1.1 100 Continue\r\n\r\n"),
];

pub(crate) const STATUS_LINE: &[Row] = &[
    ("RFC 6455 §1.3", "{101}{UCA}\r\n", "open"),
    ("RFC 9112 §4", "HTTP/1.1 101 \r\n{UCA}\r\n", "open"),
    ("RFC 9112 §4, leniently", "HTTP/1.1 101\r\n{UCA}\r\n", "open"),
    ("RFC 9112 §4", "HTTP/1.1 101 G~\t g\r\n{UCA}\r\n", "open"),
    ("RFC 9110 §2.5", "HTTP/1.9 101 x\r\n{UCA}\r\n", "open"),
    ("RFC 9110 §7.8", "HTTP/1.0 101 x\r\n{UCA}\r\n", "the server switched protocols in HTTP/1.0"),
    (
        "RFC 9112 §2.3",
        "HTTP/2.0¶ 101 x\r\n{UCA}\r\n",
        "the server's response cannot be read: HTTP version 2.0",
    ),
    ("RFC 9112 §2.3", "h¶ttp/1.1 101 x\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §4", "\r¶\n{101}{UCA}\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §4", "HTTP/1.1  ¶101 x\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §4", "HTTP/1.1\t¶101 x\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §4", "HTTP/1.1 1x¶1 x\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §4", "HTTP/1.1 1011¶ x\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9110 §15", "HTTP/1.1 099¶ x\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §2.2", "HTTP/1.1 101\n¶{UCA}\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §2.2", "HTTP/1.1 101 x\n¶{UCA}\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §2.2", "HTTP/1.1 101 x\r\r¶\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §4", "HTTP/1.1 101 x\0¶\r\n", "the server's response cannot be read: malformed start"),
    ("HTTP/0.9", "<¶html>", "the server's response cannot be read: malformed start"),
    ("SSH", "S¶SH-2.0-OpenSSH\r\n", "the server's response cannot be read: malformed start"),
];

pub(crate) const FIELDS: &[Row] = &[
    ("RFC 9112 §5", "{101}uPGRADE:WebSocket\r\nconnection:\tUPGRADE \r\n{A}\r\n", "open"),
    ("RFC 9110 §7.6.1", "{101}{U}Connection: keep-alive, Upgrade\r\n{A}\r\n", "open"),
    ("RFC 9110 §5.3", "{101}{U}Connection: keep-alive\r\n{C}{A}\r\n", "open"),
    ("RFC 9112 §6.3", "{101}{UCA}Content-Length: 0\r\n\r\n", "open"),
    ("RFC 9112 §5.2", "{101}{UCA}X: a\r\n b\r\n\r\n", "open"),
    ("RFC 9112 §5.2", "{101}Upgrade:\r\n\twebsocket\r\n{C}{A}\r\n", "open"),
    ("RFC 9112 §5.2", "{101}{U}Connection: keep-alive,\r\n  Upgrade\r\n{A}\r\n", "open"),
    (
        "RFC 9112 §5.2",
        "{101}{U}{C}Sec-WebSocket-Accept:\r\n \r\n s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "open",
    ),
    ("RFC 9112 §5.2", "{101}{UCA}X: a\r\n \r\n\r\n", "open"),
    (
        "RFC 9112 §5.2: a space is not nothing",
        "{101}Upgrade: web\r\n socket\r\n{C}{A}\r\n",
        "the Upgrade field of",
    ),
    (
        "RFC 9112 §2.2",
        "{101} ¶X: a\r\n{UCA}\r\n",
        "the server's response cannot be read: malformed field line: it begins with whitespace",
    ),
    (
        "RFC 9112 §2.2",
        "{101}{UCA}X: a\r\n b\n¶\r\n",
        "the server's response cannot be read: malformed field line: a control character",
    ),
    (
        "RFC 9112 §2.2",
        "{101}{UCA}X: a\r\n \r ¶\r\n",
        "the server's response cannot be read: malformed field line: a CR without LF",
    ),
    (
        "RFC 9110 §5.1",
        "{101}{UCA}X: a\r\n b\r\n:¶\r\n",
        "the server's response cannot be read: malformed field line: a character that",
    ),
    (
        "RFC 9112 §5.1",
        "{101}Upgrade ¶: websocket\r\n",
        "the server's response cannot be read: malformed field line: whitespace before the colon",
    ),
    (
        "RFC 9112 §2.2",
        "{101}Upgrade: websocket\n¶{C}",
        "the server's response cannot be read: malformed field",
    ),
    ("RFC 9112 §2.2", "{101}X: \ry¶\r\n", "the server's response cannot be read: malformed field"),
    ("RFC 9110 §5.5", "{101}X: \0¶\r\n", "the server's response cannot be read: malformed field"),
    ("RFC 9112 §2.2", "{101}{UCA}\n¶", "the server's response cannot be read: malformed field"),
    ("RFC 6455 §4.1", "{101}{C}{A}\r\n", "the Upgrade field of"),
    ("RFC 6455 §4.1", "{101}Upgrade: h2c\r\n{C}{A}\r\n", "the Upgrade field of"),
    ("RFC 6455 §4.1", "{101}Upgrade: websocket2\r\n{C}{A}\r\n", "the Upgrade field of"),
    ("RFC 9110 §7.8", "{101}Upgrade: websocket, h2c\r\n{C}{A}\r\n", "open"),
    ("RFC 9110 §7.8", "{101}Upgrade: h2c ,, WebSocket\r\n{C}{A}\r\n", "open"),
    ("RFC 9110 §5.3", "{101}{U}{U}{C}{A}\r\n", "open"),
    ("RFC 9110 §5.3", "{101}Upgrade: h2c\r\n{U}Connection: close\r\n{C}{A}\r\n", "open"),
    ("RFC 6455 §4.1", "{101}Upgrade: websocket h2c\r\n{C}{A}\r\n", "the Upgrade field of"),
    ("RFC 6455 §4.1", "{101}Upgrade:\r\n{C}{A}\r\n", "the Upgrade field of"),
    ("RFC 6455 §4.1", "{101}{U}{A}\r\n", "the Connection field of"),
    ("RFC 6455 §4.1", "{101}{U}Connection: close\r\n{A}\r\n", "the Connection field of"),
    ("RFC 6455 §4.1", "{101}{U}Connection: Upgrades\r\n{A}\r\n", "the Connection field of"),
    ("RFC 6455 §4.1", "{101}{U}{C}\r\n", "the server's 101 has no Sec-WebSocket-Accept"),
    ("RFC 6455 §11.3.3", "{101}{UCA}{A}\r\n", "the server's 101 has more than one Sec-WebSocket-Accept"),
    (
        "RFC 6455 §4.1",
        "{101}{U}{C}Sec-WebSocket-Accept:\r\n\r\n",
        "the server's Sec-WebSocket-Accept does not",
    ),
    (
        "RFC 6455 §4.1",
        "{101}{U}{C}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n",
        "the server's Sec-WebSocket-Accept does not",
    ),
    (
        "RFC 6455 §4.1",
        "{101}{U}{C}Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\r\n\r\n",
        "the server's Sec-WebSocket-Accept does not",
    ),
    (
        "RFC 6455 §4.1",
        "{101}{U}{C}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n\r\n",
        "the server's Sec-WebSocket-Accept does not",
    ),
    (
        "RFC 6455 §4.1",
        "{101}{U}{C}Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "the server's Sec-WebSocket-Accept does not",
    ),
];

pub(crate) const CHOICES: &[Row] = &[
    ("RFC 6455 §4.1", "{101}{UCA}{P}: chat\r\n\r\n", "open"),
    ("RFC 6455 §4.1", "{101}{UCA}{P}:\t superchat \r\n\r\n", "open"),
    ("RFC 6455 §4.1", "{101}{UCA}{P}: other\r\n\r\n", "the server chose the subprotocol \"other\""),
    ("RFC 6455 §4.1", "{101}{UCA}{P}: Chat\r\n\r\n", "the server chose the subprotocol \"Chat\""),
    (
        "RFC 6455 §4.2.2",
        "{101}{UCA}{P}: chat, superchat\r\n\r\n",
        "the server's response has more than one Sec-W",
    ),
    (
        "RFC 6455 §4.2.2",
        "{101}{UCA}{P}: ,chat,,other\r\n\r\n",
        "the server's response has more than one Sec-W",
    ),
    ("RFC 9110 §5.6.1.2", "{101}{UCA}{P}:\r\n\r\n", "open"),
    ("RFC 9110 §5.6.1.2", "{101}{UCA}{P}: , ,\r\n\r\n", "open"),
    ("RFC 9110 §5.6.1.2", "{101}{UCA}{P}: chat, \r\n\r\n", "open"),
    ("RFC 9110 §5.6.1.2", "{101}{UCA}{P}:\r\n{P}: ,superchat\r\n\r\n", "open"),
    ("RFC 6455 §4.1", "{101}{UCA}{P}: other,\r\n\r\n", "the server chose the subprotocol \"other\""),
    (
        "RFC 6455 §11.3.4",
        "{101}{UCA}{P}: chat\r\n{P}: chat\r\n\r\n",
        "the server's response has more than one Sec-W",
    ),
    ("RFC 6455 §4.1", "{101}{UCA}{E}: permessage-deflate; server_max_window_bits=10\r\n\r\n", "open"),
    ("RFC 6455 §11.3.2", "{101}{UCA}{E}: permessage-deflate\r\n{E}: x-extra\r\n\r\n", "open"),
    (
        "RFC 6455 §4.1",
        "{101}{UCA}{E}: bbf-usp-protocol\r\n\r\n",
        "the server chose the extension \"bbf-usp-protocol\"",
    ),
    ("RFC 6455 §4.1", "{101}{UCA}{E}: permessage-deflate, y\r\n\r\n", "the server chose the extension \"y\""),
    (
        "RFC 7692 §5.1",
        "{101}{UCA}{E}: x-extra, x-extra\r\n\r\n",
        "the server chose the extension \"x-extra\" more than once",
    ),
    (
        "RFC 7692 §5.1",
        "{101}{UCA}{E}: x-extra\r\n{E}: x-extra;a\r\n\r\n",
        "the server chose the extension \"x-extra\" more",
    ),
    (
        "RFC 6455 §9.1",
        "{101}{UCA}{E}: permessage-deflate;\r\n\r\n",
        "Sec-WebSocket-Extensions is outside its grammar",
    ),
    (
        "RFC 6455 §9.1",
        "{101}{UCA}{E}: x-extra; a=\"\r\n\r\n",
        "Sec-WebSocket-Extensions is outside its grammar",
    ),
    ("RFC 9110 §5.6.1.2", "{101}{UCA}{E}:\r\n\r\n", "open"),
    ("RFC 9110 §5.6.1.2", "{101}{UCA}{E}: ,\r\n{E}: x-extra, \r\n\r\n", "open"),
    ("RFC 6455 §9.1", "{101}{UCA}{E}: ;\r\n\r\n", "Sec-WebSocket-Extensions is outside its grammar"),
];

pub(crate) const OTHER_ANSWERS: &[Row] = &[
    ("RFC 9110 §15.2", "{100}{101}{UCA}\r\n", "open"),
    ("RFC 8297", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n{101}{UCA}\r\n", "open"),
    ("contract: 8", "{100}{100}{100}{100}{100}{100}{100}{100}{101}{UCA}\r\n", "open"),
    (
        "contract: 8",
        "{100}{100}{100}{100}{100}{100}{100}{100}{100}¶{101}{UCA}\r\n",
        "the server sent more than 8 interim",
    ),
    (
        "RFC 6455 §4.1",
        "HTTP/1.1 200 OK\r\n{UCA}\r\n¶hello",
        "the server refused the handshake with status 200 OK",
    ),
    (
        "RFC 6455 §4.1",
        "HTTP/1.1 301 x\r\nLocation: /y\r\n\r\n",
        "the server refused the handshake with status 301",
    ),
    (
        "RFC 6455 §4.1",
        "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic\r\n\r\n",
        "the server refused the handshake with status 401",
    ),
    ("RFC 6455 §4.1", "HTTP/1.0 503 x\r\n\r\n", "the server refused the handshake with status 503"),
    (
        "RFC 6455 §4.1",
        "{100}HTTP/1.1 404 Not Found\r\n\r\n",
        "the server refused the handshake with status 404",
    ),
    ("RFC 9110 §15", "HTTP/1.1 999 x\r\n\r\n", "the server refused the handshake with status 999"),
];
