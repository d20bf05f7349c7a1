use super::*;

/// What is learned from fields of that name, each with one of these values, that came from 10.0.0.1.
fn learned(fields: ForwardedFields, lines: &[(&'static str, &[u8])]) -> Peer {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_bytes(value).unwrap());
    }
    let mut peer = Peer::new(Some("10.0.0.1:5".parse().unwrap()));
    let proxies = ProxyOptions::default().trusted("10.0.0.0/8,2001:db8::/32".parse().unwrap()).fields(fields);
    learn(&mut peer, &headers, &proxies);
    peer
}

fn client(fields: ForwardedFields, name: &'static str, values: &[&str]) -> String {
    let lines: Vec<_> = values.iter().map(|value| (name, value.as_bytes())).collect();
    learned(fields, &lines).client.unwrap().to_string()
}

#[test]
fn the_client_is_the_right_most_address_that_is_no_trusted_proxy() {
    let client = |values: &[&str]| client(ForwardedFields::XForwarded, "x-forwarded-for", values);
    for (values, address) in [
        (&["192.0.2.1"][..], "192.0.2.1:0"),
        (&["203.0.113.9, 192.0.2.1"], "192.0.2.1:0"),
        (&["203.0.113.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1:0"),
        (&["203.0.113.9", "192.0.2.1", "10.0.0.2,, 10.0.0.3"], "192.0.2.1:0"),
        // Without any other the farthest of the proxies is the client.
        (&["10.0.0.9, 10.0.0.2"], "10.0.0.9:0"),
        (&["192.0.2.1:8080, 10.0.0.2:9"], "192.0.2.1:8080"),
        (&["[2001:db9::1]:7, 2001:db8::2"], "[2001:db9::1]:7"),
        (&["2001:db9::1 , [2001:db8::2]"], "[2001:db9::1]:0"),
        // What is no address ends the search: the proxy that wrote it is the last that is known.
        (&["192.0.2.1, unknown"], "10.0.0.1:5"),
        (&["192.0.2.1, \"10.0.0.2\""], "10.0.0.1:5"),
        (&["192.0.2.1, x, 10.0.0.2"], "10.0.0.2:0"),
        (&["192.0.2.1:99999"], "10.0.0.1:5"),
        (&[""], "10.0.0.1:5"),
        (&[], "10.0.0.1:5"),
    ] {
        assert_eq!(client(values), address, "{values:?}");
    }
}

#[test]
fn elements_of_forwarded_are_read_from_the_right_whatever_a_client_has_put_before() {
    let client = |values: &[&str]| client(ForwardedFields::Forwarded, "forwarded", values);
    for (values, address) in [
        (&["for=192.0.2.1"][..], "192.0.2.1:0"),
        (&["For=\"192.0.2.1:47011\";proto=https;by=10.0.0.1"], "192.0.2.1:47011"),
        (&["for=203.0.113.9, for=192.0.2.1;host=\"a,b\", for=10.0.0.2"], "192.0.2.1:0"),
        (&["for=\"[2001:db9::17]:4711\""], "[2001:db9::17]:4711"),
        (&["proto=http ; FOR = 192.0.2.1"], "10.0.0.1:5"),
        (&["proto=http; for=192.0.2.1"], "192.0.2.1:0"),
        // Quotes and backslashes of a client cannot hide what the proxy has added.
        (&["for=\"203.0.113.9, for=192.0.2.1"], "192.0.2.1:0"),
        (&["for=\"203.0.113.9\\, for=192.0.2.1"], "192.0.2.1:0"),
        (&["for=\"203.0.113.9", "for=192.0.2.1"], "192.0.2.1:0"),
        (&["\"\\\"\", for=\"192.0.2.1\""], "192.0.2.1:0"),
        (&["for=192.0.2.1, for=_hidden"], "10.0.0.1:5"),
        (&["for=192.0.2.1, for=unknown, for=10.0.0.2"], "10.0.0.2:0"),
        (&["for=192.0.2.1, proto=https"], "10.0.0.1:5"),
        (&["for=192.0.2.1;for=203.0.113.9"], "10.0.0.1:5"),
        (&["for=\"192.0.2.1\"x"], "10.0.0.1:5"),
        (&["for"], "10.0.0.1:5"),
    ] {
        assert_eq!(client(values), address, "{values:?}");
    }
}

#[test]
fn scheme_and_host_are_those_of_the_element_of_the_client() {
    let line = "for=203.0.113.9;proto=http;host=evil.example, for=192.0.2.1;proto=HTTPS;host=\"a.example:8443\", \
                for=10.0.0.2;proto=http;host=inner";
    let forwarded = learned(ForwardedFields::Forwarded, &[("forwarded", line.as_bytes())]).forwarded.unwrap();
    assert_eq!((forwarded.https, forwarded.host.as_deref()), (Some(true), Some("a.example:8443")));
    let lines: [(&str, &[u8]); 4] = [
        ("x-forwarded-proto", b"http"),
        ("x-forwarded-proto", b"ftp, wss"),
        ("x-forwarded-host", b"evil.example, a.example"),
        ("x-forwarded-for", b"192.0.2.1"),
    ];
    let forwarded = learned(ForwardedFields::XForwarded, &lines).forwarded.unwrap();
    assert_eq!((forwarded.https, forwarded.host.as_deref()), (Some(true), Some("a.example")));
    let lines: [(&str, &[u8]); 2] = [("x-forwarded-proto", b"ftp"), ("x-forwarded-host", b"\xff")];
    assert!(learned(ForwardedFields::XForwarded, &lines).forwarded.is_none());
}

#[test]
fn fields_of_the_other_family_and_of_peers_that_are_no_trusted_proxies_are_ignored() {
    let lines: [(&str, &[u8]); 3] =
        [("forwarded", b"for=192.0.2.1"), ("x-forwarded-for", b"192.0.2.2"), ("x-forwarded-proto", b"https")];
    let client = |fields| learned(fields, &lines).client.unwrap().to_string();
    assert_eq!(client(ForwardedFields::None), "10.0.0.1:5");
    assert_eq!(client(ForwardedFields::Forwarded), "192.0.2.1:0");
    assert_eq!(client(ForwardedFields::XForwarded), "192.0.2.2:0");
    assert!(learned(ForwardedFields::Forwarded, &lines).forwarded.is_none());

    let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.2"))]);
    let proxies = ProxyOptions::default().fields(ForwardedFields::XForwarded);
    let proxies = proxies.trusted("10.0.0.2".parse().unwrap());
    for addr in [Some("10.0.0.1:5".parse().unwrap()), None] {
        let mut peer = Peer::new(addr);
        learn(&mut peer, &headers, &proxies);
        assert_eq!(peer.client, addr);
    }
    let mut local = Peer::new(None);
    learn(&mut local, &headers, &proxies.trusted("unix".parse().unwrap()));
    assert_eq!(local.client.unwrap().to_string(), "192.0.2.2:0");
}
