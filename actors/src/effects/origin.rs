//! Where a connection goes: scheme, host and port, read by the one parser that the request is sent by, too.

use serde::{Serialize, Serializer};
use std::{fmt, net::IpAddr, str::FromStr};
use url::{Host, Url};

/// Longest URL, bytes.
pub const URL_BYTES_MAX: usize = 8 * 1024;

/// Scheme, host and port. Hosts are in lower case and in their ASCII form, without a closing dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: Host<String>,
    port: u16,
}

/// How it is spoken there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As URLs begin.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl Origin {
    /// How it is spoken there.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host.
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address, where it is named and not only a name for it.
    pub fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }

    /// Of an URL that was read already; its host is put into its plain form in the URL too.
    fn of(url: &mut Url) -> Result<Self, &'static str> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err("only http and https are spoken"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a user name or a password");
        }
        if let Some(Host::Domain(name)) = url.host()
            && let Some(plain) = name.strip_suffix('.')
        {
            let plain = plain.to_owned();
            url.set_host(Some(&plain)).map_err(|_| "its host can not be read")?;
        }
        let host = match url.host().ok_or("it names no host")? {
            Host::Domain(name) if name.is_empty() || name.ends_with('.') || name.starts_with('.') => {
                return Err("its host can not be read");
            }
            // A name that could be one; what is refused here is no host anywhere, and looks like a pattern.
            Host::Domain(name) if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) => {
                return Err("its host can not be read");
            }
            host => host.to_owned(),
        };
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or("it names no port")?;
        Ok(Self { scheme, host, port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme.name(), self.host, self.port)
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    /// An origin as a policy lists it: nothing may stand behind the port.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let target = Target::from_str(text)?;
        if target.url.path() != "/" || text.contains(['?', '#']) {
            return Err("only scheme, host and port can be granted: leave out what stands behind them");
        }
        Ok(target.origin)
    }
}

/// What somebody wants to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it is.
    pub origin: Origin,
    /// The whole of it, as it is sent. It holds no user name, no password and no fragment.
    pub url: Url,
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        // The parser would drop or mend these, and what was looked at would not be what was written.
        if text.len() > URL_BYTES_MAX {
            return Err("it is too long");
        }
        if text.contains('\\') {
            return Err("it holds a backslash");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("it holds a space or a control character");
        }
        let mut url = Url::parse(text).map_err(|_| "it is no URL")?;
        let origin = Origin::of(&mut url)?;
        // `http://@host` has an empty user name, and is as good a trap as one with a name.
        let authority = text.split_once("://").map_or("", |(_, rest)| rest);
        let authority = &authority[..authority.find(['/', '?', '#']).unwrap_or(authority.len())];
        if authority.contains('@') {
            return Err("it holds a user name or a password");
        }
        url.set_fragment(None);
        Ok(Self { origin, url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Result<String, &'static str> {
        text.parse::<Target>().map(|target| target.origin.to_string())
    }

    #[test]
    fn one_host_has_one_form() {
        for (text, plain) in [
            ("https://API.Example.com/x?q#f", "https://api.example.com:443"),
            ("http://example.com.", "http://example.com:80"),
            ("http://example.com.:8080/", "http://example.com:8080"),
            ("http://bücher.example", "http://xn--bcher-kva.example:80"),
            ("http://127.1", "http://127.0.0.1:80"),
            ("http://0x7f000001:80", "http://127.0.0.1:80"),
            ("http://[::1]:3000/a", "http://[::1]:3000"),
            ("http://a.example/?x=@b.example", "http://a.example:80"),
            ("http://a.example#@b.example", "http://a.example:80"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(plain), "{text}");
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for text in [
            "http://a.example@b.example/",
            "http://@b.example/",
            "http://u:p@b.example/",
            "http:\\\\a.example",
            "http://a.example\\@b.example",
            "http://a.example\t.b",
            " http://a.example",
            "http://a.example/a b",
            "http://a.example/\n",
            "ftp://a.example",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://",
            "http://a.example..",
            "http://a.example:0",
            "http://a.example:99999",
            "a.example",
            "",
            "http:a.example@b.example",
        ] {
            assert!(origin(text).is_err(), "{text:?} is {:?}", origin(text));
        }
        assert!(origin(&format!("http://a.example/{}", "x".repeat(URL_BYTES_MAX))).is_err());
    }

    #[test]
    fn a_policy_grants_origins_and_no_paths() {
        assert!("https://a.example".parse::<Origin>().is_ok());
        assert!("https://a.example/".parse::<Origin>().is_ok());
        for text in ["https://a.example/v1", "https://a.example/?a", "https://a.example/#a", "https://*.example"] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
