//! Cases of HTTP/1.1 on a stream of HTTP/2: the same frames and expectations after another opening handshake.

use super::{
    Move,
    cases::PERMIT,
    head::{answer, connect},
};
use crate::{
    native::{
        probe::{Act, Probe, Variant, Want, maybe},
        script::{Case, Script},
        target::Version,
    },
    role::Role,
};

/// Returns the case on a stream, with the same id; `None` if it tests the opening handshake of HTTP/1.1 or what comes
/// before it.
pub(in crate::native::probe) fn on_a_stream(case: Case) -> Option<Case> {
    let Script::Probe(probe) = &case.script else { return None };
    let variants = probe.variants.iter().map(|variant| opened(probe.tested, variant));
    let accepted = probe.accepted.iter().map(|(behavior, course)| (*behavior, moved(probe.tested, course)));
    let probe = Probe {
        variants: variants.collect::<Option<_>>()?,
        accepted: accepted.collect(),
        version: Version::Http2,
        ..(**probe).clone()
    };
    Some(Case { script: Script::Probe(Box::new(probe)), ..case })
}

/// Replaces the opening handshake, which must come first.
fn opened(tested: Role, variant: &Variant) -> Option<Variant> {
    let (opening, rest) = match (tested, &variant.acts[..]) {
        (Role::Server, [Act::Head(head), Act::Answer, rest @ ..]) => {
            let mut request = connect();
            let extensions = head.value("sec-websocket-extensions");
            if !extensions.is_empty() {
                request = request.with("sec-websocket-extensions", extensions.trim());
            }
            (vec![Act::Http2(Move::Begin(Vec::new())), Act::Http2(Move::Head(request)), Act::Answer], rest)
        }
        (Role::Client, [Act::Head(_), rest @ ..]) => {
            let begin = Act::Http2(Move::Begin(PERMIT.to_vec()));
            (vec![begin, Act::Http2(Move::Asked), Act::Http2(Move::Head(answer("200")))], rest)
        }
        _ => return None,
    };
    Some(Variant { name: variant.name.clone(), acts: [&opening[..], rest].concat() })
}

/// Returns the events over HTTP/2.
fn moved(tested: Role, course: &[Want]) -> Vec<Want> {
    // Every connection begins with SETTINGS (RFC 9113 section 3.4).
    let settings = match (tested, course.first()) {
        (_, Some(Want::Rest)) => None,
        (Role::Server, _) => Some(Want::Permits),
        (Role::Client, _) => Some(Want::Settings),
    };
    // The end of a stream; a stream may be reset after its end (RFC 9113 section 5.1).
    let ends = |want: &Want| match want {
        Want::End => vec![Want::End, maybe(Want::Aborted(&[]))],
        want => vec![want.clone()],
    };
    settings.into_iter().chain(course.iter().flat_map(ends)).collect()
}
