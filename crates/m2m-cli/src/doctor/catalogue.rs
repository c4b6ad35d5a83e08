//! What `m2m doctor` knows: one row for each check, in the order in which causes precede their effects. The checks
//! take their causes and fixes from here, and `docs/troubleshooting.md` is made of it, so that they cannot differ.
//!
//! `<name>` in a text is a blank that a finding fills in. Backticks stand around what is typed or
//! sent where a text begins with it; the page shows them, the terminal does not. Voice: lower case at the start, no
//! full stop at the end.

/// Why a check finds something, and exactly what to do then.
#[derive(Debug, PartialEq, Eq)]
pub struct Cause {
    /// What is wrong.
    pub cause: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

/// One check.
#[derive(Debug)]
pub struct Row {
    /// Which.
    pub check: Check,
    /// Its name.
    pub id: &'static str,
    /// The section of a standard, or in a few words why it is looked at.
    pub reason: &'static str,
    /// What is looked at.
    pub what: &'static str,
    /// What may be found.
    pub causes: &'static [&'static Cause],
}

macro_rules! causes {
    ($($name:ident: $cause:literal => $fix:literal;)+) => {
        $(pub(super) const $name: Cause = Cause { cause: $cause, fix: $fix };)+
    };
}

causes! {
    SETTINGS: "<problem>" => "<advice>";
    ASSERTION_AUDIENCE: "only a token URL is configured, so assertions are made out to that URL; many servers want their issuer there"
        => "configure issuer instead of token_url, or set assertion_audience to the issuer's URL";
    SECRET_UNREADABLE: "<problem>" => "<advice>";
    NEWLINE_REMOVED: "the secret was written by echo or an editor, which end a line; m2m removes one line end, other programs send it"
        => "write it again without: printf %s 'SECRET' > FILE";
    NEWLINE_REFUSED: "the secret was written by echo or an editor, which end a line; what was registered at the server may have been copied with the line end, or is another secret"
        => "write exactly the secret: printf %s 'SECRET' > FILE, and register the same text at the server";
    SECRET_WHITESPACE: "<where>: white space became part of the secret when it was copied"
        => "write exactly the secret and nothing else: printf %s 'SECRET' > FILE";
    FILE_MODE: "other users of this machine can read the file"
        => "`chmod 600 <path>`";
    DOUBLE_ENCODED: "the secret is kept in its percent-encoded form, and m2m encodes it once more for the wire (RFC 6749 section 2.3.1)"
        => "store the secret as the server shows it, decoded once (%2F is /, %2B is +, %40 is @, %25 is %)";
    KEY_UNUSABLE: "the text is not a private key that can sign with the configured algorithm"
        => "name a PKCS#8, PKCS#1 or SEC1 PEM file or a private JWK, and an algorithm of that key; m2m keygen makes one";
    HMAC_SHORT: "the secret is shorter than the hash, which RFC 7518 section 3.2 forbids for HMAC keys"
        => "have a secret of at least 32 characters made (HS256), or choose another client_auth_method";
    CLIENT_CERTIFICATE_EXPIRED: "the client certificate is past its end"
        => "have it renewed, register the renewed one where the server compares certificates, and put it into <path>";
    CLIENT_CERTIFICATE_ENDS: "the client certificate ends soon"
        => "have it renewed before <date>";
    CLIENT_CERTIFICATE_UNREADABLE: "the file holds no certificate in PEM"
        => "name a file that begins with -----BEGIN CERTIFICATE-----, the client's own certificate first";
    PROXY_IN_THE_WAY: "a proxy from the environment stands between this machine and <server>, and does not let the connection through"
        => "if the server is reachable without it, add its host to NO_PROXY (NO_PROXY=<host>); else correct <variable>, or have <server> allowed at the proxy";
    PROXY_LOGIN: "the proxy from the environment wants a login"
        => "put user and password into <variable> (http://USER:PASSWORD@host:port), or add <host> to NO_PROXY";
    PROXY_BYPASSED: "the proxy from the environment takes no connections; nothing to this machine goes through it, but everything else would"
        => "correct <variable>, or unset it";
    NO_NAME: "the host name does not exist for this machine's resolver"
        => "compare <host> with the server's documentation; in a container or a VPN check which resolver is asked (/etc/resolv.conf)";
    NOT_CONNECTED: "nothing answers at that address and port"
        => "is the server up, and the port right? a firewall that drops packets looks like a time-out; a proxy that is needed is named by HTTPS_PROXY";
    TLS_UNKNOWN_ISSUER: "the certificate's authority is not trusted here: a private authority, or a proxy that opens TLS and signs anew"
        => "name that authority's certificate (PEM) with --ca-file or ca_file; never switch checking off";
    TLS_WRONG_NAME: "the certificate is for other names: another machine answers, or the URL has an alias that the certificate lacks"
        => "use a name that stands in the certificate, or have one issued for <host>";
    TLS_NOT_SPOKEN: "what listens there does not speak TLS"
        => "check the port; on loopback, and nowhere else, the URL may begin with http://";
    TLS_CLIENT_REFUSED: "the server ended the handshake because of our client certificate: none was shown, or one that it does not accept"
        => "set certificate, certificate_key and a client_auth_method of mutual TLS, or have the certificate registered at the server";
    TLS_FAILED: "the TLS handshake failed"
        => "compare with openssl s_client -connect <host>; the server may speak no version or cipher that is still safe";
    SERVER_CERTIFICATE_EXPIRED: "the server's certificate, or one of its chain, ended on <date>; or this machine's clock is far ahead"
        => "have the server's operator renew it; until then there is no safe way to connect; compare this machine's date first";
    SERVER_CERTIFICATE_ENDS: "the server's certificate ends on <date>, and nobody renewed it yet"
        => "remind the server's operator";
    NO_METADATA: "the issuer serves no metadata at its well-known locations (RFC 8414, OpenID Connect Discovery)"
        => "check the issuer's path, or configure token_url instead of issuer";
    METADATA_BROKEN: "the metadata cannot be used"
        => "have the server's operator correct it, or configure token_url instead of issuer";
    DISCOVERY_DOWN: "the server or something before it is failing"
        => "try again later, as a client that keeps running does by itself";
    ISSUER_DIFFERS: "the metadata names another issuer than the one that is configured; they must be equal, character for character (RFC 8414 section 3.3)"
        => "if the metadata's issuer is the server that you mean, configure issuer = \"<issuer>\"; else the URL leads to somebody else's server";
    ISSUER_ABSENT: "the document is no server metadata: it names no issuer"
        => "check the issuer's path, or configure token_url instead of issuer";
    METHOD_NOT_OFFERED: "the server does not offer the client authentication method that is configured"
        => "set client_auth_method to one of <methods>, as the client is registered there";
    METHOD_UNSTATED: "the server does not say which methods it takes; the default is client_secret_basic (RFC 8414 section 2)"
        => "if the client is refused, try client_auth_method = \"client_secret_basic\"";
    ALGORITHM_NOT_OFFERED: "the server does not take assertions signed with this algorithm"
        => "set algorithm to one of <algorithms>, with a key for it";
    PROBE_FOUND: "the server accepts the same client when it shows itself in another way"
        => "<setting>";
    CLOCK_OFF: "this machine's clock and the server's differ; assertions and proofs, which carry times, are refused, and tokens seem expired or not yet valid"
        => "set this machine's clock by NTP (timedatectl set-ntp true), or have the server's set; one of them is <offset> <direction>";
    CLOCK_SAID: "the server complains about a time in the assertion, and sends no Date header to compare with"
        => "set this machine's clock by NTP (timedatectl set-ntp true); then ask for the server's";
    NOT_JSON: "a sign-in portal, a proxy, a load balancer or a wrong path answered, and not the server"
        => "look at it with curl -i <url>; correct the URL, the path or the proxy";
    REFUSED: "<problem>" => "<advice>";
    EXPIRES_ABSENT: "the server does not say how long its tokens live; m2m assumes fallback_lifetime (5 min)"
        => "set fallback_lifetime to the life that the server's documentation states";
    EXPIRES_ODD: "`expires_in` is no number of seconds from now on"
        => "have the server corrected; nothing can be set here";
    EXPIRES_LONG: "`expires_in` is so long that it may be milliseconds or a point in time; m2m keeps no token longer than 30 days"
        => "compare with the server's documentation";
    EXPIRES_SHORT: "the tokens live so briefly that each serves few requests"
        => "have the life of this client's tokens raised at the server; 10 minutes is a good value";
    TYPE_MISSING: "the server leaves token_type out, which RFC 6749 section 5.1 demands; m2m assumes Bearer"
        => "nothing, unless APIs refuse the token";
    TYPE_WRONG: "the token is of a kind that was not asked for and cannot be presented"
        => "for DPoP tokens set dpop = \"ephemeral\"; where dpop is set and Bearer comes, enable DPoP for this client at the server or remove the setting";
    SCOPE_NARROWED: "the server granted less than was asked for"
        => "have <missing> granted to this client at the server, or do not ask for it";
    AUDIENCE_REFUSED: "the server does not know the API that the token is asked for, or does not grant it to this client"
        => "compare the audience or resource with the API's identifier at the server, character for character, a trailing slash included; then grant it to this client";
    AUDIENCE_KNOWN: "the service refuses the audience, or does not grant it to this client"
        => "<advice>";
    AUDIENCE_OTHER: "the token is for another API than was asked for; the one that was meant will refuse it"
        => "check which parameter this server wants (audience, resource or scope) and the API's exact identifier; the token says <aud>";
    TOKEN_ISSUER_OTHER: "the token names another issuer than the metadata; APIs that trust the metadata's will refuse it"
        => "configure the APIs to trust <iss>, if that is this server's documented habit";
    LIFE_DIFFERS: "`exp` in the token and `expires_in` in the answer disagree; m2m goes by the shorter"
        => "report it to the server's operator";
    JWKS_DOWN: "the keys that APIs check this server's tokens with cannot be had where its metadata says (jwks_uri)"
        => "check that <url> is served there, with curl -i; have the server's jwks_uri or the network path corrected; APIs refuse tokens until then";
    KEYS_NONE: "what the metadata's jwks_uri serves holds no key that can verify a token"
        => "have the server publish public keys with kty, kid and alg, and nothing else";
    KEYS_SKIPPED: "some published keys cannot be used and are skipped"
        => "tokens signed with them are refused by m2m verify; have the server publish keys of RFC 7518 and RFC 8037 only";
    KEY_ID_UNKNOWN: "the token is signed with a key that is not published"
        => "caches hold an earlier key set, or the server forgot to publish: wait a few minutes, then ask its operator";
    QUOTA_SPENT: "the server counts requests, and the allowance is spent"
        => "wait as long as Retry-After says; share tokens between processes instead of asking for each";
    DESTINATION_PLAIN: "tokens may be sent in the clear"
        => "use https for <origin>";
}

