use std::sync::Arc;
use std::time::Duration;

use m2m_io::Now;
use m2m_proto::error::ErrorCode;
use m2m_proto::time::UnixTime;

use super::{Advice, CacheState, Chore, Plan, Rejected, Slot, Timing};
use crate::error::{Error, Fault};
use crate::testing::{START, at, seconds, token};
use crate::token::Token;

const TIMING: Timing =
    Timing { refresh_lead: Duration::from_secs(300), jitter: 0.0, reject_floor: Duration::from_secs(10) };

fn verdict() -> Error {
    let code = ErrorCode::InvalidClient;
    Error::of(Fault::Refused { status: 401, code, said: None, description: None, uri: None })
}

fn outage() -> Error {
    Error::of(Fault::Timeout)
}

fn empty() -> Slot {
    Slot::new(TIMING, at(0).monotonic)
}

/// A slot with a token of that life, obtained at second 0.
fn holding(life: u64) -> (Slot, Arc<Token>) {
    let mut slot = empty();
    assert!(matches!(slot.poll(at(0), 0), Advice::Fetch));
    let held = token("t", at(0), seconds(life));
    assert!(slot.store(Arc::clone(&held), at(0)));
    (slot, held)
}

fn advice(slot: &mut Slot, now: Now) -> &'static str {
    match slot.poll(now, 0) {
        Advice::Use(_) => "use",
        Advice::UseAndRefresh(_) => "refresh",
        Advice::Join => "join",
        Advice::Refuse(_) => "refuse",
        Advice::Fetch => "fetch",
    }
}

/// Life, second of the renewal, second at which serving stops. Five-minute
/// tokens and shorter ones are cached, each by its own measure: aliri serves a
/// 20-second token for 30 s, azure never caches 5-minute ones, google refetches
/// 10-second ones in a loop.
#[test]
fn plans_by_life_20_second_10_second_and_5_minute_tokens() {
    let check = |life: u64, due: u64, stop: u64| {
        let plan = Plan::new(seconds(life), &TIMING);
        assert_eq!((plan.due, plan.stop), (seconds(due), seconds(stop)), "life {life}");
    };
    check(3600, 3300, 3595);
    check(600, 300, 595);
    check(300, 150, 295);
    check(20, 10, 18);
    check(10, 5, 9);
    let plan = Plan::new(seconds(1), &TIMING);
    assert_eq!((plan.due.as_millis(), plan.stop.as_millis()), (500, 900));
}

#[test]
fn jitter_moves_the_renewal_forward_by_a_tenth_of_the_lead_at_most() {
    let check = |jitter: f64, due: u64| {
        assert_eq!(Plan::new(seconds(3600), &Timing { jitter, ..TIMING }).due, seconds(due));
    };
    check(0.0, 3300);
    check(0.5, 3285);
    check(1.0, 3270);
    check(7.0, 3270);
}

#[test]
fn a_token_is_fresh_then_due_then_expired() {
    let check = |second: u64, want: &str, state: CacheState| {
        let (mut slot, _) = holding(3600);
        assert_eq!(slot.state(at(second)), state, "second {second}");
        assert_eq!(advice(&mut slot, at(second)), want, "second {second}");
    };
    check(0, "use", CacheState::Fresh);
    check(3299, "use", CacheState::Fresh);
    check(3300, "refresh", CacheState::Due);
    check(3594, "refresh", CacheState::Due);
    check(3595, "fetch", CacheState::Expired);
    check(9999, "fetch", CacheState::Expired);
}

#[test]
fn one_flight_at_a_time() {
    let mut slot = empty();
    assert_eq!(advice(&mut slot, at(0)), "fetch");
    assert_eq!(advice(&mut slot, at(0)), "join");
    slot.store(token("t", at(0), seconds(3600)), at(0));
    assert_eq!(advice(&mut slot, at(3300)), "refresh");
    assert_eq!(advice(&mut slot, at(3300)), "use");
    assert_eq!(advice(&mut slot, at(3595)), "join");
    assert!(!slot.force());
}

/// google-cloud-auth once replaced a valid token by a failed early refresh.
#[test]
fn a_failed_renewal_never_displaces_a_valid_token() {
    for error in [outage(), verdict(), Error::of(Fault::NotOauth { status: 403 })] {
        let (mut slot, held) = holding(3600);
        assert_eq!(advice(&mut slot, at(3300)), "refresh");
        slot.fail(&error, at(3301), 0.0, 0);
        assert_eq!(slot.state(at(3301)), CacheState::UsableWhileFailing);
        let Advice::Use(served) = slot.poll(at(3301), 0) else { panic!("{error}") };
        assert_eq!(served.digest(), held.digest());
    }
}

