//! Which newcomer gets a seat, on a clock that stands still until it is moved.

use tokio::time::advance;

use super::*;

fn source(number: u32) -> Source {
    Source::V4(number)
}

/// Takes a seat if that needs no waiting.
fn take(seats: &Arc<Handshakes>, number: u32) -> Option<Handshake> {
    match seats.judge(source(number), Instant::now()) {
        Verdict::Seated(handshake) => Some(handshake),
        Verdict::CutOff | Verdict::Wait(_) => None,
    }
}

/// As many seats as one source can take at once.
fn fill(seats: &Arc<Handshakes>, number: u32) -> Vec<Handshake> {
    std::iter::from_fn(|| take(seats, number)).collect()
}

fn is_cut(handshake: &mut Handshake) -> bool {
    match handshake.cut.try_recv() {
        Ok(why) => {
            assert!(matches!(why, AcceptError::Displaced));
            true
        }
        Err(_) => false,
    }
}

#[tokio::test(start_paused = true)]
async fn one_source_fills_four_fifths_of_the_seats_and_the_next_four_fifths_of_the_rest() {
    let seats = Handshakes::new(100);
    let first = fill(&seats, 1);
    assert_eq!(first.len(), 80);
    assert_eq!(fill(&seats, 2).len(), 16, "they are dropped at once");
    let second = fill(&seats, 2);
    let third = fill(&seats, 3);
    assert_eq!((second.len(), third.len()), (16, 4));
    drop(first);
    assert!(take(&seats, 2).is_some() && take(&seats, 4).is_some());
    drop((second, third));
    let state = seats.state();
    assert!(state.seats.is_empty() && state.sources.count() == 0 && state.due.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_waits_for_a_seat_as_long_as_handshakes_of_its_source_end() {
    let seats = Handshakes::new(10);
    let mut taken = std::collections::VecDeque::from(fill(&seats, 1));
    // For ten minutes one ends each 900 ms, though each takes seven seconds of silence for that.
    for _ in 0..600 {
        let waiting = tokio::spawn({
            let seats = seats.clone();
            async move { seats.seat(source(1)).await }
        });
        advance(Duration::from_millis(900)).await;
        assert!(!waiting.is_finished());
        taken.pop_front().unwrap().seat.end();
        taken.push_back(waiting.await.unwrap().expect("it is not cut off"));
        assert!(taken.iter_mut().all(|handshake| !is_cut(handshake)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_server_displaces_a_stalled_handshake_of_the_source_with_the_most_seats() {
    let seats = Handshakes::new(8);
    let mut most = [take(&seats, 1).unwrap(), take(&seats, 1).unwrap(), take(&seats, 1).unwrap()];
    let mut others: Vec<_> = (2..=6).map(|number| take(&seats, number).unwrap()).collect();
    assert!(take(&seats, 7).is_none(), "nothing has stood still yet");
    advance(SILENCE - Duration::from_millis(10)).await;
    assert!(take(&seats, 7).is_none());
    most[1].seat.progress().moved();
    advance(Duration::from_millis(10)).await;
    let mut newcomers: Vec<_> = (7..=8).map(|number| take(&seats, number).unwrap()).collect();
    assert_eq!(most.iter_mut().map(is_cut).collect::<Vec<_>>(), [true, false, true]);
    // Now all hold one.
    newcomers.push(take(&seats, 9).unwrap());
    assert_eq!(others.iter_mut().filter_map(|other| is_cut(other).then_some(())).count(), 1);
    assert!(newcomers.iter_mut().all(|newcomer| !is_cut(newcomer)) && !is_cut(&mut most[1]));
}

#[tokio::test(start_paused = true)]
async fn which_of_equals_gives_way_is_random() {
    let mut given_way = [0; 5];
    for _ in 0..500 {
        let seats = Handshakes::new(5);
        let mut taken: Vec<_> = (0..5).map(|number| take(&seats, number).unwrap()).collect();
        advance(SILENCE).await;
        let _newcomer = take(&seats, 5).unwrap();
        let displaced = taken.iter_mut().position(is_cut).unwrap();
        given_way[displaced] += 1;
    }
    assert!(given_way.iter().all(|times| (50..200).contains(times)), "{given_way:?}");
}

#[tokio::test(start_paused = true)]
async fn bytes_put_off_giving_way_until_the_handshake_is_slow() {
    let seats = Handshakes::new(1);
    let mut taken = take(&seats, 1).unwrap();
    for _ in 0..5 {
        advance(SLOW / 6).await;
        taken.seat.progress().moved();
        assert!(take(&seats, 2).is_none());
    }
    advance(SLOW / 6).await;
    assert!(take(&seats, 2).is_some() && is_cut(&mut taken));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_stood_still_and_goes_on_keeps_its_seat() {
    // Which of several gives way is chance: once would prove little.
    for _ in 0..32 {
        let seats = Handshakes::new(2);
        let (mut first, mut second) = (take(&seats, 1).unwrap(), take(&seats, 1).unwrap());
        advance(SILENCE).await;
        seats.state().look(&seats, Instant::now());
        first.seat.progress().moved();
        assert!(take(&seats, 2).is_some());
        assert!(is_cut(&mut second) && !is_cut(&mut first));
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_displaces_a_source_that_holds_as_many_seats_and_none_that_holds_fewer() {
    let seats = Handshakes::new(4);
    let mut equal = [take(&seats, 1).unwrap(), take(&seats, 1).unwrap()];
    let held = [take(&seats, 2).unwrap(), take(&seats, 2).unwrap()];
    advance(SILENCE).await;
    held.iter().for_each(|handshake| handshake.seat.progress().moved());
    assert!(take(&seats, 2).is_some());
    assert_eq!(equal.iter_mut().filter_map(|one| is_cut(one).then_some(())).count(), 1);

    let seats = Handshakes::new(3);
    let held = [take(&seats, 2).unwrap(), take(&seats, 2).unwrap()];
    let mut fewer = take(&seats, 1).unwrap();
    advance(SILENCE).await;
    held.iter().for_each(|handshake| handshake.seat.progress().moved());
    assert!(take(&seats, 2).is_none() && !is_cut(&mut fewer));
}

#[test]
fn what_a_source_did_long_ago_is_halved_once_it_is_more_than_four_times_the_seats() {
    let mut holder = super::holder::Holder::new(source(1), 0, Duration::ZERO);
    let mut after_forgetting = |ended, stood_still| {
        (holder.ended, holder.stood_still) = (ended, stood_still);
        holder.forget(10);
        (holder.ended, holder.stood_still)
    };
    assert_eq!(after_forgetting(40, 13), (40, 13));
    assert_eq!(after_forgetting(41, 13), (20, 6));
    assert_eq!(after_forgetting(9, 50), (4, 25));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_floods_is_waited_for_no_longer_than_patience() {
    let seats = Handshakes::new(10);
    let mut taken = fill(&seats, 1);
    let begin = Instant::now();
    // Waits until they stand still, and then for a while: the clock moves by itself.
    taken.push(seats.seat(source(1)).await.unwrap());
    let waited = begin.elapsed();
    assert!((SILENCE + PATIENCE / 2..SILENCE + PATIENCE * 2).contains(&waited), "{waited:?}");
    // From then on nobody waits for it: one at a time takes the place of another, and then all are too fresh.
    let begin = Instant::now();
    let all = taken.len();
    for _ in 0..10 * all {
        taken.extend(seats.seat(source(1)).await);
    }
    assert_eq!((taken.len(), taken.iter_mut().filter_map(|one| is_cut(one).then_some(())).count()), (16, 8));
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert!(take(&seats, 2).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_flooded_is_trusted_again_when_its_handshakes_end() {
    let seats = Handshakes::new(10);
    let mut taken = fill(&seats, 1);
    taken.push(seats.seat(source(1)).await.unwrap());
    assert!(matches!(seats.judge(source(1), Instant::now()), Verdict::Seated(_)));
    for _ in 0..50 {
        advance(SILENCE).await;
        if let Some(handshake) = seats.seat(source(1)).await {
            handshake.seat.end();
        }
    }
    taken.extend(fill(&seats, 1));
    taken.iter().for_each(|handshake| handshake.seat.progress().moved());
    assert!(matches!(seats.judge(source(1), Instant::now()), Verdict::Wait(_)));
}

#[test]
fn what_several_listeners_wait_at_the_same_time_counts_once() {
    let mut state = State::default();
    let begin = Instant::now();
    let at = |millis| begin + Duration::from_millis(millis);
    state.count_wait(at(0), at(100));
    state.count_wait(at(0), at(100));
    state.count_wait(at(50), at(150));
    assert_eq!(state.waited, Duration::from_millis(150));
    // Not what lies between two waits.
    state.count_wait(at(300), at(320));
    assert_eq!(state.waited, Duration::from_millis(170));
}

#[tokio::test(start_paused = true)]
async fn a_source_whose_handshakes_end_only_just_in_time_is_not_waited_for_without_limit() {
    const STEP: Duration = Duration::from_millis(100);
    let seats = Handshakes::new(10);
    let mut taken = fill(&seats, 1);
    let mut cut_off = 0;
    for turn in 0..100 {
        let before = Instant::now();
        advance(STEP).await;
        // Bytes trickle in all of them; one is whole after 2.4 s, and another connection takes its seat.
        taken.iter().for_each(|handshake| handshake.seat.progress().moved());
        if turn % 3 == 0 {
            taken.remove(0).seat.end();
            taken.extend(take(&seats, 1));
        }
        // Another newcomer has waited all the time, and those behind it in the backlog too.
        seats.state().count_wait(before, Instant::now());
        cut_off += usize::from(matches!(seats.judge(source(1), Instant::now()), Verdict::CutOff));
    }
    assert_eq!(taken.len(), 8);
    assert!(cut_off > 50, "{cut_off} of 100");
}

#[tokio::test(start_paused = true)]
async fn a_seat_counts_for_the_client_that_a_proxy_names() {
    let seats = Handshakes::new(10);
    // All clients of the proxy have one source until it names them.
    let mut flood: Vec<_> =
        (0..10).filter_map(|_| take(&seats, 1).inspect(|new| new.seat.belongs_to(source(2)))).collect();
    assert_eq!(flood.len(), 10);
    assert!(take(&seats, 1).is_none(), "all are taken, and none stands still");
    advance(SILENCE).await;
    let honest = take(&seats, 1).expect("one of the flood gives way");
    honest.seat.belongs_to(source(3));
    assert_eq!(flood.iter_mut().filter_map(|handshake| is_cut(handshake).then_some(())).count(), 1);
    assert_eq!(seats.state().sources.count(), 2, "the proxy holds none");
    drop((flood, honest));
    let state = seats.state();
    assert!(state.seats.is_empty() && state.sources.count() == 0 && state.due.is_empty());
}
