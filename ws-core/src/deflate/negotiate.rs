//! Offer and answer (RFC 7692 sections 5.1 and 7.1).

use alloc::string::{String, ToString};

use super::params::{Agreed, Config, NegotiationError, WindowBits};

/// The name of the extension in `Sec-WebSocket-Extensions` (RFC 7692 section 7).
pub const EXTENSION_NAME: &str = "permessage-deflate";

/// Returns the server's choice: takes up the first of the client's offers that it can, in the client's order of preference.
///
/// `offers` are the parameter lists of the elements of `Sec-WebSocket-Extensions` that are named
/// [`EXTENSION_NAME`], values unquoted. Returns what is agreed and the element to put into the answer, or `None` to
/// answer without the extension. An offer with an unknown or repeated parameter or with an illegal value is declined
/// and the next one is tried (section 7.1, last paragraph).
///
/// The answer has only parameters that were offered, because some clients fail on one that they did not name: what the
/// server asks of itself (a smaller window, no context takeover) it keeps to without a word. The exception is
/// [`Config::client_no_context_takeover`], which is off by default and has no effect unless the client learns of it.
pub fn negotiate<'a, O, P>(offers: O, config: &Config) -> Option<(Agreed, String)>
where
    O: IntoIterator<Item = P>,
    P: IntoIterator<Item = (&'a str, Option<&'a str>)>,
{
    offers.into_iter().find_map(|params| {
        // §7.1: an offer with a parameter that is unknown, repeated or has an illegal value MUST be declined.
        let offer = Parameters::parse(params).ok()?;
        // §7.1.2.1: a valid server_max_window_bits in an offer has a value, and is accepted by being answered. A window
        // that was not offered needs no answer: data made with a smaller one inflates in a larger one.
        let (server_bits, answered_server_bits) = match offer.server_max_window_bits {
            Some(None) => return None,
            Some(Some(offered)) => {
                let bits = offered.min(config.server_max_window_bits);
                (bits, Some(bits))
            }
            None => (config.server_max_window_bits, None),
        };
        // §7.1.2.2: the server MUST NOT answer client_max_window_bits unless the client offered it.
        let client_bits = offer
            .client_max_window_bits
            .map(|hint| hint.unwrap_or(WindowBits::MAX).min(config.client_max_window_bits))
            .and_then(below_max);
        let answer = Parameters {
            // §7.1.1.1: the server accepts the parameter by including it.
            server_no_context_takeover: offer.server_no_context_takeover,
            // §7.1.1.2: in an offer a hint that costs the client nothing; every client MUST honour it in an answer.
            client_no_context_takeover: offer.client_no_context_takeover || config.client_no_context_takeover,
            server_max_window_bits: answered_server_bits.map(Some),
            client_max_window_bits: client_bits.map(Some),
        };
        let agreed = Agreed {
            server_no_context_takeover: offer.server_no_context_takeover || config.server_no_context_takeover,
            client_no_context_takeover: answer.client_no_context_takeover,
            server_max_window_bits: server_bits,
            // §7.1.2.2: without the parameter in the answer the client's window may have 15 bits.
            client_max_window_bits: client_bits.unwrap_or(WindowBits::MAX),
        };
        Some((agreed, answer.to_string()))
    })
}

/// Returns the client's offer: the element to put into `Sec-WebSocket-Extensions`.
///
/// It always offers `client_max_window_bits`, so that a server may choose a smaller window for what we send.
pub fn offer(config: &Config) -> String {
    Parameters {
        server_no_context_takeover: config.server_no_context_takeover,
        client_no_context_takeover: config.client_no_context_takeover,
        server_max_window_bits: below_max(config.server_max_window_bits).map(Some),
        client_max_window_bits: Some(below_max(config.client_max_window_bits)),
    }
    .to_string()
}

impl Agreed {
    /// Reads the server's answer to the [`offer`] that was made from `config`.
    ///
    /// `params` are the parameters of the element named [`EXTENSION_NAME`] in the answer, values unquoted.
    ///
    /// # Errors
    ///
    /// Any [`NegotiationError`]: the answer has an unknown, repeated or malformed parameter, a window above the
    /// offer, or lacks a parameter that the server had to answer. The client must fail the connection.
    pub fn from_response<'a, P>(params: P, config: &Config) -> Result<Self, NegotiationError>
    where
        P: IntoIterator<Item = (&'a str, Option<&'a str>)>,
    {
        let answer = Parameters::parse(params)?;
        // §7.1.1.1: the server accepts an offer with this parameter by including it in the answer.
        if config.server_no_context_takeover && !answer.server_no_context_takeover {
            return Err(NegotiationError::MissingParameter(SERVER_NO_CONTEXT_TAKEOVER));
        }
        let server_max_window_bits = answered_bits(
            SERVER_MAX_WINDOW_BITS,
            answer.server_max_window_bits,
            config.server_max_window_bits,
        )?;
        // §7.1.2.1: likewise.
        if server_max_window_bits.is_none() && config.server_max_window_bits < WindowBits::MAX {
            return Err(NegotiationError::MissingParameter(SERVER_MAX_WINDOW_BITS));
        }
        let client_max_window_bits = answered_bits(
            CLIENT_MAX_WINDOW_BITS,
            answer.client_max_window_bits,
            config.client_max_window_bits,
        )?;
        Ok(Self {
            server_no_context_takeover: answer.server_no_context_takeover,
            // §7.1.1.2: having offered it, we do without takeover even if the server does not answer it.
            client_no_context_takeover: answer.client_no_context_takeover
                || config.client_no_context_takeover,
            server_max_window_bits: server_max_window_bits.unwrap_or(WindowBits::MAX),
            // §7.1.2.2: without an answer the hint of our offer stands.
            client_max_window_bits: client_max_window_bits.unwrap_or(config.client_max_window_bits),
        })
    }
}