#[test]
fn an_expired_token_is_never_served_even_while_the_server_is_down() {
    let (mut slot, _) = holding(600);
    assert_eq!(advice(&mut slot, at(595)), "fetch");
    slot.fail(&outage(), at(595), 0.0, 0);
    assert_eq!(advice(&mut slot, at(595)), "refuse");
    assert_eq!(slot.state(at(595)), CacheState::Expired);
}

/// Failures wait 0.5 s, doubling to 30 s; whoever asks meanwhile gets the last
/// error at once and causes nothing.
#[test]
fn outages_back_off_from_half_a_second_to_thirty_seconds() {
    let mut slot = empty();
    let mut now = at(0);
    for wait in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
        assert_eq!(advice(&mut slot, now), "fetch");
        slot.fail(&outage(), now, 0.0, 0);
        let wait = Duration::from_millis(wait);
        let almost = wait - Duration::from_millis(1);
        assert_eq!(advice(&mut slot, later(now, almost)), "refuse", "{wait:?}");
        now = later(now, wait);
    }
}

fn later(now: Now, by: Duration) -> Now {
    Now { wall: now.wall.saturating_add(by), monotonic: now.monotonic + by }
}

#[test]
fn jitter_shortens_a_wait_by_half_at_most() {
    let mut slot = empty();
    slot.poll(at(0), 0);
    slot.fail(&outage(), at(0), 1.0, 0);
    assert_eq!(advice(&mut slot, later(at(0), Duration::from_millis(249))), "refuse");
    assert_eq!(advice(&mut slot, later(at(0), Duration::from_millis(250))), "fetch");
}

#[test]
fn retry_after_is_honoured_up_to_an_hour() {
    let check = |asked: u64, waited: u64| {
        let mut slot = empty();
        slot.poll(at(0), 0);
        slot.fail(&Error::after(Fault::Unavailable { status: 429 }, Some(seconds(asked))), at(0), 0.0, 0);
        assert_eq!(advice(&mut slot, at(waited - 1)), "refuse", "{asked}");
        assert_eq!(advice(&mut slot, at(waited)), "fetch", "{asked}");
    };
    check(1, 1);
    check(120, 120);
    check(3600, 3600);
    check(86_400, 3600);
}

#[test]
fn html_and_redirects_wait_at_the_slow_end() {
    for fault in
        [Fault::NotOauth { status: 403 }, Fault::Redirected { to: None }, Fault::TooLarge { limit: 1 }]
    {
        let mut slot = empty();
        slot.poll(at(0), 0);
        slot.fail(&Error::of(fault), at(0), 0.0, 0);
        assert_eq!(advice(&mut slot, at(29)), "refuse");
        assert_eq!(advice(&mut slot, at(30)), "fetch");
    }
}

/// huskarl takes one `invalid_grant` as final for the process, google ends its
/// refresh task on a permanent error. Here a verdict waits, doubles, and is
/// never final.
#[test]
fn a_verdict_is_tried_again_on_demand_after_a_minute_doubling_to_an_hour() {
    let mut slot = empty();
    let mut now = 0;
    for wait in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
        assert_eq!(advice(&mut slot, at(now)), "fetch");
        slot.fail(&verdict(), at(now), 0.5, 0);
        assert_eq!(advice(&mut slot, at(now + wait - 1)), "refuse", "{wait}");
        now += wait;
    }
    assert_eq!(advice(&mut slot, at(now)), "fetch");
    slot.store(token("t", at(now), seconds(600)), at(now));
    assert_eq!(advice(&mut slot, at(now)), "use");
    slot.forget();
    slot.poll(at(now), 0);
    slot.fail(&verdict(), at(now), 0.5, 0);
    assert_eq!(advice(&mut slot, at(now + 60)), "fetch", "success forgives");
}

#[test]
fn the_driver_never_retries_a_verdict() {
    let (mut slot, _) = holding(3600);
    slot.poll(at(10), 0);
    assert_eq!(slot.tick(at(3300), 0), Chore::Renew);
    slot.fail(&verdict(), at(3300), 0.0, 0);
    for second in [3301, 3360, 3500, 3594] {
        assert_eq!(slot.tick(at(second), 0), Chore::Idle, "{second}");
    }
    assert_eq!(advice(&mut slot, at(3400)), "refresh", "but on demand it is");
}

