//! Who may ask: the key, and where a request comes from.
//!
//! A page in a browser can send requests to this machine, and let a name of its own lead to it
//! (DNS rebinding). So a request whose `Host` is not this server, or whose `Origin` is another's
//! page, is refused; with a key, `Host` may be any, since no page knows the key.

use super::error::ApiError;
use crate::report::Failure;
use core::net::{IpAddr, SocketAddr};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, HOST, HeaderMap, HeaderName, ORIGIN};
use std::net::ToSocketAddrs;
use std::path::Path;

/// Longest key.
const MAX_KEY_BYTES: u64 = 1024;

/// What a request must bring.
pub(super) struct Guard {
    key: Option<Vec<u8>>,
    /// The name or address that the server listens at.
    host: String,
}

impl Guard {
    /// A guard with the key of `key_file` for a server at `host`.
    pub(super) fn new(host: &str, key_file: Option<&Path>) -> Result<Self, Failure> {
        let key = key_file.map(read_key).transpose()?;
        Ok(Self { key, host: host.to_ascii_lowercase() })
    }

    /// The addresses to listen at, which are of this machine alone if there is no key.
    pub(super) fn addresses(&self, port: u16) -> Result<Vec<SocketAddr>, Failure> {
        let addresses = (&self.host[..], port).to_socket_addrs();
        let addresses: Vec<SocketAddr> = addresses
            .map_err(|error| Failure::new(format_args!("--host: {}: {error}", self.host)))?
            .collect();
        if self.key.is_none() && addresses.iter().any(|address| !address.ip().is_loopback()) {
            return Err(Failure::usage(format_args!(
                "--host: {} is open to other machines: give a key, --api-key-file FILE",
                self.host
            )));
        }
        Ok(addresses)
    }

    /// Refuses what comes from a foreign page.
    pub(super) fn check_source(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let forbidden = |message| Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message));
        let host = single(headers, &HOST)?;
        let Some(host) = host else {
            return Err(ApiError::invalid("the header Host is missing"));
        };
        if self.key.is_none() && !self.is_own(host_of(host)) {
            return forbidden("Host: the server has another name");
        }
        let Some(origin) = single(headers, &ORIGIN)? else { return Ok(()) };
        let page = origin.split_once("://").map_or("", |(_, page)| page);
        if self.is_own(host_of(page)) || page.eq_ignore_ascii_case(host) {
            return Ok(());
        }
        forbidden("Origin: another site's page may not ask")
    }

    /// Refuses what comes without the key.
    pub(super) fn check_key(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Some(key) = &self.key else { return Ok(()) };
        let given = single(headers, &AUTHORIZATION)?.and_then(|value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
        });
        if given.is_some_and(|given| same(given.as_bytes(), key)) {
            return Ok(());
        }
        let message = "the API key is missing or wrong: Authorization: Bearer KEY";
        Err(ApiError::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message))
    }

    /// Refuses bodies that are not plain.
    pub(super) fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
        match headers.get(CONTENT_ENCODING) {
            Some(encoding) if encoding != "identity" => Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_encoding",
                "Content-Encoding: bodies must be plain",
            )),
            _ => Ok(()),
        }
    }

    /// Whether `host` is a name of this server.
    fn is_own(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost")
            || host.eq_ignore_ascii_case(&self.host)
            || address.is_ok_and(|address| address.is_loopback())
    }
}

/// The value of a header that may come once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str()).transpose();
    match (value, values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(ApiError::invalid(format_args!("the header {name} is not what it must be"))),
    }
}

/// A host without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

/// Whether `given` is `key`, in a time that does not tell where they differ.
fn same(given: &[u8], key: &[u8]) -> bool {
    let mut differences = given.len() ^ key.len();
    for (index, &byte) in given.iter().enumerate() {
        differences |= usize::from(byte ^ key[index % key.len()]);
    }
    core::hint::black_box(differences) == 0
}

/// The first line of a file, which is a key.
fn read_key(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(|error| Failure::about(path, error))?;
    let mut text = Vec::new();
    file.take(MAX_KEY_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(|error| Failure::about(path, error))?;
    let key = text.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii();
    let is_key = (1..=MAX_KEY_BYTES as usize).contains(&key.len());
    if !is_key || !key.iter().all(u8::is_ascii_graphic) {
        let message = "the first line is no key: 1 to 1024 characters without spaces";
        return Err(Failure::about(path, message));
    }
    Ok(key.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(key: Option<&str>) -> Guard {
        Guard { key: key.map(|key| key.as_bytes().to_vec()), host: "board.local".into() }
    }

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn foreign_hosts_and_pages_are_refused() {
        let status = |key, pairs: &[(HeaderName, &str)]| {
            guard(key).check_source(&headers(pairs)).map_err(|error| error.status.as_u16())
        };
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "[::1]",
            "board.local:1",
        ] {
            assert_eq!(status(None, &[(HOST, host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil:80",
            "",
            "192.168.1.5",
            "[::2]:80",
            ":80",
        ] {
            assert_eq!(status(None, &[(HOST, host)]), Err(403), "{host}");
            assert_eq!(status(Some("k"), &[(HOST, host)]), Ok(()), "{host}");
        }
        assert_eq!(status(None, &[]), Err(400));
        let own = (HOST, "127.0.0.1:8080");
        for (origin, wanted) in [
            ("http://localhost:3000", Ok(())),
            ("http://127.0.0.1:8080", Ok(())),
            ("https://evil.example", Err(403)),
            ("null", Err(403)),
            ("http://127.0.0.1.evil.example", Err(403)),
        ] {
            assert_eq!(status(None, &[own.clone(), (ORIGIN, origin)]), wanted, "{origin}");
            assert_eq!(status(Some("k"), &[own.clone(), (ORIGIN, origin)]), wanted, "{origin}");
        }
        let public = (HOST, "192.168.1.5:8080");
        assert_eq!(status(Some("k"), &[public, (ORIGIN, "http://192.168.1.5:8080")]), Ok(()));
        let two: HeaderMap =
            [(HOST, "localhost"), (HOST, "x")].into_iter().fold(HeaderMap::new(), |mut map, it| {
                map.append(it.0, it.1.parse().unwrap());
                map
            });
        assert!(guard(None).check_source(&two).is_err());
    }

    #[test]
    fn a_key_is_compared_as_a_whole() {
        for (given, wanted) in [
            ("Bearer secret", true),
            ("bearer secret", true),
            ("Bearer secre", false),
            ("Bearer secretsecret", false),
            ("Bearer ", false),
            ("secret", false),
            ("Basic secret", false),
        ] {
            let headers = headers(&[(AUTHORIZATION, given)]);
            assert_eq!(guard(Some("secret")).check_key(&headers).is_ok(), wanted, "{given}");
            assert!(guard(None).check_key(&headers).is_ok());
        }
        assert!(guard(Some("secret")).check_key(&HeaderMap::new()).is_err());
    }
}
