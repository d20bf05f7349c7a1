//! Sections 12 and 13, permessage-deflate (RFC 7692): kinds of content, and what can be negotiated.
//!
//! Each subsection has the same eighteen sizes of messages and fragments. A message is sent when the previous one has
//! come back; all messages are pieces of one text or file, so that a window that is kept improves the compression.

use std::time::Duration;

use crate::native::{
    content::{Content, Data},
    deflate::{Demand, Offer},
    script::{Case, Delivery, Echo, Kind, Negotiation, Script},
};

const COMPRESSION: &str = "RFC 7692 section 7.2";
const PARAMETERS: &str = "RFC 7692 section 7.1";

/// The bytes of a message before compression, and of a fragment after it.
const SIZES: [(usize, Option<usize>); 18] = [
    (16, None),
    (64, None),
    (256, None),
    (1024, None),
    (4096, None),
    (8192, None),
    (16384, None),
    (32768, None),
    (65536, None),
    (131072, None),
    (8192, Some(256)),
    (16384, Some(256)),
    (32768, Some(256)),
    (65536, Some(256)),
    (131072, Some(256)),
    (131072, Some(1024)),
    (131072, Some(4096)),
    (131072, Some(32768)),
];

/// The contents of section 12, in order.
const CONTENTS: [Data; 5] = [Data::Json, Data::Bitmap, Data::Prose, Data::Html, Data::Document];

/// What Autobahn's client offers unless a case tests the offer: everything that a server may require.
const DEFAULT: Offer =
    Offer { server_no_takeover: false, server_bits: None, client_no_takeover: true, client_can_limit: true };

/// The demands on the other side that section 13 tests, in order: as a client by its offer, as a server by its answer.
/// The last subsection gives three alternatives.
const DEMANDS: [&[Demand]; 7] = [
    &[NOTHING],
    &[FORGET],
    &[Demand { no_takeover: false, bits: Some(9) }],
    &[Demand { no_takeover: false, bits: Some(15) }],
    &[FORGET_SMALL],
    &[Demand { no_takeover: true, bits: Some(15) }],
    &[FORGET_SMALL, FORGET, NOTHING],
];
const NOTHING: Demand = Demand { no_takeover: false, bits: None };
const FORGET: Demand = Demand { no_takeover: true, bits: None };
const FORGET_SMALL: Demand = Demand { no_takeover: true, bits: Some(9) };

pub(super) fn cases(volume: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for (data, sub) in CONTENTS.into_iter().zip(1..) {
        let negotiation = Negotiation { offers: vec![DEFAULT], demands: vec![NOTHING] };
        cases.extend(family((12, sub), COMPRESSION, data, "", &negotiation, volume));
    }
    for (demands, sub) in DEMANDS.into_iter().zip(1..) {
        let offers = demands.iter().map(|d| Offer {
            server_no_takeover: d.no_takeover,
            server_bits: d.bits,
            ..DEFAULT
        });
        let negotiation = Negotiation { offers: offers.collect(), demands: demands.to_vec() };
        let words: Vec<String> = demands.iter().map(words).collect();
        let words = format!("; the suite requires {}", words.join(", or alternatively "));
        cases.extend(family((13, sub), PARAMETERS, Data::Json, &words, &negotiation, volume));
    }
    cases
}

/// Returns the eighteen cases of a subsection.
fn family(
    (section, sub): (u16, u16),
    rule: &'static str,
    data: Data,
    words: &str,
    negotiation: &Negotiation,
    volume: usize,
) -> impl Iterator<Item = Case> {
    SIZES.into_iter().zip(1..).map(move |((len, fragment), n)| {
        let id = crate::case::CaseId { section, sub, item: Some(n) };
        let count = (volume / len).clamp(FEWEST, AUTOBAHNS);
        let cut = fragment.map_or(String::new(), |size| format!(" in fragments of {size} bytes"));
        let what = format!("{count} compressed messages of {len} bytes{cut}: {}{words}", data.name());
        let script = Script::Echo(Echo {
            kind: if data == Data::Json { Kind::Text } else { Kind::Binary },
            content: Content::Pieces(data),
            len,
            count,
            fragment,
            delivery: Delivery::Joined,
            deflate: Some(negotiation.clone()),
            limit: Duration::from_secs(if len < 1024 { 120 } else { 480 }),
        });
        Case { id, rule, what, script }
    })
}

fn words(demand: &Demand) -> String {
    match (demand.no_takeover, demand.bits) {
        (false, None) => "nothing".to_owned(),
        (true, None) => "no context takeover".to_owned(),
        (false, Some(bits)) => format!("a window of 2^{bits}"),
        (true, Some(bits)) => format!("no context takeover and a window of 2^{bits}"),
    }
}

/// How many messages Autobahn sends, and the fewest that a bounded case sends.
const AUTOBAHNS: usize = 1000;
const FEWEST: usize = 4;
