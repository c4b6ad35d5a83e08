//! Tokens with key ids that nobody has.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use m2m_resource_server::Reason;
use m2m_testkit::key_server::Reply;

use super::{Api, verify};

/// Tokens of the flood.
const TOKENS: usize = 100_000;

#[tokio::test]
async fn a_hundred_thousand_made_up_key_ids_cause_one_fetch_per_cooldown() {
    let api = Api::warm().await;
    let good = api.server.token(0);
    for (number, token) in api.server.flood().take(TOKENS).enumerate() {
        let outcome = api.ask(&token).await;
        assert!(matches!(outcome.status, 401 | 503), "{outcome:?}");
        if number % 1000 == 999 {
            assert_eq!(api.status(&good).await, 200, "who is known comes in, flood or not");
            api.pass(3).await;
        }
    }
    // 100 × 3 s, and the first fetch.
    assert_eq!(api.key_fetches(), 1 + 9);
    api.asked_once_per_cooldown();
}

#[tokio::test]
async fn a_flood_at_once_is_one_fetch() {
    let api = Api::new();
    api.server.reply(Reply::Slow);
    let tokens: Vec<String> = api.server.flood().take(200).chain([api.server.token(0)]).collect();
    let asked = all(tokens.iter().map(|token| verify(&api.verifier, token)));
    // Metadata take three seconds, and the keys three more.
    let (results, ()) = tokio::join!(asked, api.pass(6));
    let (last, flood) = results.split_last().unwrap();
    assert!(last.is_ok() && flood.iter().all(Result::is_err), "{last:?}");
    assert_eq!(api.key_fetches(), 1);
}

#[tokio::test]
async fn only_what_was_looked_for_is_called_unknown() {
    let api = Api::warm().await;
    let mut flood = api.server.flood();
    let mut next = || flood.next().unwrap();
    api.ask(&next()).await.is_put_off("the keys came before the token");
    api.pass(30).await;
    let looked_for = next();
    assert_eq!(api.ask(&looked_for).await.reason(), Some(&Reason::UnknownKey));
    api.ask(&next()).await.is_put_off("nobody has looked for it");
    assert_eq!(api.ask(&looked_for).await.reason(), Some(&Reason::UnknownKey));
    assert_eq!(api.key_fetches(), 2);
}

/// Whoever guesses the name of the next key, and asks for it all the time, must not make it wait.
#[tokio::test]
async fn a_key_id_that_was_guessed_is_found_within_a_cooldown() {
    let api = Api::warm().await;
    let next = api.server.prepare();
    let token = api.server.token(next);
    for _ in 0..600 {
        assert_ne!(api.status(&token).await, 200);
        api.pass(1).await;
    }
    api.server.publish(&[0, next]);
    let mut waited = 0;
    while api.status(&token).await != 200 {
        api.pass(1).await;
        waited += 1;
        assert!(waited <= 30, "one cooldown");
    }
    api.asked_once_per_cooldown();
}

/// Key ids that are too long to be remembered are too long to be looked for.
#[tokio::test]
async fn an_absurd_key_id_causes_no_fetch() {
    let api = Api::warm().await;
    api.pass(60).await;
    let token = api.server.token(0);
    let (_, rest) = token.split_once('.').unwrap();
    let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{}"}}"#, "k".repeat(2000));
    let long = format!("{}.{rest}", m2m_proto::jose::base64url::encode(header));
    assert_eq!(api.ask(&long).await.reason(), Some(&Reason::UnknownKey));
    assert_eq!(api.key_fetches(), 1);
}

/// Polls many futures in turn, on one task.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, done) in waiting.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
