//! What a person can do, for each fault. The texts are for terminals and logs:
//! one or two sentences, lower case at the start, no full stop at the end.

use m2m_proto::error::ErrorCode;

use super::Fault;

pub(super) fn text(fault: &Fault) -> String {
    match fault {
        Fault::Refused { code, .. } => refused(code).to_owned(),
        Fault::TokenType { asked: "DPoP", .. } => {
            "the server does not bind tokens to DPoP keys; enable DPoP for this client there, or remove `dpop` here"
                .to_owned()
        }
        Fault::NoEndpoint { what } => {
            format!("the server's metadata names no {what}; set its URL if the server has one")
        }
        Fault::Redirected { .. } => {
            "credentials are never sent across a redirect; configure the final URL of the endpoint".to_owned()
        }
        Fault::Unavailable { status: 429 } => {
            "the server counts too many token requests or failed logins; wait as long as it says, and share tokens between processes with a token store"
                .to_owned()
        }
        Fault::Tls { reason } => tls(reason).to_owned(),
        Fault::Metadata { reason } if !reason.contains("issuer") => {
            "no metadata was found there: check the issuer, or configure token_url if the server has none".to_owned()
        }
        Fault::Malformed { what, .. } if !what.contains("not a JSON object") => {
            "the answer breaks RFC 6749, which only the server's operator can mend; a known service may need its provider named"
                .to_owned()
        }
        Fault::TokenType { got: "N_A", .. } => {
            "what was issued is no access token (RFC 8693 section 2.2.1): ask for another requested_token_type".to_owned()
        }
        Fault::Destination { origin } => {
            format!("add {origin} to `destinations` if it may receive this token")
        }
        other => plain(other).to_owned(),
    }
}

/// By what the TLS library says.
fn tls(reason: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if says(&["Expired", "expired"]) {
        "the server's certificate has expired, which its operator has to mend; or this machine's clock is ahead"
    } else if says(&["NotValidYet", "not valid yet"]) {
        "the server's certificate is not valid yet: this machine's clock may be behind"
    } else if says(&["NotValidForName", "not valid for name"]) {
        "the certificate is for other names: use one that stands in it, or check whether another machine answers"
    } else if says(&["UnknownIssuer"]) {
        "the certificate's authority is not trusted here: name it with ca_file if it is a private one"
    } else if says(&["InvalidContentType", "corrupt message"]) {
        "what listens there does not speak TLS: check scheme and port of the URL"
    } else {
        "the certificate is not trusted or not for this name: set ca_file for a private authority, and check this machine's clock"
    }
}

pub(super) fn refused(code: &ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidClient => {
            "the server does not accept the client's credential: check client_id, the secret (a trailing newline? encoded twice?) and the client authentication method that the server expects"
        }
        ErrorCode::InvalidGrant => {
            "the server rejects the grant: check that the client may use client_credentials, and the assertion's audience and clock if one is used"
        }
        ErrorCode::InvalidScope => {
            "a requested scope is unknown or not granted to this client: ask for fewer scopes, or have them granted at the server"
        }
        ErrorCode::UnauthorizedClient => {
            "the client is known but may not use this grant: enable client_credentials for it at the server"
        }
        ErrorCode::UnsupportedGrantType => {
            "the server does not support client_credentials at this endpoint: check the token URL"
        }
        ErrorCode::InvalidTarget => {
            "the server does not know this audience or resource, or does not grant it to this client: check its exact spelling"
        }
        ErrorCode::InvalidRequest => {
            "the server misses or does not understand a parameter: compare audience, resource and extra parameters with its documentation"
        }
        ErrorCode::AccessDenied => {
            "the client is not authorized for this API: grant it access there, and check the audience"
        }
        ErrorCode::InvalidDpopProof => {
            "the server rejects the DPoP proof: check this machine's clock, and that the configured URL is the one the server sees"
        }
        ErrorCode::UseDpopNonce => {
            "the server binds tokens to DPoP keys: set dpop; if it is set, several servers behind one address may not share their nonce key"
        }
        ErrorCode::UnsupportedTokenType => "the server cannot introspect or revoke this kind of token",
        ErrorCode::TemporarilyUnavailable | ErrorCode::ServerError | ErrorCode::SlowDown => {
            "the server asks to come back later; a client that keeps running does so by itself"
        }
        _ => "see the server's documentation for this error code",
    }
}

fn plain(fault: &Fault) -> &'static str {
    match fault {
        Fault::Unavailable { .. } => {
            "the server or a proxy before it is failing; try again later, as a client that keeps running does by itself"
        }
        Fault::NotOauth { .. } => {
            "a proxy, firewall or login page may have answered: check the URL and the path to the server"
        }
        Fault::Malformed { .. } => {
            "the URL may not be a token endpoint, or something on the way rewrites answers: ask it with curl and see"
        }
        Fault::TooLarge { .. } => "the URL is probably not a token endpoint",
        Fault::TokenType { .. } => "this client presents Bearer and DPoP tokens only",
        Fault::Inspection { .. } => {
            "check scope, audience and sender constraint at the server, or set inspect to \"warn\""
        }
        Fault::DeadOnArrival => "check the server's clock and its token lifetime for this client",
        Fault::Metadata { .. } => {
            "the configured issuer must be, character for character, the `issuer` in the server's metadata"
        }
        Fault::Timeout | Fault::Deadline { .. } => {
            "check the network path, the proxy and the server's health; a slow server needs a longer timeout"
        }
        Fault::Connect { .. } => {
            "check that the server runs and listens at that address, and that a firewall or proxy lets us through"
        }
        Fault::Dns { .. } => "check the host name and this machine's resolver",
        Fault::Proxy { .. } => "check HTTPS_PROXY and NO_PROXY",
        Fault::Http { .. } => {
            "the connection broke; try again, as a client that keeps running does by itself"
        }
        Fault::Pending => "wait for the token instead of polling, or warm the client up before serving",
        Fault::Egress { .. } => {
            "documents of a server may only name public https addresses: allow the origin explicitly if it is right"
        }
        Fault::Secret { .. } => {
            "check the reference: the variable, path or command, and the rights to read it"
        }
        Fault::NoDestination => "declare the origins that may receive the token with `destinations`",
        Fault::Lost => "the runtime that ran the request is gone; ask again from a running one",
        Fault::Internal { .. } => "this is a defect of m2m; please report it with the message",
        _ => "correct the settings",
    }
}