macro_rules! table {
    ($($check:ident $id:literal ($reason:literal) $what:literal [$($cause:ident)*];)+) => {
        /// A check: what is looked at. The names of [`Check::id`] are part of the scriptable surface.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check {
            $(#[doc = $what] $check,)+
        }

        impl Check {
            /// Its row.
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Self::$check => &Row {
                        check: Self::$check, id: $id, reason: $reason, what: $what, causes: &[$(&$cause,)*],
                    },)+
                }
            }
        }

        /// Every check, in the order in which causes precede their effects.
        pub const TABLE: &[&Row] = &[$(Check::$check.row(),)+];
    };
}

impl Check {
    /// Its name in `--json`.
    pub const fn id(self) -> &'static str {
        self.row().id
    }
}

table! {
    SettingsSource "settings.source" ("precedence: flags, variables, file, defaults")
        "where each setting came from" [SETTINGS];
    SettingsComplete "settings.complete" ("RFC 6749 section 4.4.2")
        "whether server, client and credential are named and fit together" [SETTINGS ASSERTION_AUDIENCE];
    SecretReadable "secret.readable" ("a secret is a reference")
        "whether each secret can be read where the settings say" [SECRET_UNREADABLE];
    SecretTrailingNewline "secret.trailing_newline" ("the commonest cause of invalid_client")
        "whether line ends or spaces stand around the client secret" [NEWLINE_REMOVED NEWLINE_REFUSED SECRET_WHITESPACE];
    SecretFileMode "secret.file_mode" ("a secret is for one user")
        "whether others may read the files that hold secrets and keys" [FILE_MODE];
    SecretDoubleEncoded "secret.double_encoded" ("RFC 6749 section 2.3.1")
        "whether the client secret holds %XX escapes, and the server refuses it" [DOUBLE_ENCODED];
    KeyUsable "key.usable" ("RFC 7523 section 3, RFC 7518 section 3")
        "whether the key parses and can sign with the configured algorithm" [KEY_UNUSABLE HMAC_SHORT];
    CertificateExpiry "certificate.expiry" ("RFC 8705 section 2")
        "when the client certificate ends" [CLIENT_CERTIFICATE_EXPIRED CLIENT_CERTIFICATE_ENDS CLIENT_CERTIFICATE_UNREADABLE];
    Proxy "proxy" ("HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY")
        "whether a proxy applies, and whether it lets the connection through; nothing to this machine ever goes through one"
        [PROXY_IN_THE_WAY PROXY_LOGIN PROXY_BYPASSED];
    Dns "dns" ("names come before connections")
        "whether the server's name has an address" [NO_NAME];
    TcpConnect "tcp.connect" ("connections come before TLS")
        "whether something listens there" [NOT_CONNECTED];
    TlsChain "tls.chain" ("RFC 8446, RFC 9525")
        "whether the server's certificate is trusted and for this name"
        [TLS_UNKNOWN_ISSUER TLS_WRONG_NAME TLS_NOT_SPOKEN TLS_CLIENT_REFUSED TLS_FAILED];
    TlsExpired "tls.expired" ("RFC 5280 section 4.1.2.5")
        "when the server's certificates end: past is a failure, within 14 days a warning"
        [SERVER_CERTIFICATE_EXPIRED SERVER_CERTIFICATE_ENDS];
    DiscoveryReachable "discovery.reachable" ("RFC 8414 section 3")
        "whether the issuer serves its metadata" [NO_METADATA METADATA_BROKEN DISCOVERY_DOWN];
    DiscoveryIssuer "discovery.issuer" ("RFC 8414 section 3.3")
        "whether the metadata names exactly the configured issuer" [ISSUER_DIFFERS ISSUER_ABSENT];
    AuthMethod "auth.method" ("RFC 8414 section 2, RFC 7591 section 2")
        "whether the server offers the configured method and the algorithm of assertions"
        [METHOD_NOT_OFFERED METHOD_UNSTATED ALGORITHM_NOT_OFFERED];
    AuthProbe "auth.probe" ("only with --probe: each try may count as a failed login")
        "whether another method or spelling of the secret is accepted" [PROBE_FOUND];
    ClockOffset "clock.offset" ("RFC 7519 section 4.1, RFC 9110 section 6.6.1")
        "how far the Date header is from this machine's clock: from 10 s on a warning, from 60 s on a failure"
        [CLOCK_OFF CLOCK_SAID];
    TokenNotJson "token.not_json" ("RFC 6749 section 5.1")
        "whether what answers speaks JSON; neither the page nor its words are shown, for they may hold a token" [NOT_JSON];
    TokenRequest "token.request" ("RFC 6749 sections 4.4 and 5.2")
        "whether the server issues a token" [REFUSED];
    TokenExpiresIn "token.expires_in" ("RFC 6749 section 5.1")
        "whether the answer says how long the token lives"
        [EXPIRES_ABSENT EXPIRES_ODD EXPIRES_LONG EXPIRES_SHORT];
    TokenType "token.type" ("RFC 6749 section 7.1, RFC 9449 section 5")
        "whether the token is of the kind that was asked for" [TYPE_MISSING TYPE_WRONG];
    TokenScope "token.scope" ("RFC 6749 section 3.3")
        "what was granted of what was asked for" [SCOPE_NARROWED];
    TokenAudience "token.audience" ("RFC 8707, RFC 9068 section 2.2")
        "whether the token is for the API that was asked for" [AUDIENCE_REFUSED AUDIENCE_KNOWN AUDIENCE_OTHER];
    TokenIssuer "token.issuer" ("RFC 9068 section 4")
        "whether a readable token names the metadata's issuer" [TOKEN_ISSUER_OTHER];
    TokenTyp "token.typ" ("RFC 9068 section 2.1")
        "how a readable token calls itself: at+jwt is the standard's word; others need an API that accepts them" [];
    TokenLifetime "token.lifetime" ("RFC 9068 section 2.2")
        "whether exp in a readable token agrees with expires_in" [LIFE_DIFFERS];
    JwksUnreachable "jwks.unreachable" ("RFC 8414 section 2")
        "whether the keys of the server's tokens can be had" [JWKS_DOWN];
    JwksKeys "jwks.keys" ("RFC 7517 section 5")
        "whether every published key can be used, and the token's is among them" [KEYS_NONE KEYS_SKIPPED KEY_ID_UNKNOWN];
    Quota "quota" ("RFC 6585 section 4, RFC 9110 section 10.2.3")
        "what the server says about its allowance" [QUOTA_SPENT];
    Destinations "destinations" ("a token goes to named origins only")
        "which origins may receive the token" [DESTINATION_PLAIN];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_every_row_has_its_check() {
        let mut ids: Vec<_> = TABLE.iter().map(|row| row.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), TABLE.len());
        for row in TABLE {
            assert_eq!(row.check.id(), row.id);
        }
    }

    #[test]
    fn texts_have_the_tools_voice() {
        for cause in TABLE.iter().flat_map(|row| row.causes) {
            for text in [cause.cause, cause.fix] {
                assert!(!text.ends_with('.') && !text.contains('—'), "{text}");
                assert!(!text.starts_with(|c: char| c.is_uppercase() && !text.starts_with("TLS")), "{text}");
            }
        }
    }
}
