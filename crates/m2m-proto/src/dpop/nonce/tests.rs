use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn key(byte: u8) -> NonceKey {
    NonceKey::new(&SecretBytes::new(vec![byte; 32]), "authorization server").unwrap()
}

fn after(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(NOW.seconds() + seconds)
}

// spec-test: 9449-AS3
#[test]
fn a_nonce_is_accepted_for_its_window_and_no_longer() {
    let nonce = key(1).issue(NOW);
    for seconds in [0, 59, 60, 240, 299] {
        assert_eq!(key(1).check(&nonce, after(seconds)), Ok(()), "{seconds}");
    }
    for seconds in [300, 3600] {
        assert_eq!(key(1).check(&nonce, after(seconds)), Err(NonceError::Stale), "{seconds}");
    }
}

#[test]
fn a_replica_that_is_one_step_ahead_is_believed_and_no_further() {
    assert_eq!(key(1).check(&key(1).issue(after(60)), NOW), Ok(()));
    assert_eq!(key(1).check(&key(1).issue(after(120)), NOW), Err(NonceError::Stale));
    assert_eq!(key(1).check(&key(1).of(u64::MAX), NOW), Err(NonceError::Stale));
}

// spec-test: 9449-AS3
#[test]
fn another_key_or_another_role_makes_other_nonces() {
    let resource_server = NonceKey::new(&SecretBytes::new(vec![1; 32]), "resource server").unwrap();
    assert_eq!(key(1).check(&key(2).issue(NOW), NOW), Err(NonceError::Foreign));
    assert_eq!(key(1).check(&resource_server.issue(NOW), NOW), Err(NonceError::Foreign));
    assert_ne!(key(1).issue(NOW), key(1).issue(after(60)));
    assert_eq!(key(1).issue(NOW), key(1).issue(after(59)));
}

#[test]
fn a_changed_or_cut_nonce_is_refused() {
    let bytes = base64url::decode(key(1).issue(NOW).as_str()).unwrap();
    for at in NUMBER_BYTES..bytes.len() {
        let mut forged = bytes.clone();
        forged[at] ^= 1;
        let forged = DpopNonce::parse(&base64url::encode(&forged)).unwrap();
        assert_eq!(key(1).check(&forged, NOW), Err(NonceError::Foreign));
    }
    let check = |bytes: &[u8], expect| {
        let nonce = DpopNonce::parse(&base64url::encode(bytes)).unwrap();
        assert_eq!(key(1).check(&nonce, NOW), Err(expect));
    };
    check(&bytes[..NUMBER_BYTES - 1], NonceError::Malformed);
    check(&bytes[..NUMBER_BYTES], NonceError::Foreign);
    check(&bytes[..bytes.len() - 1], NonceError::Foreign);
    let foreign = DpopNonce::parse("eyJ7S_zG.eyJH0-Z.HX4w-7v").unwrap();
    assert_eq!(key(1).check(&foreign, NOW), Err(NonceError::Malformed));
}

#[test]
fn short_keys_are_refused_and_keys_are_never_shown() {
    assert_eq!(NonceKey::new(&SecretBytes::new(vec![1; 31]), "x").unwrap_err(), NonceKeyError);
    assert_eq!(format!("{:?}", key(7)), "NonceKey([redacted])");
}

// spec-test: 9449-C3
#[test]
fn nonces_of_responses() {
    let check = |values: &[&str], expect: Option<&str>| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::DPOP_NONCE, HeaderValue::from_str(value).unwrap());
        }
        assert_eq!(DpopNonce::from_headers(&headers).as_ref().map(DpopNonce::as_str), expect);
    };
    check(&[], None);
    check(&["eyJ7S_zG.eyJH0-Z.HX4w-7v"], Some("eyJ7S_zG.eyJH0-Z.HX4w-7v"));
    check(&["a", "b"], None);
    check(&["with space"], None);
    check(&[""], None);
    check(&[&"a".repeat(MAX_BYTES + 1)], None);
    assert_eq!(key(1).issue(NOW).to_header().unwrap(), key(1).issue(NOW).as_str());
}
