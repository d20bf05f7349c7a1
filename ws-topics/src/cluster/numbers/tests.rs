//! What numbers mean.

use super::*;

#[test]
fn topics_that_arrive_by_a_filter_are_bounded_and_beyond_the_bound_each_message_has_a_mark() {
    let now = Instant::now();
    let mut numbers = Numbers::new(10, Duration::from_secs(3), 3);
    let joined = numbers.now(now);
    let at = Number { run: 1, number: 1 };
    for number in 0..1_000 {
        let topic = number.to_string();
        numbers.join_by_filter(&topic, joined);
        let missing = numbers.arrived(&topic, 7, at, now);
        assert_eq!(missing, if number < 10 { Missing::Nothing } else { Missing::Some(None) }, "{topic}");
    }
    assert_eq!((numbers.topics.len(), numbers.count), (10, 10));
}

#[test]
fn topics_of_which_nothing_is_heard_make_room_for_others_and_begin_again_without_a_mark() {
    let max_age = Duration::from_secs(3);
    let mut numbers = Numbers::new(8, max_age, 3);
    let begin = Instant::now();
    let joined = numbers.now(begin);
    let arrive = |numbers: &mut Numbers, run: u64, now| {
        let topic = format!("jobs/{}", run % 100);
        numbers.join_by_filter(&topic, joined);
        numbers.arrived(&topic, 7, Number { run, number: 1 }, now)
    };
    for run in 1..=8 {
        assert_eq!(arrive(&mut numbers, run, begin), Missing::Nothing);
    }
    numbers.heard(&beat(1, 8), begin);
    assert_eq!(arrive(&mut numbers, 9, begin), Missing::Some(None), "there is no room");
    let soon = begin + max_age * QUIET_AGES;
    numbers.forget_quiet(soon, |_| false);
    assert_eq!(numbers.count, 8, "something was heard not long ago");
    let later = soon + max_age;
    numbers.forget_quiet(later, |topic| topic == "jobs/1");
    assert_eq!((numbers.topics.len(), numbers.count), (1, 1), "a topic with a subscription stays");
    numbers.heard(&beat(2, 9), later);
    // A topic that has been forgotten, and one that is new.
    for run in [102, 110] {
        assert_eq!(arrive(&mut numbers, run, later), Missing::Nothing);
    }
    let topic = "jobs/2";
    assert_eq!(numbers.arrived(topic, 7, Number { run: 102, number: 3 }, later), Missing::Some(Some(1)));
}

#[test]
fn a_message_of_a_server_that_is_taken_for_gone_keeps_its_place() {
    let max_age = Duration::from_secs(3);
    let mut numbers = Numbers::new(100, max_age, 3);
    let begin = Instant::now();
    let joined = numbers.now(begin);
    numbers.join("a", joined);
    numbers.heard(&beat(1, 0), begin);
    let at = |run, number| Number { run, number };
    assert_eq!(numbers.arrived("a", 7, at(1, 1), begin), Missing::Nothing);
    assert_eq!(numbers.arrived("a", 7, at(1, 5), begin), Missing::Some(Some(3)));
    let silent = begin + max_age * 2;
    assert_eq!(numbers.silent(silent), [7]);
    assert_eq!(numbers.lapse(7, silent), [Box::<str>::from("a")]);
    assert_eq!(numbers.servers(), 0);
    // What comes late has been reported as missing, or is there already.
    for number in [5, 4, 1] {
        assert_eq!(numbers.arrived("a", 7, at(1, number), silent), Missing::Repeated);
    }
    assert!(numbers.silent(silent + max_age * 2).is_empty());
    assert_eq!(numbers.arrived("a", 7, at(1, 8), silent), Missing::Some(Some(2)));
    // There may be more after what is new.
    assert_eq!(numbers.silent(silent + max_age * 2), [7]);

    // It is heard again, and of a later run: how the one before has ended nobody knows.
    assert_eq!(numbers.lapse(7, silent), [Box::<str>::from("a")]);
    assert_eq!(numbers.arrived("a", 7, at(2, 1), silent), Missing::Some(None));
    // A heartbeat without news: should it be silent again, what it has published since may be missing.
    numbers.heard(&beat(2, 2), silent);
    assert_eq!(numbers.lapse(7, silent), [Box::<str>::from("a")]);
    numbers.heard(&beat(3, 2), silent);
    assert_eq!(numbers.arrived("a", 7, at(3, 2), silent), Missing::Some(Some(1)));
    assert_eq!(numbers.count, 1);

    // That is so for a time, unless there is little room.
    numbers.lapse(7, silent);
    let later = silent + max_age * QUIET_AGES;
    numbers.forget_gone(later);
    assert_eq!((numbers.count, numbers.gone.len()), (1, 1));
    numbers.forget_gone(later + max_age);
    assert_eq!((numbers.count, numbers.gone.len()), (0, 0));
    for origin in 0..75 {
        numbers.arrived("a", origin, at(1, 1), later);
        numbers.lapse(origin, later);
    }
    numbers.forget_gone(later + Duration::from_millis(1));
    assert_eq!((numbers.count, numbers.gone.len()), (0, 0));
}

#[test]
fn a_server_that_is_heard_again_is_not_forgotten() {
    let max_age = Duration::from_secs(3);
    let mut numbers = Numbers::new(100, max_age, 3);
    let begin = Instant::now();
    let joined = numbers.now(begin);
    numbers.join("a", joined);
    numbers.arrived("a", 7, Number { run: 1, number: 1 }, begin);
    numbers.lapse(7, begin);
    numbers.heard(&beat(1, 1), begin);
    numbers.forget_gone(begin + max_age * QUIET_AGES * 2);
    assert_eq!((numbers.count, numbers.gone.len()), (1, 0));
}

fn beat(beat: u64, runs: u64) -> Beat {
    Beat {
        origin: 7,
        beat,
        part: 0,
        is_last: true,
        goodbye: false,
        runs,
        live: Vec::new(),
        stored: Vec::new(),
    }
}
