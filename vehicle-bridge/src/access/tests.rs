use super::*;
use protocol::SeatId;
use protocol::signing::SigningKey;
use protocol::v1::{EngageRequest, EstopRequest, EstopResetRequest, TakeoverRequest};

const SDP: &str = "v=0\r\na=fingerprint:sha-256 ab:cd\r\na=fingerprint:sha-256 AB:CD\r\n";
const SECOND_US: u64 = 1_000_000;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed(&[byte; 32]).unwrap()
}

fn grant(serial: u64) -> Grant {
    Grant {
        vehicle: VehicleId::new("car").unwrap(),
        seat: SeatId::new("desk").unwrap(),
        seat_kind: SeatKind::Human,
        session: "x".into(),
        max_mode: MaxMode::Drive,
        fingerprints: vec!["sha-256 AB:CD".into()],
        serial,
        challenge: format!("c{serial}"),
        lasts_ms: LIFE_MS,
        issued_ms: 0,
    }
}

fn access(mark: u64) -> Access {
    let mut access = Access::new(VehicleId::new("car").unwrap(), Some(key(1).public()), mark);
    access.set_alone(false);
    access
}

/// Asked for and answered at once.
fn accept(access: &mut Access, grant: &Grant) -> Result<(), GrantRefusal> {
    access.challenge(0, "x", grant.challenge.clone());
    access.accept(0, "x", "desk", &grant.sign(&key(1))).map(drop)
}

#[test]
fn a_grant_lets_its_seat_in_until_it_runs_out() {
    let mut access = access(0);
    assert_eq!(access.admits("x", SDP), Err(GrantRefusal::Missing));
    accept(&mut access, &grant(1)).unwrap();
    assert_eq!(access.admits("x", SDP), Ok(()));
    assert_eq!(access.max_mode(LIFE_MS * 1_000 - 1, "x"), MaxMode::Drive);
    assert_eq!(access.max_mode(LIFE_MS * 1_000, "x"), MaxMode::Monitor);
    assert_eq!(access.max_mode(0, "y"), MaxMode::Monitor);
}

#[test]
fn a_seat_is_what_its_grant_says_whatever_its_name_and_also_when_the_grant_ran_out() {
    let mut access = access(0);
    let named_like_a_script = Grant { seat: SeatId::new("scripted-1").unwrap(), ..grant(1) };
    access.challenge(0, "x", named_like_a_script.challenge.clone());
    access.accept(0, "x", "scripted-1", &named_like_a_script.sign(&key(1))).unwrap();
    assert_eq!(access.seat_kind("x"), SeatKind::Human);
    accept(&mut access, &Grant { seat_kind: SeatKind::Scripted, ..grant(2) }).unwrap();
    assert_eq!(access.seat_kind("x"), SeatKind::Scripted);
    assert_eq!(access.max_mode(LIFE_MS * 1_000, "x"), MaxMode::Monitor);
    assert_eq!(access.seat_kind("x"), SeatKind::Scripted);
    access.forget("x");
    assert_eq!(access.seat_kind("x"), SeatKind::Human);
}

#[test]
fn a_session_outlives_a_dead_control_plane_by_the_grace_and_no_longer() {
    let mut access = access(0);
    accept(&mut access, &grant(1)).unwrap();
    access.set_alone(true);
    assert_eq!(access.max_mode(LIFE_MS * 1_000 + GRACE_US - 1, "x"), MaxMode::Drive);
    assert_eq!(access.max_mode(LIFE_MS * 1_000 + GRACE_US, "x"), MaxMode::Monitor);
    access.set_alone(false);
    assert_eq!(access.max_mode(LIFE_MS * 1_000, "x"), MaxMode::Monitor, "it came back and renewed nothing");
}

#[test]
fn replays_are_refused_also_by_the_next_life() {
    let mut first = access(0);
    accept(&mut first, &grant(5)).unwrap();
    for serial in [0, 4, 5] {
        assert_eq!(accept(&mut first, &grant(serial)), Err(GrantRefusal::Replayed(serial, 5)));
    }
    let mut second = access(first.mark());
    assert_eq!(accept(&mut second, &grant(5)), Err(GrantRefusal::Replayed(5, 5)));
    accept(&mut second, &grant(6)).unwrap();
}

