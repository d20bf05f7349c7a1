//! The delay that a server asks for: `Retry-After` (RFC 9110 section 10.2.3).

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, HeaderName, RETRY_AFTER};

/// Returns the time until then: see [`ConnectError::retry_after`](crate::ConnectError::retry_after).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    until(headers, today)
}

fn until(headers: &HeaderMap, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // delay-seconds = 1*DIGIT: the grammar has no largest number.
        value.parse().map_or(MOST, Duration::from_secs)
    } else {
        let then = date(headers, &RETRY_AFTER)?;
        then.duration_since(date(headers, &DATE).unwrap_or_else(now)).unwrap_or_default()
    };
    Some(delay.min(MOST))
}

/// A field that is a date, in any of the three forms of RFC 9110 section 5.6.7.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?.trim()).ok()
}

#[expect(clippy::disallowed_methods, reason = "a date is relative to the wall clock; the delay is bounded")]
fn today() -> SystemTime {
    SystemTime::now()
}

/// A bound that callers can add to any `Instant` without overflow.
const MOST: Duration = Duration::from_secs(365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "Sun, 06 Nov 1994 12:00:00 GMT";

    fn seconds(retry_after: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        // One minute before noon by this machine's clock.
        let today = || httpdate::parse_http_date("Sun, 06 Nov 1994 11:59:00 GMT").unwrap();
        until(&headers, today).map(|delay| delay.as_secs())
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        const YEAR: u64 = 365 * 86_400;
        for (value, date, expected) in [
            ("0", None, Some(0)),
            ("120", None, Some(120)),
            (" 5 ", None, Some(5)),
            ("99999999999999999999999999", None, Some(YEAR)),
            ("18446744073709551615", None, Some(YEAR)),
            // Counted from the server's own clock, where it shows it.
            ("Sun, 06 Nov 1994 12:00:30 GMT", Some(NOON), Some(30)),
            ("Sun, 06 Nov 1994 12:00:30 GMT", None, Some(90)),
            ("Sun, 06 Nov 1994 12:00:30 GMT", Some("yesterday"), Some(90)),
            // The obsolete forms.
            ("Sunday, 06-Nov-94 12:00:30 GMT", Some(NOON), Some(30)),
            ("Sun Nov  6 12:00:30 1994", Some(NOON), Some(30)),
            ("Sun, 06 Nov 1994 11:00:00 GMT", Some(NOON), Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(NOON), Some(YEAR)),
            ("", None, None),
            ("-1", None, None),
            ("+5", None, None),
            ("1.5", None, None),
            ("soon", None, None),
            ("Sun, 06 Nov 1994 25:00:00 GMT", None, None),
        ] {
            assert_eq!(seconds(value, date), expected, "{value} at {date:?}");
        }
        assert_eq!(until(&HeaderMap::new(), || unreachable!()), None);
    }
}
