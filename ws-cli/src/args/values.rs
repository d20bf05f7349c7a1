//! How the values of options are read.

use std::net::SocketAddr;
use std::time::Duration;

/// A time in seconds, with or without a fraction; `inf` never ends.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write it in seconds, for example 5 or 0.5".to_owned())?;
    if seconds.is_nan() || seconds < 0.0 {
        return Err("it must not be negative".into());
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

pub(super) fn positive(text: &str) -> Result<Duration, String> {
    match seconds(text) {
        Ok(Duration::ZERO) => Err("it must be longer than zero".into()),
        other => other,
    }
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "it must be a number of at least 1".into())
}

pub(super) fn memory(text: &str) -> Result<usize, String> {
    let bytes = text.parse().ok().filter(|bytes| *bytes >= 1 << 20);
    bytes.ok_or_else(|| "it must be a number of bytes, at least 1048576; without this option it is half of what the system has".into())
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    // A port alone is one of loopback.
    if let Ok(port) = text.parse::<u16>() {
        return Ok(([127, 0, 0, 1], port).into());
    }
    text.parse().map_err(|_| "write it as address:port, for example 127.0.0.1:9001 or [::1]:0".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_and_never_negative() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("inf"), Ok(Duration::MAX));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        for wrong in ["", "5s", "-1", "NaN"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert!(positive("0").is_err());
    }

    #[test]
    fn an_address_may_be_a_port() {
        assert_eq!(address("80").unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(address("[::1]:80").unwrap().to_string(), "[::1]:80");
        assert!(address("localhost:80").unwrap_err().contains("address:port"));
    }
}