#[test]
fn grants_for_others_are_refused_and_change_nothing() {
    let mut access = access(0);
    accept(&mut access, &grant(1)).unwrap();
    let other = |change: fn(&mut Grant)| {
        let mut grant = grant(9);
        change(&mut grant);
        grant
    };
    let car2 = other(|g| g.vehicle = VehicleId::new("car2").unwrap());
    let desk2 = other(|g| g.seat = SeatId::new("desk2").unwrap());
    for (grant, what) in [(car2, "vehicle"), (desk2, "seat"), (other(|g| g.session = "y".into()), "session")] {
        assert_eq!(accept(&mut access, &grant), Err(GrantRefusal::OtherScope(what)));
    }
    let stolen = other(|g| g.fingerprints = vec!["sha-256 EE".into()]);
    assert_eq!(accept(&mut access, &stolen), Err(GrantRefusal::OtherCertificate));
    let forged = grant(9).sign(&key(2));
    let refused = access.accept(0, "x", "desk", &forged).unwrap_err();
    assert_eq!(refused.label(), "grant_signature");
    assert_eq!(access.accept(0, "x", "desk", "").unwrap_err().label(), "grant_malformed");
    assert_eq!((access.mark(), access.max_mode(0, "x")), (1, MaxMode::Drive));
}

#[test]
fn a_grant_counts_from_when_it_was_asked_for_and_never_longer_than_its_life() {
    const ASKED_US: u64 = 7 * SECOND_US;
    let at = |now_us: u64, grant: &Grant| {
        let mut access = access(0);
        access.challenge(ASKED_US, "x", "c1".into());
        access.accept(now_us, "x", "desk", &grant.sign(&key(1))).map(|_| access.standings["x"].ends_us)
    };
    let ends_us = ASKED_US + LIFE_MS * 1_000;
    assert_eq!(at(ASKED_US, &grant(1)), Ok(ends_us));
    assert_eq!(at(ends_us - 1, &grant(1)), Ok(ends_us), "what it was on its way does not count twice");
    assert_eq!(at(ends_us, &grant(1)), Err(GrantRefusal::Expired(0)));
    assert_eq!(at(ends_us + 5_000, &grant(1)), Err(GrantRefusal::Expired(5)));
    assert_eq!(at(ASKED_US, &Grant { lasts_ms: 5, ..grant(1) }), Ok(ASKED_US + 5_000));
    assert_eq!(at(ASKED_US, &Grant { lasts_ms: 0, ..grant(1) }), Err(GrantRefusal::Expired(0)));
    for lasts_ms in [LIFE_MS + 1, u64::MAX] {
        assert_eq!(at(ASKED_US, &Grant { lasts_ms, ..grant(1) }), Err(GrantRefusal::TooLong(lasts_ms)));
    }
    // What the control plane calls the time means nothing.
    for issued_ms in [0, 1_000_000_000, u64::MAX] {
        assert_eq!(at(ASKED_US, &Grant { issued_ms, ..grant(1) }), Ok(ends_us));
    }
}

#[test]
fn a_grant_answers_a_challenge_of_its_session_once_and_no_older_one_after_it() {
    let mut access = access(0);
    let of = |serial: u64, challenge: &str| Grant { challenge: challenge.into(), ..grant(serial) }.sign(&key(1));
    assert_eq!(access.accept(0, "x", "desk", &of(1, "a")), Err(GrantRefusal::NotAsked), "nothing was asked");
    access.challenge(0, "y", "a".into());
    assert_eq!(access.accept(0, "x", "desk", &of(1, "a")), Err(GrantRefusal::NotAsked), "it was asked for another");
    for text in ["a", "b", "c"] {
        access.challenge(0, "x", text.into());
    }
    assert_eq!(access.accept(0, "x", "desk", &of(1, "")), Err(GrantRefusal::NotAsked));
    access.accept(0, "x", "desk", &of(2, "b")).unwrap();
    for text in ["a", "b"] {
        assert_eq!(access.accept(0, "x", "desk", &of(3, text)), Err(GrantRefusal::NotAsked), "{text}");
    }
    access.accept(0, "x", "desk", &of(3, "c")).unwrap();
    // Another life has asked for nothing, even if it has forgotten the serials.
    let mut second = self::access(0);
    assert_eq!(second.accept(0, "x", "desk", &of(3, "c")), Err(GrantRefusal::NotAsked));
}

