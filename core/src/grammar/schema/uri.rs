//! URIs of schemas, resolved as RFC 3986, section 5.2, says; fragments are left out.

use super::value::Text;

/// Longest URI.
const MAX_BYTES: usize = 256;

pub(super) type Uri = heapless::Vec<u8, MAX_BYTES>;

/// A URI's parts, without the marks between them.
struct Parts<'u> {
    scheme: Option<&'u [u8]>,
    authority: Option<&'u [u8]>,
    path: &'u [u8],
    query: Option<&'u [u8]>,
}

fn split(bytes: &[u8], at: usize, mark: usize) -> (&[u8], &[u8]) {
    (bytes.get(..at).unwrap_or_default(), bytes.get(at + mark..).unwrap_or_default())
}

impl<'u> Parts<'u> {
    fn of(uri: &'u [u8]) -> Self {
        let ends = |marks: &'static [u8]| move |byte: &u8| marks.contains(byte);
        let mut rest = uri;
        let mut scheme = None;
        if let Some(at) = rest.iter().position(ends(b":/?"))
            && rest.get(at) == Some(&b':')
            && rest.first().is_some_and(u8::is_ascii_alphabetic)
        {
            let (before, after) = split(rest, at, 1);
            (scheme, rest) = (Some(before), after);
        }
        let mut authority = None;
        if let Some(after) = rest.strip_prefix(b"//") {
            let at = after.iter().position(ends(b"/?")).unwrap_or(after.len());
            let (before, after) = split(after, at, 0);
            (authority, rest) = (Some(before), after);
        }
        let at = rest.iter().position(ends(b"?"));
        let (path, query) = match at {
            Some(at) => (split(rest, at, 1).0, Some(split(rest, at, 1).1)),
            None => (rest, None),
        };
        Self { scheme, authority, path, query }
    }
}

/// The text before its fragment, as bytes; `None` where it is too long.
pub(super) fn of_text(text: Text<'_>) -> Option<Uri> {
    let mut uri = Uri::new();
    for point in text.before('#') {
        let mut bytes = [0; 4];
        let character = char::from_u32(point)?.encode_utf8(&mut bytes);
        uri.extend_from_slice(character.as_bytes()).ok()?;
    }
    Some(uri)
}

/// What `reference` means from `base`; `None` where it is too long.
pub(super) fn resolve(base: &[u8], reference: &[u8]) -> Option<Uri> {
    if reference.is_empty() {
        return Uri::from_slice(base).ok();
    }
    let (own, from) = (Parts::of(reference), Parts::of(base));
    let mut path = Uri::new();
    let (mut authority, mut query) = (own.authority, own.query);
    if own.scheme.is_none() && own.authority.is_none() {
        authority = from.authority;
        if own.path.is_empty() {
            path.extend_from_slice(from.path).ok()?;
            query = query.or(from.query);
        } else if !own.path.starts_with(b"/") {
            let end = from.path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
            let folder = split(from.path, end, 0).0;
            let needs_root = folder.is_empty() && authority.is_some();
            path.extend_from_slice(if needs_root { b"/" } else { folder }).ok()?;
        }
    }
    if !own.path.is_empty() {
        path.extend_from_slice(own.path).ok()?;
    }
    let mut uri = Uri::new();
    if let Some(scheme) = own.scheme.or(from.scheme) {
        uri.extend_from_slice(scheme).ok()?;
        uri.push(b':').ok()?;
    }
    if let Some(authority) = authority {
        uri.extend_from_slice(b"//").ok()?;
        uri.extend_from_slice(authority).ok()?;
    }
    push_without_dots(&mut uri, &path)?;
    if let Some(query) = query {
        uri.push(b'?').ok()?;
        uri.extend_from_slice(query).ok()?;
    }
    Some(uri)
}

/// Appends a path without its `.` and `..`.
fn push_without_dots(uri: &mut Uri, path: &[u8]) -> Option<()> {
    let start = uri.len();
    let mut segments = path.split(|&byte| byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b"." => {}
            b".." => {
                // The slash behind the segment before, and that segment.
                let own = uri.get(start..uri.len().saturating_sub(1)).unwrap_or_default();
                let end = own.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
                let is_root = path.starts_with(b"/") && end == 0;
                uri.truncate(start + end + usize::from(is_root));
            }
            _ => {
                uri.extend_from_slice(segment).ok()?;
                if !is_last {
                    uri.push(b'/').ok()?;
                }
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    /// RFC 3986, section 5.4.
    #[test]
    fn references_resolve_as_the_rfc_says() {
        let base = b"http://a/b/c/d;p?q";
        for (reference, expected) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g/../h", "http://a/b/c/h"),
        ] {
            let uri = resolve(base, reference.as_bytes()).unwrap();
            assert_eq!(core::str::from_utf8(&uri), Ok(expected), "{reference}");
        }
        assert_eq!(resolve(b"", b"node").unwrap(), b"node");
        assert_eq!(resolve(b"http://a", b"b").unwrap(), b"http://a/b");
        assert_eq!(resolve(b"urn:uuid:1", b"").unwrap(), b"urn:uuid:1");
    }
}