/// One element's parameters; `Some(None)` is a window parameter without a value.
#[derive(Default)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<Option<WindowBits>>,
    client_max_window_bits: Option<Option<WindowBits>>,
}

impl Parameters {
    fn parse<'a, P>(params: P) -> Result<Self, NegotiationError>
    where
        P: IntoIterator<Item = (&'a str, Option<&'a str>)>,
    {
        let mut parsed = Self::default();
        for (name, value) in params {
            match name {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    set_flag(&mut parsed.server_no_context_takeover, SERVER_NO_CONTEXT_TAKEOVER, value)?;
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    set_flag(&mut parsed.client_no_context_takeover, CLIENT_NO_CONTEXT_TAKEOVER, value)?;
                }
                SERVER_MAX_WINDOW_BITS => {
                    set_bits(&mut parsed.server_max_window_bits, SERVER_MAX_WINDOW_BITS, value)?;
                }
                CLIENT_MAX_WINDOW_BITS => {
                    set_bits(&mut parsed.client_max_window_bits, CLIENT_MAX_WINDOW_BITS, value)?;
                }
                _ => return Err(NegotiationError::UnknownParameter(name.to_string())),
            }
        }
        Ok(parsed)
    }
}

impl core::fmt::Display for Parameters {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(EXTENSION_NAME)?;
        for (name, present) in [
            (SERVER_NO_CONTEXT_TAKEOVER, self.server_no_context_takeover),
            (CLIENT_NO_CONTEXT_TAKEOVER, self.client_no_context_takeover),
        ] {
            if present {
                write!(f, "; {name}")?;
            }
        }
        for (name, bits) in [
            (SERVER_MAX_WINDOW_BITS, self.server_max_window_bits),
            (CLIENT_MAX_WINDOW_BITS, self.client_max_window_bits),
        ] {
            match bits {
                Some(Some(bits)) => write!(f, "; {name}={}", bits.get())?,
                Some(None) => write!(f, "; {name}")?,
                None => {}
            }
        }
        Ok(())
    }
}

fn set_flag(flag: &mut bool, name: &'static str, value: Option<&str>) -> Result<(), NegotiationError> {
    if *flag {
        return Err(NegotiationError::RepeatedParameter(name));
    }
    // §7.1.1: the parameter has no value.
    if value.is_some() {
        return Err(NegotiationError::UnexpectedValue(name));
    }
    *flag = true;
    Ok(())
}

fn set_bits(
    slot: &mut Option<Option<WindowBits>>,
    name: &'static str,
    value: Option<&str>,
) -> Result<(), NegotiationError> {
    if slot.is_some() {
        return Err(NegotiationError::RepeatedParameter(name));
    }
    *slot = Some(match value {
        None => None,
        // §7.1.2: a decimal integer without leading zeroes between 8 and 15 inclusive.
        Some(value) => Some(WindowBits::parse(value).ok_or_else(|| NegotiationError::InvalidWindowBits {
            parameter: name,
            value: value.to_string(),
        })?),
    });
    Ok(())
}

/// A window parameter of an answer: it has a value, and one that is not above ours (sections 7.1.2.1, 7.1.2.2).
fn answered_bits(
    name: &'static str,
    answered: Option<Option<WindowBits>>,
    offered: WindowBits,
) -> Result<Option<WindowBits>, NegotiationError> {
    match answered {
        None => Ok(None),
        Some(None) => Err(NegotiationError::MissingValue(name)),
        Some(Some(bits)) if bits > offered => Err(NegotiationError::AboveOffer {
            parameter: name,
            offered: offered.get(),
            answered: bits.get(),
        }),
        Some(Some(bits)) => Ok(Some(bits)),
    }
}

/// 15 bits is what the absence of the parameter means, so it need not be said.
fn below_max(bits: WindowBits) -> Option<WindowBits> {
    (bits < WindowBits::MAX).then_some(bits)
}

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";
