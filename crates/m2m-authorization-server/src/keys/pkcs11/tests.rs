//! With SoftHSM, where Debian's `softhsm2` is installed; one test, because its place is found once for a
//! process.

use std::path::Path;
use std::process::Command;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::KeyType;
use m2m_proto::jose::{Algorithm, Compact, HeaderFields, base64url, jws};
use m2m_proto::secret::SecretString;

use crate::fixture::FixedClock;

use super::public::{ED25519, P256, ed25519, p256, rsa};
use super::*;

const MODULES: [&str; 2] =
    ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
const PIN: &str = "2468-canary";
/// What the child says at its end.
const DONE: &str = "every key signed";

fn module() -> Option<PathBuf> {
    MODULES.map(PathBuf::from).into_iter().find(|path| path.exists())
}

fn location(module: &Path) -> TokenLocation {
    let pin = SecretString::from(PIN);
    TokenLocation { module: module.to_owned(), token: "m2m".to_owned(), pin }
}

fn opened(module: &Path) -> (Arc<Token>, Arc<FixedClock>) {
    let clock = FixedClock::new();
    (Token::open(location(module), Arc::clone(&clock) as _).unwrap(), clock)
}

/// The child's part: the module reads the place of its tokens from its environment, which only the parent
/// can set.
#[test]
#[ignore = "run by signs_in_a_token_and_nowhere_else, with an environment of its own"]
fn inside() {
    let Some(module) = module() else { return };
    let held = Pkcs11::new(&module).unwrap();
    held.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let Ok(Ok(slot)) = slot(&held, "m2m") else {
        println!("skipped: not in the environment of its parent");
        return;
    };
    make_keys(&held, slot);
    for (name, algorithm) in [
        ("es256", Algorithm::Es256),
        ("eddsa", Algorithm::EdDsa),
        ("named", Algorithm::EdDsa),
        ("rs256", Algorithm::Rs256),
    ] {
        let (token, _) = opened(&module);
        let key = token.signing_key(name).unwrap();
        assert_eq!((key.algorithm(), key.is_external()), (algorithm, true));
        assert_eq!(key.to_pkcs8_der().map(drop), Err(KeyError::Elsewhere));
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let key = token.signing_key(name).unwrap();
                std::thread::spawn(move || {
                    signs(&key, number);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    let refused = |change: fn(&mut TokenLocation)| {
        let mut location = location(&module);
        change(&mut location);
        Token::open(location, FixedClock::new()).map(drop).unwrap_err()
    };
    assert!(matches!(refused(|at| at.token = "other".to_owned()), Pkcs11Error::Token { found: 0, .. }));
    assert!(matches!(refused(|at| at.module = "/nowhere.so".into()), Pkcs11Error::Module { .. }));
    let (token, _) = opened(&module);
    let no_key = |label: &str| token.signing_key(label).map(drop).unwrap_err();
    assert!(matches!(no_key("none"), Pkcs11Error::Key { found: 0, .. }));
    assert!(matches!(no_key("twice"), Pkcs11Error::Key { found: 2, .. }));
    assert!(matches!(no_key("p384"), Pkcs11Error::Type(_)));
    let shown = format!("{token:?}");
    assert!(shown.contains("m2m") && !shown.contains("canary"), "{shown}");
    drop(token);
    what_is_lost_is_opened_anew(&held, slot, &module);
    println!("{DONE}");
}

fn signs(key: &SigningKey, number: u32) {
    let payload = format!("{{\"n\":{number}}}");
    let token = jws::sign(&HeaderFields::default(), payload.as_bytes(), key).unwrap();
    Compact::parse(&token).unwrap().verify(key.verifying_key()).unwrap();
}

fn does_not_sign(key: &SigningKey) {
    assert!(jws::sign(&HeaderFields::default(), b"{}", key).is_err());
}

/// A module that forgets its logins or its sessions, for each way to forget them.
fn what_is_lost_is_opened_anew(held: &Pkcs11, slot: Slot, module: &Path) {
    let (token, clock) = opened(module);
    let [first, second] = ["es256", "rs256"].map(|name| token.signing_key(name).unwrap());
    held.open_ro_session(slot).unwrap().logout().unwrap();
    together(&[&first, &second]);
    let lose_everything = || held.clone().finalize().unwrap();
    lose_everything();
    [&first, &second].into_iter().for_each(does_not_sign);
    clock.advance(Duration::from_secs(1));
    together(&[&first, &second]);
    clock.advance(Duration::from_secs(1));
    lose_everything();
    held.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    together(&[&first, &second]);
    clock.advance(Duration::from_secs(1));
    another_key_does_not_take_its_place(held, slot, &first);
    signs(&second, 3);
    clock.advance(Duration::from_secs(1));
    a_refused_pin_is_tried_once(held, slot, &second, &clock);
}

fn together(keys: &[&SigningKey]) {
    std::thread::scope(|scope| {
        for number in 0..8 {
            for key in keys {
                scope.spawn(move || signs(key, number));
            }
        }
    });
}

fn another_key_does_not_take_its_place(held: &Pkcs11, slot: Slot, key: &SigningKey) {
    let session = held.open_rw_session(slot).unwrap();
    for half in session.find_objects(&[Attribute::Label(b"es256".to_vec())]).unwrap() {
        session.destroy_object(half).unwrap();
    }
    does_not_sign(key);
    ec(&session, "es256", P256);
    does_not_sign(key);
}

/// A module locks itself after some, whichever key it is that wants to sign, and however long afterwards.
fn a_refused_pin_is_tried_once(held: &Pkcs11, slot: Slot, key: &SigningKey, clock: &FixedClock) {
    let change = |from: &str, to: &str| {
        let session = held.open_rw_session(slot).unwrap();
        session.login(UserType::User, Some(&AuthPin::from(from))).or_else(already).unwrap();
        session.set_pin(&AuthPin::from(from), &AuthPin::from(to)).unwrap();
        session.logout().unwrap();
    };
    change(PIN, "8642");
    does_not_sign(key);
    change("8642", PIN);
    clock.advance(Duration::from_secs(3600));
    does_not_sign(key);
}

/// Whoever asks while a module is away waits for it at most once, and it is asked less and less often.
#[test]
fn between_two_attempts_is_a_growing_wait() {
    let waits = |count: u32| (0..count).fold(WAITS[0], |wait, _| longer(wait)).as_secs();
    assert_eq!([0, 1, 2, 5, 6, 60].map(waits), [1, 2, 4, 32, 60, 60]);
}

fn already(error: ModuleError) -> Result<(), ModuleError> {
    match error {
        ModuleError::Pkcs11(RvError::UserAlreadyLoggedIn, _) => Ok(()),
        error => Err(error),
    }
}

fn make_keys(module: &Pkcs11, slot: Slot) {
    let session = module.open_rw_session(slot).unwrap();
    session.login(UserType::User, Some(&AuthPin::from(PIN))).unwrap();
    let p384 = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
    for (label, curve) in [("es256", P256), ("twice", P256), ("twice", P256), ("p384", &p384)] {
        ec(&session, label, curve);
    }
    for (label, curve) in ["eddsa", "named"].into_iter().zip(ED25519) {
        pair(&session, label, curve, &Mechanism::EccEdwardsKeyPairGen).unwrap();
    }
    let label = Attribute::Label(b"rs256".to_vec());
    let public = [
        Attribute::Token(true),
        Attribute::KeyType(KeyType::RSA),
        Attribute::ModulusBits(2048.into()),
        Attribute::PublicExponent(vec![1, 0, 1]),
        label.clone(),
    ];
    let private = [Attribute::Token(true), Attribute::Private(true), Attribute::Sign(true), label];
    session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private).unwrap();
}

fn ec(session: &Session, label: &str, curve: &[u8]) {
    pair(session, label, curve, &Mechanism::EccKeyPairGen).unwrap();
}

fn pair(session: &Session, label: &str, curve: &[u8], how: &Mechanism<'_>) -> Result<(), ModuleError> {
    let label = Attribute::Label(label.as_bytes().to_vec());
    let public = [Attribute::Token(true), Attribute::EcParams(curve.to_vec()), label.clone()];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        label,
    ];
    session.generate_key_pair(how, &public, &private).map(drop)
}

#[test]
fn signs_in_a_token_and_nowhere_else() {
    let Some(_) = module() else {
        println!("skipped: softhsm2 is not installed");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let tokens = place.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let config = place.path().join("softhsm2.conf");
    std::fs::write(&config, format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display()))
        .unwrap();
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "m2m", "--so-pin", "1357", "--pin", PIN])
        .env("SOFTHSM2_CONF", &config)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let inside = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "keys::pkcs11::tests::inside", "--ignored", "--nocapture"])
        .env("SOFTHSM2_CONF", &config)
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&inside.stdout).into_owned() + &String::from_utf8_lossy(&inside.stderr);
    assert!(inside.status.success() && text.contains(DONE), "{text}");
}

