//! The `Date` of answers: RFC 9110 section 6.6.1.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::HeaderValue;

/// The value of `Date` for an answer that is written now. It is formatted once a second at most.
pub(crate) fn now() -> HeaderValue {
    static LAST: Mutex<Option<(u64, HeaderValue)>> = Mutex::new(None);
    at(seconds_since_the_epoch(), &mut LAST.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The value for this second, which is kept in `last`.
fn at(seconds: u64, last: &mut Option<(u64, HeaderValue)>) -> HeaderValue {
    match last {
        Some((second, value)) if *second == seconds => value.clone(),
        _ => last.insert((seconds, format(seconds))).1.clone(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "RFC 9110 section 6.6.1 asks for a date; nothing is measured by it"
)]
fn seconds_since_the_epoch() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// RFC 9110 section 5.6.7: an IMF-fixdate, in GMT.
fn format(seconds: u64) -> HeaderValue {
    // The form has four digits for the year.
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.min(END_OF_9999));
    // It consists of letters, digits, spaces, a comma and colons.
    HeaderValue::from_str(&httpdate::fmt_http_date(date)).unwrap_or(HeaderValue::from_static(EPOCH))
}

const END_OF_9999: u64 = 253_402_300_799;
const EPOCH: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_the_form_of_rfc_9110_whatever_the_clock_says() {
        // RFC 9110 §5.6.7.
        assert_eq!(format(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(format(0), EPOCH);
        for far in [END_OF_9999, END_OF_9999 + 1, u64::MAX] {
            assert_eq!(format(far), "Fri, 31 Dec 9999 23:59:59 GMT");
        }
    }

    #[test]
    fn the_date_is_formatted_once_a_second_and_never_stale() {
        let mut last = None;
        assert_eq!(at(784_111_777, &mut last), format(784_111_777));
        assert_eq!(at(784_111_778, &mut last), format(784_111_778));
        // What is kept is returned as it is in the same second.
        last = Some((784_111_779, HeaderValue::from_static("kept")));
        assert_eq!(at(784_111_779, &mut last), "kept");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the clock is what the date is compared with")]
    fn the_date_is_that_of_the_clock() {
        let clock = SystemTime::now();
        let date = httpdate::parse_http_date(now().to_str().unwrap()).unwrap();
        let after = SystemTime::now();
        assert!(date + Duration::from_secs(1) > clock && date <= after, "{date:?} {clock:?}");
    }
}
