use super::*;
use protocol::SeatId;
use protocol::signing::SigningKey;
use protocol::v1::{EngageRequest, EstopRequest, EstopResetRequest, TakeoverRequest};

const SDP: &str = "v=0\r\na=fingerprint:sha-256 ab:cd\r\na=fingerprint:sha-256 AB:CD\r\n";
const WALL_MS: u64 = 1_000_000_000;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed(&[byte; 32]).unwrap()
}

fn grant(serial: u64) -> Grant {
    Grant {
        vehicle: VehicleId::new("car").unwrap(),
        seat: SeatId::new("desk").unwrap(),
        session: "x".into(),
        ceiling: Ceiling::Drive,
        fingerprints: vec!["sha-256 AB:CD".into()],
        serial,
        issued_ms: WALL_MS,
        expires_ms: WALL_MS + LIFE_MS,
    }
}

fn access(mark: u64) -> Access {
    let mut access = Access::new(VehicleId::new("car").unwrap(), Some(key(1).public()), mark);
    access.set_alone(false);
    access
}

fn accept(access: &mut Access, grant: &Grant) -> Result<(), GrantRefusal> {
    access.accept((0, WALL_MS), "x", "desk", &grant.sign(&key(1))).map(drop)
}

#[test]
fn a_grant_lets_its_seat_in_until_it_runs_out() {
    let mut access = access(0);
    assert_eq!(access.admits("x", SDP), Err(GrantRefusal::Missing));
    accept(&mut access, &grant(1)).unwrap();
    assert_eq!(access.admits("x", SDP), Ok(()));
    assert_eq!(access.ceiling(LIFE_MS * 1_000 - 1, "x"), Ceiling::Drive);
    assert_eq!(access.ceiling(LIFE_MS * 1_000, "x"), Ceiling::Monitor);
    assert_eq!(access.ceiling(0, "y"), Ceiling::Monitor);
}

#[test]
fn a_session_outlives_a_dead_control_plane_by_the_grace_and_no_longer() {
    let mut access = access(0);
    accept(&mut access, &grant(1)).unwrap();
    access.set_alone(true);
    assert_eq!(access.ceiling(LIFE_MS * 1_000 + GRACE_US - 1, "x"), Ceiling::Drive);
    assert_eq!(access.ceiling(LIFE_MS * 1_000 + GRACE_US, "x"), Ceiling::Monitor);
    access.set_alone(false);
    assert_eq!(access.ceiling(LIFE_MS * 1_000, "x"), Ceiling::Monitor, "it came back and renewed nothing");
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
    let refused = access.accept((0, WALL_MS), "x", "desk", &forged).unwrap_err();
    assert_eq!(refused.label(), "grant_signature");
    assert_eq!(access.accept((0, WALL_MS), "x", "desk", "").unwrap_err().label(), "grant_malformed");
    assert_eq!((access.mark(), access.ceiling(0, "x")), (1, Ceiling::Drive));
}

#[test]
fn a_grant_counts_by_the_vehicles_clock_and_never_longer_than_its_life() {
    let at = |wall_ms: u64, grant: &Grant| {
        let mut access = access(0);
        let accepted = access.accept((0, wall_ms), "x", "desk", &grant.sign(&key(1)));
        accepted.map(|_| access.standings["x"].ends_us / 1_000)
    };
    assert_eq!(at(WALL_MS + 20_000, &grant(1)), Ok(40_000));
    assert_eq!(at(WALL_MS + LIFE_MS - 1, &grant(1)), Ok(1));
    assert_eq!(at(WALL_MS + LIFE_MS, &grant(1)), Err(GrantRefusal::Expired(0)));
    assert_eq!(at(WALL_MS - AHEAD_MS, &grant(1)), Ok(LIFE_MS), "the control plane's clock is ahead");
    assert_eq!(at(WALL_MS - AHEAD_MS - 1, &grant(1)), Err(GrantRefusal::NotYet(AHEAD_MS + 1)));
    let eternal = Grant { expires_ms: u64::MAX, ..grant(1) };
    assert_eq!(at(WALL_MS, &eternal).unwrap_err().label(), "grant_too_long");
    assert_eq!(at(WALL_MS, &Grant { expires_ms: 0, ..grant(1) }).unwrap_err().label(), "grant_expired");
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
fn a_ceiling_is_what_a_seat_may_ask_for() {
    let request = |request| SeatRequest { request, ..SeatRequest::default() };
    let stop = request(Some(Request::Estop(EstopRequest {})));
    let engage = request(Some(Request::Engage(EngageRequest {})));
    let reset = request(Some(Request::EstopReset(EstopResetRequest::default())));
    let take = request(Some(Request::Takeover(TakeoverRequest::default())));
    let may = |ceiling| [&stop, &engage, &reset, &take].map(|r| may_ask(ceiling, r));
    assert_eq!(may(Ceiling::Monitor), [true, false, false, false]);
    assert_eq!(may(Ceiling::Assist), [true, true, false, false]);
    assert_eq!(may(Ceiling::Drive), [true; 4]);
}
