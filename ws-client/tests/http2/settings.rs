//! What the client says of itself when an HTTP/2 connection begins.

use super::frames::*;
use super::opening::listen;
use super::peer::*;
use ws_client::Http2Config;

#[tokio::test]
async fn the_settings_of_the_options_are_sent() {
    let (listener, url) = listen().await;
    let http2 = Http2Config::default().stream_window(100_000).connection_window(200_000);
    let client = options().http2(http2.max_header_list_size(5000)).build().unwrap();
    let connecting = tokio::spawn(async move { client.connect(url).await });
    let mut peer = Bytewise::settled(&listener, ALLOW).await;
    let (settings, _) = peer.until(SETTINGS).await;
    let sent: Vec<_> = settings
        .payload
        .chunks(6)
        .map(|entry| (entry[1], u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]])))
        .collect();
    // RFC 9113 §6.5.2: no push, the window of a stream, the size of a head. RFC 8441 §3: 8 is the server's.
    for expected in [(2, 0), (4, 100_000), (6, 5000)] {
        assert!(sent.contains(&expected), "{expected:?}: {sent:?}");
    }
    assert!(sent.iter().all(|(id, _)| *id != 8), "{sent:?}");
    let (update, _) = peer.until(8).await;
    assert_eq!((update.stream, &update.payload[..]), (0, &(200_000u32 - 65_535).to_be_bytes()[..]));
    connecting.abort();
}

#[test]
fn settings_that_http_2_cannot_have_are_refused_when_the_client_is_built() {
    let error = options().http2(Http2Config::default().stream_window(0)).build().unwrap_err();
    assert!(error.to_string().contains("http2.stream_window"), "{error}");
}