#[test]
fn a_changed_credential_ends_the_wait_for_verdicts_and_secrets_but_not_for_outages() {
    let check = |error: Error, ended: bool| {
        let mut slot = empty();
        slot.poll(at(0), 7);
        slot.fail(&error, at(0), 0.0, 7);
        assert!(matches!(slot.poll(at(0), 7), Advice::Refuse(_)));
        assert_eq!(matches!(slot.poll(at(0), 8), Advice::Fetch), ended, "{error}");
    };
    check(verdict(), true);
    check(Error::misconfigured("x"), true);
    check(Error::secret_unavailable("x"), true);
    check(outage(), false);
}

#[test]
fn the_driver_sees_a_changed_credential_too() {
    let (mut slot, _) = holding(3600);
    slot.poll(at(10), 0);
    assert_eq!(slot.tick(at(3300), 0), Chore::Renew);
    slot.fail(&verdict(), at(3300), 0.0, 0);
    assert_eq!(slot.tick(at(3301), 1), Chore::Renew);
}

/// huskarl clears its cache without comparing.
#[test]
fn a_late_401_for_the_old_token_does_not_drop_the_new_one() {
    let (mut slot, old) = holding(3600);
    slot.poll(at(3300), 0);
    let new = token("new", at(3300), seconds(3600));
    slot.store(Arc::clone(&new), at(3300));
    let Rejected::Superseded(current) = slot.reject(old.digest(), at(3400)) else { panic!() };
    assert_eq!(current.digest(), new.digest());
    assert_eq!(advice(&mut slot, at(3400)), "use");
}

#[test]
fn a_rejected_token_is_not_served_again() {
    let (mut slot, held) = holding(3600);
    assert!(matches!(slot.reject(held.digest(), at(11)), Rejected::Dropped));
    assert_eq!(advice(&mut slot, at(11)), "fetch");
    slot.fail(&outage(), at(11), 0.0, 0);
    assert_eq!(advice(&mut slot, at(11)), "refuse");
    assert!(matches!(slot.reject(held.digest(), at(12)), Rejected::Renewing));
}

/// Staggered late rejections would otherwise each force a renewal.
#[test]
fn rejections_are_not_believed_within_the_floor_after_a_mint() {
    let check = |life: u64, second: u64, dropped: bool| {
        let (mut slot, held) = holding(life);
        let rejected = slot.reject(held.digest(), at(second));
        assert_eq!(matches!(rejected, Rejected::Dropped), dropped, "life {life} second {second}");
        assert_eq!(matches!(rejected, Rejected::Ignored), !dropped);
    };
    check(3600, 0, false);
    check(3600, 9, false);
    check(3600, 10, true);
    // Half the life at most, or a short token could never be rejected.
    check(10, 4, false);
    check(10, 5, true);
}

/// A broken API that rejects every token must not become an outage of the
/// token endpoint: the floor doubles, up to five minutes.
#[test]
fn a_storm_of_rejections_is_slowed_down() {
    let (mut slot, mut held) = holding(36_000);
    let mut now = 0;
    for (round, floor) in [10, 20, 40, 80, 160, 300, 300].into_iter().enumerate() {
        assert!(matches!(slot.reject(held.digest(), at(now + floor - 1)), Rejected::Ignored), "{round}");
        assert!(matches!(slot.reject(held.digest(), at(now + floor)), Rejected::Dropped), "{round}");
        now += floor;
        slot.poll(at(now), 0);
        held = token(&format!("t{round}"), at(now), seconds(36_000));
        slot.store(Arc::clone(&held), at(now));
    }
    // A token that lived until it was due was a good one.
    slot.poll(at(now + 35_700), 0);
    let good = token("good", at(now + 35_700), seconds(36_000));
    slot.store(Arc::clone(&good), at(now + 35_700));
    assert!(matches!(slot.reject(good.digest(), at(now + 35_710)), Rejected::Dropped));
}

/// A server that shares one token among all may issue the rejected one again.
#[test]
fn the_same_token_is_rejected_once() {
    let (mut slot, held) = holding(3600);
    assert!(matches!(slot.reject(held.digest(), at(20)), Rejected::Dropped));
    slot.poll(at(20), 0);
    slot.store(Arc::clone(&held), at(20));
    assert!(matches!(slot.reject(held.digest(), at(3000)), Rejected::Ignored));
    assert_eq!(advice(&mut slot, at(3000)), "use");
}

#[test]
fn the_wall_clock_set_back_does_not_prolong_a_life() {
    let (mut slot, _) = holding(600);
    let back = |second: u64| Now { wall: UnixTime::from_seconds(START - 86_400), ..at(second) };
    assert_eq!(advice(&mut slot, back(100)), "use");
    assert_eq!(advice(&mut slot, back(300)), "refresh");
    assert_eq!(advice(&mut slot, back(595)), "join");
    assert_eq!(slot.state(back(595)), CacheState::Expired);
}

