//! Every address that is accepted means what it means to `url`, which reads addresses as browsers do.

use percent_encoding::percent_decode_str;
use url::{Position, Url};

use super::*;

/// Checks that an address, if it is accepted, means what `url` reads; whether it is accepted.
#[track_caller]
fn compare(text: &str) -> bool {
    let Ok((address, credentials)) = Address::parse(text) else { return false };
    let mut url = Url::parse(text.trim()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let decoded = |text: &str| percent_decode_str(text).collect::<Vec<_>>();
    let (username, password) = credentials.unwrap_or_default();
    assert_eq!(decoded(username), decoded(url.username()), "{text:?}");
    assert_eq!(decoded(password), decoded(url.password().unwrap_or_default()), "{text:?}");
    url.set_username("").unwrap();
    url.set_password(None).unwrap();
    same(text, &address, &url);
    let again = Address::parse(address.as_str()).unwrap().0;
    assert_eq!(again.as_str(), address.as_str(), "{text:?}");
    true
}

#[track_caller]
fn same(text: &str, address: &Address, url: &Url) {
    assert_eq!(address.as_str(), url.as_str(), "{text:?}");
    assert_eq!(address.is_secure(), url.scheme() == "wss", "{text:?}");
    let host = match url.host().unwrap() {
        url::Host::Domain(name) => Host::Domain(name),
        url::Host::Ipv4(ip) => Host::Ipv4(ip),
        url::Host::Ipv6(ip) => Host::Ipv6(ip),
    };
    assert_eq!(address.host(), host, "{text:?}");
    assert_eq!(Some(address.port()), url.port_or_known_default(), "{text:?}");
    assert_eq!(address.target(), &url[Position::BeforePath..Position::AfterQuery], "{text:?}");
    assert_eq!(address.authority(), &url[Position::BeforeHost..Position::AfterPort], "{text:?}");
}

/// Checks that a `Location`, if it is followed, leads where `url` leads; whether it is followed.
#[track_caller]
fn compare_join(base: &str, reference: &str) -> bool {
    let from = Address::parse(base).unwrap().0;
    let Ok(address) = from.join(reference) else { return false };
    let mut url = Url::parse(base).unwrap().join(reference).unwrap();
    let scheme = url.scheme().replace("http", "ws");
    url.set_scheme(&scheme).unwrap();
    url.set_fragment(None);
    url.set_username("").unwrap();
    url.set_password(None).unwrap();
    same(reference, &address, &url);
    true
}

#[test]
fn an_accepted_address_means_what_it_means_in_a_browser() {
    for text in [
        "ws://h",
        " ws://h\t",
        "WS://Example.COM",
        "wss://h:443",
        "wss://h:80?q",
        "ws://h:080/",
        "ws://h:/",
        "ws://[2001:DB8:0:0:1:0:0:1]:9001/",
        "ws://[::ffff:1.2.3.4]/",
        "ws://[::1.2.3.4]/",
        "ws://127.0.0.1.:8/",
        "ws://1.2.3.4.example/",
        "ws://a.b.c.:8/",
        "ws://a_b-c.~!$&'()*+,;=/",
        "ws://xn--bcher-kva.example/",
        "ws://u:p%40@q:r@h/",
        "ws://@h/",
        "ws://:@h/",
        "ws://:p@h/",
        "ws://ü ^[]@h/",
        "ws://h/a b/ü/\"<>`{}|^[]~!$&'()*+,;=:@%%zz%41",
        "ws://h?a b=ü\"<>`{}|^[]\\~!$&'()*+,;=:@/?%%zz%41",
        "ws://h/./a/../b//c/%2e/%2E%2e/d/.",
        "ws://h/../..",
        "ws://h/...",
    ] {
        assert!(compare(text), "{text:?}: {}", Address::parse(text).unwrap_err());
    }
}

#[test]
fn a_location_leads_where_a_browser_goes() {
    for reference in [
        "",
        "?",
        "?x",
        "x",
        "./x",
        "../x",
        "../../../x",
        "x/..",
        "/",
        "/x?y#z",
        "#z",
        "//g",
        "//g:1/x",
        "ws://g/",
        "HTTP://g:80",
        "https://g:443/",
        "https://g:80/",
        "x/y:z",
        "?a:b",
        "/a:b",
        "a b",
    ] {
        assert!(compare_join("ws://h:81/a/b/c?d", reference), "{reference:?}");
    }
    for reference in ["a:b", "http:g", "ftp://g/", "///g", "/\\g", "\\\\g", "//g\\@h", "x\ty"] {
        assert!(!compare_join("ws://h/", reference), "{reference:?}");
    }
}

/// Without `|`: before a `..` the crate keeps `B|` as a Windows drive, which the URL standard does for `file:` only.
const PIECES: [&str; 63] = [
    "a",
    "B",
    "1",
    "0",
    "127.0.0.1",
    "0x7f",
    "08",
    "255",
    "256",
    ".",
    "..",
    "...",
    "/",
    "//",
    "/.",
    "/..",
    "%2e",
    "%2E",
    "?",
    "#",
    "@",
    ":",
    ":80",
    ":443",
    ":081",
    "[",
    "]",
    "::1",
    "[::1]",
    "[::ffff:1.2.3.4]",
    "[2001:DB8::]",
    "[1:0:0:2:0:0:0:3]",
    "%20",
    " ",
    "\t",
    "\\",
    "'",
    "\"",
    "<",
    ">",
    "`",
    "{",
    "}",
    "^",
    "~",
    "&",
    "=",
    "+",
    "é",
    "😀",
    "ß",
    "\u{7f}",
    "\0",
    ";",
    "_",
    "-",
    "%",
    "%zz",
    "ws://",
    "http://",
    "wss:",
    "example.com",
    "u:p@",
];

/// Texts of random pieces, the same in each run.
fn random_texts() -> impl Iterator<Item = String> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        // xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 40).unwrap()
    };
    (0..60_000).map(move |_| (0..1 + next() % 9).map(|_| PIECES[next() % PIECES.len()]).collect())
}

#[test]
fn no_random_address_that_is_accepted_means_anything_else_in_a_browser() {
    let accepted = random_texts().filter(|text| compare(text) | compare(&format!("ws://{text}"))).count();
    let with_host = random_texts().filter(|text| compare(&format!("wss://h{text}"))).count();
    assert!(accepted > 1000 && with_host > 2000, "{accepted} {with_host}");
}

#[test]
fn no_random_location_that_is_followed_leads_elsewhere_in_a_browser() {
    let followed = random_texts().filter(|text| compare_join("wss://h:81/a/b?c", text)).count();
    assert!(followed > 2000, "{followed}");
}
