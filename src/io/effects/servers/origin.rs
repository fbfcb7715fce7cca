//! Which pages may open a connection to a room: those that this server's own host served, and whoever is no page.

use axum::http::{HeaderMap, HeaderValue, header};
use coalmine_actors::effects::origin::Origin;

/// Whether a request with these headers comes from a page of the same host, or from no page at all. A browser says which
/// page it was; any other program may leave that out.
pub(super) fn is_home(headers: &HeaderMap, on_loopback: bool) -> bool {
    let mut named = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = named.next() else { return true };
    let page = parse(origin, "");
    // The host as that page would name it: a port that is left out is its scheme's.
    let scheme = page.as_ref().map_or("http", |page| page.scheme().name());
    let host = headers.get(header::HOST).and_then(|host| parse(host, &format!("{scheme}://")));
    match (page, host, named.next()) {
        // A name of somebody else's may lead here, too: then page and host agree, and neither is ours.
        (Some(page), Some(host), None) => page == host && (!on_loopback || is_here(&page)),
        _ => false,
    }
}

fn parse(header: &HeaderValue, before: &str) -> Option<Origin> {
    format!("{before}{}", header.to_str().ok()?).parse().ok()
}

/// Whether nobody but this host can be meant.
fn is_here(origin: &Origin) -> bool {
    origin.address().is_some() || origin.host().to_string() == "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        pairs.iter().for_each(|(name, value)| {
            headers.append(*name, HeaderValue::from_static(value));
        });
        headers
    }

    #[test]
    fn a_page_of_the_same_host_and_no_page_at_all_may_connect() {
        for pairs in [
            &[("host", "127.0.0.1:8080")][..],
            &[],
            &[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")],
            &[("host", "LOCALHOST:8080"), ("origin", "http://localhost:8080")],
            &[("host", "localhost"), ("origin", "http://localhost:80")],
            &[("host", "[::1]:8080"), ("origin", "http://[::1]:8080")],
        ] {
            assert!(is_home(&headers(pairs), true), "{pairs:?}");
        }
    }

    #[test]
    fn any_other_page_may_not() {
        for pairs in [
            &[("host", "127.0.0.1:8080"), ("origin", "http://evil.example")][..],
            &[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8081")],
            &[("host", "127.0.0.1:8080"), ("origin", "https://127.0.0.1")],
            &[("host", "127.0.0.1:8080"), ("origin", "null")],
            &[("host", "127.0.0.1:8080"), ("origin", "")],
            &[("host", "127.0.0.1:8080"), ("origin", "http://evil.example@127.0.0.1:8080")],
            &[("origin", "http://127.0.0.1:8080")],
            &[("host", "localhost:8080"), ("origin", "http://localhost:8080"), ("origin", "http://evil.example")],
        ] {
            assert!(!is_home(&headers(pairs), true), "{pairs:?}");
        }
    }

    #[test]
    fn a_strangers_name_that_leads_to_loopback_is_not_home() {
        let rebound = headers(&[("host", "evil.example:8080"), ("origin", "http://evil.example:8080")]);
        assert!(!is_home(&rebound, true));
        assert!(is_home(&rebound, false), "a server for others may have a name");
    }
}
