//! Hashes made by other programs: Python's `bcrypt`, `hashlib` and `argon2-cffi`.

use proptest::prelude::*;

use super::*;

const SECRET: &str = "hunter2-hunter2";
const BCRYPT: &str = "$2a$04$4UXH2yo3acLBuLi28TjRwepu4iONyhv8CuZY32I.XXBbe3mLxx05e";
/// Of 72 letters x.
const BCRYPT_LONG: &str = "$2b$04$Fi.Ck6flY99uu3iQFYh6seQVNYcCdQinB67RBk1vb/yblB/SrRZsG";
const PBKDF2: &str =
    "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$zvHHzRHzCmIlBEWDYDHVrQkfHev0JJQWmtD4sBrwMKw";
const PBKDF2_512: &str = "$pbkdf2-sha512$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$\
    KCpXOSEfwUgMk4Hx+vclcz9pq4F8yBwrxGk0AJ7upEW3UIRMQvSxP2hLacx05WG/Y0INenDGueJEvTNLZAndtA";
const ARGON2ID: &str =
    "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$jNeXPidxfwMOi1ySgk/Y8YYkY7FcVdSN+v+oITB42zU";

#[test]
fn a_secret_is_that_of_the_hash_which_others_made_of_it() {
    for (text, name) in
        [(BCRYPT, "bcrypt"), (PBKDF2, "pbkdf2"), (PBKDF2_512, "pbkdf2"), (ARGON2ID, "argon2id")]
    {
        let hash = SlowHash::parse(text).unwrap();
        assert_eq!((hash.name(), hash.as_str()), (name, text));
        assert!(hash.check(SECRET), "{text}");
        for wrong in ["", "hunter2", "hunter2-hunter3", "hunter2-hunter2 "] {
            assert!(!hash.check(wrong), "{text} {wrong:?}");
        }
    }
}

#[test]
fn bcrypt_reads_72_bytes() {
    let hash = SlowHash::parse(BCRYPT_LONG).unwrap();
    assert!(hash.check(&"x".repeat(72)));
    assert!(hash.check(&"x".repeat(90)), "what is behind them was never compared");
    assert!(!hash.check(&"x".repeat(71)));
}

#[test]
fn what_would_cost_too_much_is_not_taken() {
    let check = |text: &str| {
        let error = SlowHash::parse(text).unwrap_err();
        assert!(matches!(error, SlowHashError::TooCostly(_)), "{text}: {error}");
    };
    check(&BCRYPT.replace("$04$", "$15$"));
    check(&BCRYPT.replace("$04$", "$31$"));
    check(&BCRYPT.replace("$04$", "$03$"));
    check(&PBKDF2.replace("i=1000", "i=2000001"));
    check(&ARGON2ID.replace("m=64", "m=65537"));
    check(&ARGON2ID.replace("t=2", "t=11"));
    check(&ARGON2ID.replace("p=1", "p=5"));
    for fine in [
        BCRYPT.replace("$04$", "$14$"),
        PBKDF2.replace("i=1000", "i=2000000"),
        ARGON2ID.replace("m=64", "m=65536"),
    ] {
        SlowHash::parse(&fine).unwrap();
    }
}

#[test]
fn what_is_no_hash_is_told_from_a_malformed_one() {
    for text in [
        "",
        "hunter2",
        "$",
        "$$",
        "$1$abc$def",
        "$argon2i$v=19$m=64,t=2,p=1$a$b",
        "$scrypt$x$y$z",
        "$2x$04$x",
    ] {
        assert_eq!(SlowHash::parse(text), Err(SlowHashError::Kind), "{text}");
    }
    for text in [
        &BCRYPT[..59],
        &BCRYPT.replace("$04$", "$4$"),
        &BCRYPT.replace("4UXH", "4U!H"),
        &PBKDF2.replace("l=32", "l=31"),
        &PBKDF2.replace("i=1000", "i=0"),
        &PBKDF2.replace("i=1000,", ""),
        &PBKDF2.replace("i=1000", "i=1000,i=1"),
        &PBKDF2.replace("zvHH", "zv=H"),
        "$pbkdf2-sha256$i=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAA",
        &ARGON2ID.replace("m=64", "m=4"),
        &ARGON2ID.replace("v=19", "v=16"),
        &ARGON2ID.replace("t=2,p=1", "p=1,t=2"),
        &format!("$pbkdf2-sha256$i=1$MDEyMzQ1Njc4OWFiY2RlZg${}", "A".repeat(500)),
    ] {
        let error = SlowHash::parse(text).unwrap_err();
        assert!(matches!(error, SlowHashError::Malformed(_)), "{text}: {error}");
    }
}

#[test]
fn debug_shows_no_hash() {
    let slow = ImportedHash::Slow(SlowHash::parse(BCRYPT).unwrap());
    assert_eq!(format!("{slow:?} {:?}", ImportedHash::Keyed([1; 32])), "bcrypt keyed");
}

proptest! {
    #[test]
    fn no_text_is_read_as_more_than_it_may_cost(text in r"\$(2a|2b|pbkdf2-sha256|argon2id)\$[a-z=0-9,$./A-Z]{0,80}") {
        if let Ok(hash) = SlowHash::parse(&text) {
            let bounded = match hash.parts {
                Parts::Bcrypt { cost, .. } => cost <= 14,
                Parts::Pbkdf2 { iterations, .. } => iterations.get() <= 2_000_000,
                Parts::Argon2id { memory, passes, lanes, .. } => memory <= 65536 && passes <= 10 && lanes <= 4,
            };
            prop_assert!(bounded);
        }
    }
}
