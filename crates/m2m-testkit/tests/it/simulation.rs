//! The simulation: many seeds hold, the same seed is the same run, and bugs that are put in are found.
//!
//! `M2M_SEED=17 cargo test -p m2m-testkit --test it simulation::one_seed -- --nocapture` runs one seed and prints it.
//! `docs/proof.md` has the sentences that must hold.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

use m2m_testkit::simulation::{Defect, Outcome, run};

/// Panics with the seed and its last events when a sentence was broken.
fn must_hold(outcome: &Outcome) {
    if let Some(broken) = &outcome.broken {
        let tail = outcome.tail.join("\n");
        panic!("M2M_SEED={}: {broken}\n{tail}", outcome.seed);
    }
    let (tokens, served) = outcome.counted;
    assert!(tokens > 15 && served > 30, "M2M_SEED={}: {:?} is no test", outcome.seed, outcome.counted);
}

/// Two at a time: a run has one thread.
fn all_hold(seeds: RangeInclusive<u64>) {
    let next = AtomicU64::new(*seeds.start());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    let outcome = run(seed, None);
                    if outcome.broken.is_some() {
                        // The other one does not go on for an hour before this is told.
                        next.store(u64::MAX / 2, Ordering::Relaxed);
                    }
                    must_hold(&outcome);
                }
            });
        }
    });
}

#[test]
fn one_seed() {
    #[expect(clippy::disallowed_methods, reason = "the seed to run again")]
    let seed = std::env::var("M2M_SEED").ok().map_or(1, |seed| seed.parse().expect("a number"));
    let outcome = run(seed, None);
    println!("{}", outcome.tail.join("\n"));
    println!("seed {seed}: {} events, tokens and calls {:?}", outcome.events, outcome.counted);
    must_hold(&outcome);
}

#[test]
fn the_first_seeds_hold() {
    all_hold(1..=20);
}

#[test]
#[ignore = "slow: a quarter of an hour"]
fn a_thousand_seeds_hold() {
    all_hold(1..=1_000);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 16] {
        let (one, other) = (run(seed, None), run(seed, None));
        assert_eq!(one, other, "seed {seed}");
        assert_ne!(one.hash, run(seed + 1, None).hash, "another seed is another run");
    }
}

/// Within 100 seeds each; the last one that found them is printed.
#[test]
fn bugs_put_in_on_purpose_are_found() {
    for defect in Defect::ALL {
        let found = (1..=100).map(|seed| run(seed, Some(defect))).find(|outcome| outcome.broken.is_some());
        let found = found.unwrap_or_else(|| panic!("{defect:?} is not found within 100 seeds"));
        println!("{defect:?}: seed {}: {}", found.seed, found.broken.unwrap_or_default());
    }
}
