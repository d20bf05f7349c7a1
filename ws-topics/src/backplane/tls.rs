//! What to do when a connection cannot be encrypted.

/// What to do about an error, if it is about certificates: the clients of NATS and Redis report them as text only.
pub(crate) fn advice(cause: &str) -> Option<&'static str> {
    if cause.contains("UnknownIssuer") {
        Some(
            "add the authority of the server to those that the system trusts, or name a file with it in SSL_CERT_FILE",
        )
    } else if cause.contains("invalid peer certificate") {
        Some(
            "set a host in the URL for which the certificate is valid, or give the server another certificate",
        )
    } else if cause.contains("InvalidContentType") {
        Some("the server does not encrypt there: let it, or write the URL without TLS")
    } else if cause.contains("PEM") || cause.contains("platform certs") {
        Some(
            "let SSL_CERT_FILE name a file of certificates, or leave it out for those that the system trusts",
        )
    } else {
        None
    }
}