#[test]
fn challenges_that_nobody_answers_do_not_pile_up() {
    let mut access = access(0);
    for count in 0..1_000 {
        access.challenge(0, "x", format!("c{count}"));
    }
    assert_eq!(access.challenges["x"].len(), CHALLENGES);
    access.accept(0, "x", "desk", &grant(999).sign(&key(1))).unwrap();
    access.forget("x");
    assert!(access.challenges.is_empty());
}

#[test]
fn a_seat_is_told_why_its_grant_was_refused() {
    let mut access = access(7);
    assert_eq!(accept(&mut access, &grant(3)), Err(GrantRefusal::Replayed(3, 7)));
    assert_eq!(access.admits("x", SDP), Err(GrantRefusal::Replayed(3, 7)), "not that none came");
    assert_eq!(access.admits("y", SDP), Err(GrantRefusal::Missing));
    accept(&mut access, &grant(8)).unwrap();
    assert_eq!(access.admits("x", SDP), Ok(()));
}

#[test]
fn a_session_that_was_long_without_a_grant_ends_when_the_control_plane_is_back() {
    let mut access = access(0);
    accept(&mut access, &grant(1)).unwrap();
    let late_us = LIFE_MS * 1_000 + LATE_US;
    assert_eq!(access.due(late_us - 1).len(), 1, "it may still be renewed");
    assert!(access.lapsed(late_us - 1).is_empty());
    access.set_alone(true);
    assert!(access.lapsed(late_us).is_empty(), "it may watch on for as long as nobody is there to ask");
    access.set_alone(false);
    assert!(access.due(late_us).is_empty());
    assert_eq!(access.lapsed(late_us), ["x"]);
}

#[test]
fn the_first_key_is_kept_and_without_one_nobody_is_let_in() {
    let mut access = Access::new(VehicleId::new("car").unwrap(), None, 0);
    assert_eq!(accept(&mut access, &grant(1)), Err(GrantRefusal::NoKey));
    assert!(access.offer_key(key(1).public()));
    assert!(!access.offer_key(key(2).public()));
    assert_eq!(access.key(), Some(&key(1).public()));
    accept(&mut access, &grant(1)).unwrap();
}

#[test]
fn a_seat_with_another_certificate_than_its_grants_is_not_set_up() {
    let mut access = access(0);
    accept(&mut access, &grant(1)).unwrap();
    let and_another = format!("{SDP}a=fingerprint:sha-384 EE:FF\r\n");
    for sdp in ["v=0", "a=fingerprint:sha-256 AB:CE", "a=fingerprint:sha-256", and_another.as_str()] {
        assert_eq!(access.admits("x", sdp), Err(GrantRefusal::OtherCertificate), "{sdp}");
    }
}

#[test]
fn grants_are_renewed_in_time_and_not_asked_for_all_the_time() {
    let mut access = access(0);
    accept(&mut access, &grant(1)).unwrap();
    assert!(access.due(LIFE_MS * 1_000 - RENEW_US - 1).is_empty());
    let due = access.due(LIFE_MS * 1_000 - RENEW_US);
    assert_eq!(due, [("x".to_owned(), grant(1).sign(&key(1)))]);
    assert!(access.due(LIFE_MS * 1_000 - RENEW_US + ASK_EVERY_US - 1).is_empty());
    assert_eq!(access.due(LIFE_MS * 1_000 - RENEW_US + ASK_EVERY_US).len(), 1);
    access.set_alone(true);
    assert!(access.due(LIFE_MS * 1_000).is_empty(), "nobody is there to ask");
    access.set_alone(false);
    access.forget("x");
    assert!(access.due(LIFE_MS * 1_000).is_empty());
    assert_eq!(access.admits("x", SDP), Err(GrantRefusal::Missing));
}

#[test]
fn a_maximum_mode_is_what_a_seat_may_ask_for() {
    let request = |request| SeatRequest { request, ..SeatRequest::default() };
    let stop = request(Some(Request::Estop(EstopRequest {})));
    let engage = request(Some(Request::Engage(EngageRequest {})));
    let reset = request(Some(Request::EstopReset(EstopResetRequest::default())));
    let take = request(Some(Request::Takeover(TakeoverRequest::default())));
    let may = |max_mode| [&stop, &engage, &reset, &take].map(|r| may_ask(max_mode, r));
    assert_eq!(may(MaxMode::Monitor), [true, false, false, false]);
    assert_eq!(may(MaxMode::Assist), [true, true, false, false]);
    assert_eq!(may(MaxMode::Drive), [true; 4]);
}