/// A monotonic clock that slept: what the wall clock says counts.
#[test]
fn suspend_ends_a_life_by_the_wall_clock() {
    let (mut slot, _) = holding(600);
    let resumed = Now { wall: at(7200).wall, monotonic: at(1).monotonic };
    assert_eq!(advice(&mut slot, resumed), "fetch");
}

#[test]
fn the_wall_clock_set_forward_renews_once_and_then_goes_on() {
    let (mut slot, _) = holding(600);
    let ahead = |second: u64| Now { wall: at(second + 86_400).wall, ..at(second) };
    assert_eq!(advice(&mut slot, ahead(10)), "fetch");
    assert!(slot.store(token("t2", ahead(10), seconds(600)), ahead(10)));
    assert_eq!(advice(&mut slot, ahead(11)), "use");
}

#[test]
fn a_token_that_is_too_old_on_arrival_is_not_kept() {
    let mut slot = empty();
    slot.poll(at(0), 0);
    assert!(!slot.store(token("t", at(0), seconds(10)), at(9)));
    assert_eq!(slot.state(at(9)), CacheState::Expired);
    assert!(!slot.is_flying());
}

#[test]
fn the_driver_renews_what_was_used_since_the_last_renewal() {
    let (mut slot, _) = holding(3600);
    assert_eq!(slot.tick(at(3299), 0), Chore::Idle);
    assert_eq!(slot.tick(at(3300), 0), Chore::Renew, "who waited for it used it");
    assert_eq!(slot.tick(at(3300), 0), Chore::Idle, "one flight");
    slot.store(token("t2", at(3300), seconds(3600)), at(3300));
    assert_eq!(slot.tick(at(6600), 0), Chore::Idle, "not used since");
    slot.poll(at(6600), 0);
    slot.store(token("t3", at(6600), seconds(3600)), at(6600));
    slot.poll(at(6700), 0);
    assert_eq!(slot.tick(at(9900), 0), Chore::Renew, "used again");
    slot.store(token("t4", at(9900), seconds(3600)), at(9900));
    assert_eq!(slot.tick(at(13_494), 0), Chore::Idle);
    assert_eq!(slot.tick(at(13_495), 0), Chore::LetGo);
}

#[test]
fn a_failing_key_stays_failing_while_it_is_tried_again() {
    let (mut slot, _) = holding(3600);
    slot.poll(at(3300), 0);
    assert_eq!(slot.state(at(3300)), CacheState::Due);
    slot.fail(&outage(), at(3300), 0.0, 0);
    assert_eq!(advice(&mut slot, at(3301)), "refresh");
    assert_eq!(slot.state(at(3301)), CacheState::UsableWhileFailing);
}

#[test]
fn the_driver_renews_after_suspend_what_was_in_use() {
    let (mut slot, _) = holding(600);
    slot.poll(at(100), 0);
    assert_eq!(slot.tick(at(90_000), 0), Chore::Renew);
}

/// An expired key is retried in the background only if somebody asked.
#[test]
fn the_driver_retries_an_outage_while_somebody_asks() {
    let mut slot = empty();
    slot.poll(at(0), 0);
    slot.fail(&outage(), at(0), 0.0, 0);
    assert_eq!(slot.tick(at(5), 0), Chore::Idle);
    assert_eq!(advice(&mut slot, at(0)), "refuse");
    assert_eq!(slot.tick(at(5), 0), Chore::Renew);
    slot.fail(&outage(), at(5), 0.0, 0);
    assert_eq!(slot.tick(at(100), 0), Chore::Idle, "once per question");
    assert_eq!(slot.tick(at(4000), 0), Chore::LetGo);
}

#[test]
fn a_rejected_key_that_nobody_asks_for_is_let_go() {
    let (mut slot, held) = holding(3600);
    slot.poll(at(50), 0);
    assert!(matches!(slot.reject(held.digest(), at(50)), Rejected::Dropped));
    assert_eq!(slot.tick(at(60), 0), Chore::Idle);
    assert_eq!(slot.tick(at(200), 0), Chore::LetGo);
}

#[test]
fn the_next_attempt_and_the_runway_are_known() {
    let (mut slot, _) = holding(3600);
    assert_eq!(slot.runway(at(595)), seconds(3000));
    assert_eq!(slot.next_attempt(at(300)), Some(seconds(3000)));
    slot.poll(at(3300), 0);
    slot.fail(&Error::after(Fault::Timeout, Some(seconds(60))), at(3300), 0.0, 0);
    assert_eq!(slot.next_attempt(at(3310)), Some(seconds(50)));
    assert_eq!(slot.runway(at(3600)), Duration::ZERO);
    assert_eq!(empty().runway(at(0)), Duration::ZERO);
}
