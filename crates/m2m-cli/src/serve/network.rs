//! Who may speak for others: addresses and networks of trusted proxies.
//!
//! Enforces: every entry an address or a network ([`Network`]), none that holds every address.
//! Limits: 256 entries.

use m2m_io::Network;

/// The most entries.
pub(crate) const MAX_NETWORKS: usize = 256;

/// An address, or a network such as `10.1.0.0/16`.
///
/// # Errors
/// What is expected, when the text is something else.
pub(crate) fn parse(text: &str) -> Result<Network, String> {
    let network: Network = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
    if network.is_everybody() {
        return Err(format!("{text} is everybody; name the addresses of the proxies alone"));
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_no_proxy() {
        let check = |text: &str, expect: &str| {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expect), "{text}: {error}");
        };
        check("proxy.example", "expected an address");
        check("10.1.2.3/16", "10.1.0.0/16 is meant");
        check("0.0.0.0/0", "everybody");
        check("::/0", "everybody");
    }
}