#[test]
fn points_and_numbers_as_modules_write_them() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let public = key.public_jwk().unwrap().to_public_json();
    let coordinate = |name: &str| base64url::decode(public[name].as_str().unwrap()).unwrap();
    let bare = [vec![4], coordinate("x"), coordinate("y")].concat();
    let wrapped = [vec![4, 65], bare.clone()].concat();
    for point in [&bare, &wrapped] {
        assert_eq!(p256(point).unwrap().thumbprint(), *key.thumbprint());
    }
    for bad in [&bare[..64], &wrapped[..66], &[], &[4], &[2; 33]] {
        assert!(p256(bad).is_none());
    }
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let public = key.public_jwk().unwrap().to_public_json();
    let bare = base64url::decode(public["x"].as_str().unwrap()).unwrap();
    let wrapped = [vec![4, 32], bare.clone()].concat();
    for point in [&bare, &wrapped] {
        assert_eq!(ed25519(point).unwrap().thumbprint(), *key.thumbprint());
    }
    for bad in [&bare[..31], &wrapped[..33], &[], &[4, 32]] {
        assert!(ed25519(bad).is_none());
    }
    let key = SigningKey::generate(Algorithm::Rs256).unwrap();
    let public = key.public_jwk().unwrap().to_public_json();
    let number = |name: &str| base64url::decode(public[name].as_str().unwrap()).unwrap();
    let (n, e) = ([vec![0], number("n")].concat(), number("e"));
    assert_eq!(rsa(&n, &e).unwrap().thumbprint(), *key.thumbprint());
    assert!(rsa(&[], &e).is_none());
}
