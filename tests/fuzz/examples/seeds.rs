//! Writes what the corpus grows from: `cargo run --release -p fuzz --example seeds -- FOLDER`, one folder a target in it.
//! Small real things, made by the project's own writers; `scripts/fuzz.sh --cmin` then keeps what is worth it.

use fuzz::seeds;
use prost::Message;
use protocol::erasure::Asked;
use protocol::grant::{Grant, MaxMode};
use protocol::signalling::Signal;
use protocol::v1::{CommandDatagram, OperatorInput, SeatRequest, StateDatagram, TakeoverRequest, VehicleEvent};
use protocol::{Embodiment, PolicyVersion, SeatId, SeatKind, VehicleId, foxglove, v1};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

type Done = Result<(), Box<dyn Error>>;

struct Seeds {
    folder: PathBuf,
    count: usize,
}

impl Seeds {
    fn add(&mut self, target: &str, parts: &[&[u8]]) -> Done {
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{:03}", self.count)), parts.concat())?;
        self.count += 1;
        Ok(())
    }
}

/// With its length in two bytes before it.
fn piece(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_le_bytes()[..], bytes].concat()
}

fn main() -> Done {
    let folder = std::env::args().nth(1).ok_or("say into which folder")?;
    let mut seeds = Seeds { folder: PathBuf::from(folder), count: 0 };
    let scratch = tempfile::tempdir()?;
    config(&mut seeds)?;
    control_plane(&mut seeds)?;
    files(&mut seeds, scratch.path())?;
    grants(&mut seeds)?;
    logs(&mut seeds)?;
    messages(&mut seeds)?;
    robot(&mut seeds)?;
    streams(&mut seeds)?;
    println!("{} seeds", seeds.count);
    Ok(())
}

fn config(seeds: &mut Seeds) -> Done {
    for text in [
        "both = { delay_ms = 15, loss_percent = 10 }",
        "[up]\nrate_kbps = 1000\nqueue_ms = 100\njitter_ms = 5\n[down]\nloss_percent = 1.5\nburst_packets = 4\n",
    ] {
        seeds.add("config", &[&[0], text.as_bytes()])?;
    }
    let settings = "pre_roll_s = 20\npost_roll_s = 4\nring_mib = 64\ndrive_log = false\n[triggers]\noff = [\"hard_brake\"]\n\
                    [[triggers.rule]]\nname = \"fast\"\nwhen = 'speed > 15 and mode == \"drive\"'\n[privacy]\n\
                    omit = [\"/camera/left\"]\nblur = [\"faces\", \"plates\"]\n";
    seeds.add("config", &[&[1], settings.as_bytes()])?;
    for rule in ["speed > 15 and mode == \"drive\"", "not (speed < 3 or author != 'policy') and braking >= -2.5e0"] {
        seeds.add("config", &[&[2], rule.as_bytes()])?;
    }
    let rules = "max_total_gib = 500\n[[rule]]\nverdict = \"useful\"\nalways = true\n[[rule]]\ncause = \"precaution\"\n\
                 kind = \"live\"\nkeep_days = 365\n";
    seeds.add("config", &[&[3], rules.as_bytes()])
}

fn control_plane(seeds: &mut Seeds) -> Done {
    let mcap = small_episode(None, &seeds::pictures()?[..1])?;
    let sha256 = protocol::signing::sha256_hex(&mcap);
    let mut row = serde_json::to_value(seeds::info("e-1")?.to_api("e-1.mcap".into(), mcap.len() as u64, sha256))?;
    row["map"] = "soderleden".into();
    let car = r#"POST /api/v1/vehicles

{"vehicle":"car-1","embodiment":"ackermann_car","map":"soderleden","software":"0.1.0","kind":"live"}"#;
    let status = r#"POST /api/v1/status

{"vehicle":"car-1","mode":"drive","author":"operator","speed_mps":8.5,"policy":"p1","epoch":3,"refused":{"stale":2}}"#;
    let mileage = r#"POST /api/v1/mileage

{"vehicle":"car-1","policy":"p1","autonomous_m":1200.5,"manual_m":30}"#;
    let disengagement = r#"POST /api/v1/disengagements

{"id":"e-1","vehicle":"car-1","policy":"p1","cause":"safety","at_ms":1000,"map":"soderleden"}"#;
    let policy = format!(
        "POST /api/v1/policies\n\n{{\"version\":\"p1\",\"parent\":null,\"status\":\"published\",\"sha256\":\"{}\",\"episodes\":1,\"frames\":5}}",
        "ab".repeat(32)
    );
    let trip = r#"POST /api/v1/trips

{"id":"t-1","vehicle":"virtual-1","policy":"p1","autonomous_m":1000.0,"manual_m":10.0,"disengagements":[],"episodes":[]}"#;
    let verdict = "PUT /api/v1/episodes/e-1/verdict\n\n{\"verdict\":\"useful\",\"by\":\"ann\",\"note\":\"a deer\"}";
    let episode = format!("POST /api/v1/episodes\n\n{row}");
    let upload = "UPLOAD e-1 preview_state car-1\n\n{\"seconds\":[]}";
    let range = "GET /api/v1/episodes/e-1/preview_state\nRange: bytes=2-5\nIf-Range: \"x\"\n\n";
    let erase = serde_json::to_string(&Asked {
        vehicle: Some(VehicleId::new("car-1")?),
        reason: "asked for".into(),
        ..serde_json::from_str(r#"{"reason":"x"}"#)?
    })?;
    let erase = format!("POST /api/v1/erasures\n\n{erase}");
    let search = "GET /api/v1/episodes?limit=5&policy=p1&cause=safety&text=deer&bbox=57,11,58,12&verdict=none&from_ms=1\n\n\
                  \n====\nGET /api/v1/episodes?near=57.7,11.9,500&area=-1,-1,5,5&before=e-1&seat=desk&weather=rain\n\n";
    let keep = "POST /api/v1/retention\n\n{\"dry_run\":true,\"rules\":\"[[rule]]\\nverdict='none'\\nkeep_days=0\\n\"}";
    let seats = "POST /api/v1/seats/desk/revoke\n\n{\"reason\":\"lost\"}\n====\nPOST /api/v1/seats/desk/allow\n\n{\"reason\":\"found\"}";
    let socket =
        "GET /api/v1/signal?vehicle=car-1&fingerprint=AB&pin=true\nOrigin: http://a\nHost: a\nUpgrade: websocket\n\n";
    let signals = [
        "VEHICLE car-1\n\n{}",
        r#"SEAT desk

{"type":"call","session":"s","seat":"desk","vehicle":"car-1","features":["rs-fec"]}"#,
        r#"VEHICLE car-1

{"type":"offer","session":"s","sdp":"v=0\r\na=fingerprint:sha-256 AB:CD\r\n"}"#,
        r#"SEAT desk

{"type":"answer","session":"s","sdp":"v=0\r\na=fingerprint:sha-256 AB:CD\r\n"}"#,
        r#"VEHICLE car-1

{"type":"renew","session":"s","grant":"a.b"}"#,
        r#"SEAT desk

{"type":"bye","session":"s","reason":"done"}"#,
    ]
    .join("\n====\n");
    let pages = [
        "/",
        "/metrics",
        "/healthz",
        "/static/dom.js",
        "/static/labels.js",
        "/api/v1/nothing",
        "/api/v1/removals?limit=3",
    ]
    .map(|page| format!("GET {page}\n\n"))
    .join("\n====\n");
    let story =
        [car, status, mileage, disengagement, &policy, trip, &episode, upload, verdict, search, range, keep, &erase];
    for part in story {
        seeds.add("control_plane", &[part.as_bytes()])?;
        seeds.add("control_plane", &[car.as_bytes(), b"\n====\n", part.as_bytes()])?;
    }
    seeds.add("control_plane", &[story.join("\n====\n").as_bytes()])?;
    for part in [seats, socket, &signals, &pages] {
        seeds.add("control_plane", &[part.as_bytes()])?;
    }
    let whole =
        [car.as_bytes(), b"\n====\nUPLOAD e-1 episode car-1\n\n", &mcap, b"\n====\n", episode.as_bytes()].concat();
    seeds.add("control_plane", &[&whole, b"\n====\nGET /api/v1/episodes/e-1/file\nRange: bytes=-9\n\n"])
}

fn files(seeds: &mut Seeds, scratch: &Path) -> Done {
    let film = seeds::pictures()?;
    for compression in [None, Some(mcap::Compression::Zstd)] {
        let mcap = small_episode(compression, &film)?;
        for kind in [0, 3] {
            seeds.add("episode", &[&[kind], &mcap])?;
        }
        seeds.add("episode", &[&[3], &mcap[..mcap.len() * 2 / 3]])?;
    }
    // A channel without a schema and two messages, as records and in a chunk.
    let channel = [&[1, 0, 0, 0][..], &2_u32.to_le_bytes(), b"/x", &4_u32.to_le_bytes(), b"json", &[0; 4]].concat();
    let message =
        [&1_u16.to_le_bytes()[..], &7_u32.to_le_bytes(), &5_u64.to_le_bytes(), &4_u64.to_le_bytes(), b"{}"].concat();
    let records = [&[4][..], &piece(&channel), &[5], &piece(&message), &[5], &piece(&message)].concat();
    seeds.add("episode", &[&[1, 1], &piece(&[0; 8]), &records, &[15], &piece(&[0; 4]), &[2], &piece(&[0; 20])])?;
    seeds.add("episode", &[&[2], &piece(&[]), &records])?;
    for (number, (_, content)) in (0_u8..).zip(fuzz::DATASET.iter()) {
        seeds.add("dataset", &[&[number], content])?;
    }
    for (number, (_, content)) in (fuzz::SEGMENT_FROM..).zip(fuzz::SEGMENT.iter()) {
        seeds.add("dataset", &[&[number], content])?;
    }
    let mp4 = fuzz::DATASET.iter().find(|(place, _)| place.extension().is_some_and(|ending| ending == "mp4"));
    let mp4 = &mp4.ok_or("the dataset has no film")?.1;
    for kind in [0, 3] {
        seeds.add("film", &[&[kind], mp4])?;
    }
    let pictures: Vec<u8> = film.iter().flat_map(|picture| piece(picture)).collect();
    seeds.add("film", &[&[1, 1], &pictures])?;
    seeds.add("film", &[&[2], CASCADE.as_bytes()])?;
    for picture in &film {
        seeds.add("picture", &[picture])?;
    }
    for name in sim::road::RoadNetwork::built_in_names() {
        seeds.add("opendrive", &[sim::road::RoadNetwork::built_in(name)?.xodr().as_bytes()])?;
    }
    seeds.add("opendrive", &[ROAD.as_bytes()])?;
    let saved = scratch.join("policy");
    policy::Policy::untrained(&Embodiment::ackermann_car(), PolicyVersion::new("p1")?, 1)?.save(&saved)?;
    let (manifest, weights) =
        (fs::read(saved.join(policy::MANIFEST_FILE))?, fs::read(saved.join(policy::WEIGHTS_FILE))?);
    seeds.add("policy", &[&[1], &piece(&manifest), &weights])?;
    // The tensors' names and shapes alone.
    let header = usize::try_from(u64::from_le_bytes(weights[..8].try_into()?))?;
    seeds.add("policy", &[&[1], &piece(&manifest), &weights[..8 + header]])
}

/// An episode whose schemas have no definitions, which are nearly all of a short one.
fn small_episode(compression: Option<mcap::Compression>, film: &[Vec<u8>]) -> Result<Vec<u8>, Box<dyn Error>> {
    let options = mcap::WriteOptions::new().compression(compression).profile("").library("");
    let mut writer = options.create(std::io::Cursor::new(Vec::new()))?;
    let metadata = seeds::info("e-1")?.to_metadata();
    writer.write_metadata(&mcap::records::Metadata { name: "episode".into(), metadata })?;
    let none = std::collections::BTreeMap::new();
    let mut channels = Vec::new();
    for (topic, schema) in [
        ("/vehicle/state", "takeover.v1.VehicleState"),
        ("/control/command", "takeover.v1.ControlCommand"),
        ("/camera/front", "foxglove.CompressedVideo"),
    ] {
        let schema = writer.add_schema(schema, "protobuf", b"")?;
        channels.push(writer.add_channel(schema, topic, "protobuf", &none)?);
    }
    for (number, picture) in (0_u32..).zip(film) {
        let state = v1::VehicleState { sequence: number.into(), observation: vec![5.0; 4], ..Default::default() };
        let command = v1::ControlCommand { sequence: number.into(), action: vec![0.5; 2], ..Default::default() };
        let data = picture.clone().into();
        let video = foxglove::CompressedVideo { data, format: "h264".into(), ..Default::default() };
        for (channel, content) in
            channels.iter().zip([state.encode_to_vec(), command.encode_to_vec(), video.encode_to_vec()])
        {
            let at = u64::from(number) * 50_000_000;
            let header =
                mcap::records::MessageHeader { channel_id: *channel, sequence: number, log_time: at, publish_time: at };
            writer.write_to_known_channel(&header, &content)?;
        }
    }
    writer.finish()?;
    Ok(writer.into_inner().into_inner())
}

/// A model with one tree, as OpenCV writes one.
const CASCADE: &str = r#"<?xml version="1.0"?>
<opencv_storage><cascade type_id="opencv-cascade-classifier"><stageType>BOOST</stageType><featureType>HAAR</featureType>
<height>20</height><width>20</width><stageParams><maxWeakCount>1</maxWeakCount></stageParams>
<featureParams><maxCatCount>0</maxCatCount></featureParams><stageNum>1</stageNum>
<stages><_><maxWeakCount>1</maxWeakCount><stageThreshold>-1.</stageThreshold><weakClassifiers>
<_><internalNodes>0 -1 0 0.004</internalNodes><leafValues>0.03 -0.9</leafValues></_></weakClassifiers></_></stages>
<features><_><rects><_>2 7 14 4 -1.</_><_>2 9 14 2 2.</_></rects></_></features></cascade></opencv_storage>"#;

/// A straight road with a lane each way, then a bend.
const ROAD: &str = r#"<?xml version="1.0"?>
<OpenDRIVE><header revMajor="1" revMinor="4"/>
<road name="a" length="60" id="1" junction="-1"><planView>
<geometry s="0" x="0" y="0" hdg="0" length="20"><line/></geometry>
<geometry s="20" x="20" y="0" hdg="0" length="20"><arc curvature="0.01"/></geometry>
<geometry s="40" x="39.9" y="2" hdg="0.2" length="20"><spiral curvStart="0.01" curvEnd="0"/></geometry>
</planView><elevationProfile/><lateralProfile/>
<lanes><laneOffset s="0" a="0" b="0" c="0" d="0"/><laneSection s="0">
<left><lane id="1" type="driving" level="false"><link/><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></left>
<center><lane id="0" type="none" level="false"><roadMark sOffset="0" type="solid"/></lane></center>
<right><lane id="-1" type="driving" level="false"><link/><width sOffset="0" a="3.5" b="0" c="0" d="0"/>
<speed sOffset="0" max="50" unit="km/h"/></lane></right>
</laneSection></lanes></road></OpenDRIVE>"#;

fn grants(seeds: &mut Seeds) -> Done {
    let key = fuzz::key().ok_or("no key")?;
    let grant = Grant {
        vehicle: VehicleId::new("car-1")?,
        seat: SeatId::new("desk")?,
        seat_kind: SeatKind::Human,
        session: "x".into(),
        max_mode: MaxMode::Drive,
        fingerprints: vec!["sha-256 AB:CD".into()],
        serial: 7,
        challenge: "asked".into(),
        lasts_ms: 60_000,
        issued_ms: 999_000,
    };
    seeds.add("grants", &[&[0], grant.sign(&key).as_bytes()])?;
    let claims = piece(&serde_json::to_vec(&grant)?);
    let description = piece(b"a=fingerprint:sha-256 AB:CD\r\n");
    let event = |what: u8| [what, 5, 0];
    let asked = piece(b"asked");
    let story = [
        &[0][..],
        &event(116),
        &asked,
        &event(2),
        &claims,
        &event(60),
        &description,
        &event(80),
        &event(90),
        &event(110),
    ]
    .concat();
    seeds.add("grants", &[&[1], &story])?;
    seeds.add("grants", &[&[4], key.public().to_string().as_bytes()])?;
    let proof = r#"[{"statement":{"format":"takeover-erasure/1"},"signature":"00"}]"#;
    seeds.add("grants", &[&[2], proof.as_bytes()])?;
    let signer = protocol::signing::SigningKey::from_seed(&[3; 32]).ok_or("the seed is not a key")?;
    let signature = recorder::EpisodeSignature::new(&signer, "e.mcap", 3, &protocol::signing::sha256_hex(b"abc"));
    seeds.add("grants", &[&[3], &piece(b"abc"), &serde_json::to_vec(&signature)?])
}

fn logs(seeds: &mut Seeds) -> Done {
    let events = [
        r#"{"event":"started","software":"0.1.0","epoch":4}"#,
        r#"{"event":"session","seat":"desk","session":"s","up":true,"watch_only":false,"reason":""}"#,
        r#"{"event":"authority","mode":"drive","author":"operator","epoch":5,"seat":"desk","reason":"","estop":false}"#,
        r#"{"event":"refusals","counts":{"stale":3}}"#,
        r#"{"event":"missing","events":2}"#,
        r#"{"event":"ended"}"#,
    ]
    .join("\n");
    seeds.add("logs", &[&[1], events.as_bytes()])?;
    let mut chain = vehicle_bridge::audit::chain::Chain::default();
    let line = chain.append(1, 2, "car-1", vehicle_bridge::audit::AuditEvent::Missing { events: 1 });
    let head = format!(r#"{{"seq":1,"sha256":"{}","key":"00","signature":"00"}}"#, chain.head());
    seeds.add("logs", &[&[0], &piece(line.as_bytes()), head.as_bytes()])?;
    seeds.add("logs", &[&[0], &piece(&line.as_bytes()[..90]), b""])?;
    let balance = |counter: u8| {
        piece(
            format!(r#"{{"counter":{counter},"epoch":3,"metres":{{"p1":{{"autonomous_m":5.5,"manual_m":1}}}}}}"#)
                .as_bytes(),
        )
    };
    let line = r#"{"id":"e-1","vehicle":"car-1","policy":"p1","cause":"safety","at_ms":5,"map":"m"}"#;
    seeds.add("logs", &[&[3], &balance(4), &balance(5), line.as_bytes(), b"\n{\"id\":"])?;
    let folder = tempfile::tempdir()?;
    link::Identity::load_or_make(&folder.path().join("identity"))?;
    seeds.add("logs", &[&[4], &fs::read(folder.path().join("identity"))?])?;
    seeds.add("logs", &[&[4], "0a".repeat(32).as_bytes()])
}

fn messages(seeds: &mut Seeds) -> Done {
    let points = (0..3).map(|n| v1::TrajectoryPoint { at_us: 10_000_000 + n, x_m: n as f64, y_m: 0.0, speed_mps: 3.0 });
    let input = OperatorInput {
        sequence: 1_001,
        epoch: 1,
        seat_us: 10_000_000,
        deadman: true,
        action: vec![0.5, 0.1],
        shown_frame_us: 9_900_000,
        trajectory: Some(v1::Trajectory { points: points.collect() }),
    };
    let command = CommandDatagram { inputs: vec![input], seat_id: "a".into(), link_sequence: 4, ..Default::default() };
    let takeover = v1::seat_request::Request::Takeover(TakeoverRequest::default());
    let request = SeatRequest { id: 1, request: Some(takeover), ..Default::default() };
    let scan = foxglove::LaserScan { ranges: (1..60).map(f64::from).collect(), end_angle: 1.0, ..Default::default() };
    let lidar = link::lidar::encode(&scan, 3, 5_000);
    let state = StateDatagram { lidar: lidar.clone(), link_sequence: 9, ..Default::default() };
    let event = VehicleEvent { link_sequence: 2, ..Default::default() };
    let command = command.encode_to_vec();
    for (kind, bytes) in [
        (0_u8, command.clone()),
        (1, state.encode_to_vec()),
        (2, event.encode_to_vec()),
        (3, request.encode_to_vec()),
        (4, v1::VehicleState { observation: vec![1.0; 4], ..Default::default() }.encode_to_vec()),
        (5, v1::Surroundings { sequence: 3, ..Default::default() }.encode_to_vec()),
        (6, foxglove::CompressedVideo { format: "h264".into(), ..Default::default() }.encode_to_vec()),
        (7, scan.encode_to_vec()),
        (8, foxglove::LocationFix { latitude: 57.7, ..Default::default() }.encode_to_vec()),
        (9, [&[0x80, 102, 0, 1][..], &[0; 8], b"payload"].concat()),
        (9, [&[0x80, 204, 0, 4][..], &[0; 4], b"TKOV", &[0, 2, 7, 7]].concat()),
        (9, vec![0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]),
    ] {
        seeds.add("wire", &[&[kind], &bytes])?;
    }
    let answer = Signal::Answer { session: "s".into(), sdp: SDP.into(), vouched: Some("AB:CD".into()) };
    seeds.add("wire", &[&[10], &serde_json::to_vec(&answer)?])?;
    seeds.add("wire", &[&[11], SDP.as_bytes()])?;
    for segment in &lidar {
        seeds.add("sound", &[&[2], &segment.encode_to_vec()])?;
    }
    let takeover = [12, 0]; // the first seat takes over
    let drive = [0, 0, 0xb0, 0, 0x80, 2, 9];
    let engage = [12, 15];
    let honest: Vec<u8> = [&takeover[..], &[17, 3], &engage, &drive.repeat(20), &[16, 9], &drive.repeat(4)].concat();
    seeds.add("gate", &[&honest])?;
    seeds.add("gate", &[&takeover, &[7, 15], &piece(&command), &[15, 3], &[0; 8], &[5, 0, 0x60, 1, 1]])?;
    seeds.add("gate", &[&takeover, &[10, 0], &piece(&request.encode_to_vec()), &[14, 0x80, 14, 0, 17, 9]])
}

fn robot(seeds: &mut Seeds) -> Done {
    let pong = [9, 0, 3, 3];
    let stand = [&[4, 10, 0][..], &piece(b"")].concat();
    let drive = [13, 0, 1];
    let ticks = [15, 0, 11];
    for kind in [0, 1] {
        seeds.add("robot", &[&[2, 0, kind, 0], &pong, &stand, &drive, &stand.repeat(4), &ticks])?;
    }
    let surroundings = v1::Surroundings {
        corridor: (0..3)
            .map(|n| v1::CorridorPoint {
                s_m: n as f32 * 9.0,
                x_m: n as f32 * 9.0,
                lane_left_m: 1.7,
                lane_right_m: 1.7,
                speed_limit_mps: 14.0,
                ..Default::default()
            })
            .collect(),
        objects: vec![v1::TrackedObject { x_m: 20.0, length_m: 4.0, width_m: 2.0, ..Default::default() }],
        visibility_m: 100.0,
        friction: 0.9,
        route_left_m: 500.0,
        ..Default::default()
    };
    let scan = foxglove::LaserScan { ranges: vec![20.0; 9], start_angle: -0.3, end_angle: 0.3, ..Default::default() };
    let fix = foxglove::LocationFix { latitude: 57.7, longitude: 11.9, ..Default::default() };
    let seen = v1::RobotSense {
        surroundings: Some(surroundings),
        scan: Some(scan),
        fix: Some(fix),
        estop_pressed: false,
        ..Default::default()
    };
    let mut sees = [&[4, 10, 1][..], &[0xff, 0xbf, 0, 0x40, 0, 0x40, 0, 0x40]].concat();
    sees.extend(piece(&seen.encode_to_vec()));
    seeds.add("robot", &[&[2, 0, 0, 3], &pong, &sees, &ticks, &drive, &sees, &sees, &ticks])?;
    let cameras = [&[2, 0, 12, 0][..], &pong].concat();
    let units = seeds::pictures()?.into_iter().flat_map(|unit| [&[10, 40, 0][..], &piece(&unit)].concat());
    seeds
        .add("robot", &[&cameras, &[11, 20, 1, 90, 11, 20, 2, 200], &units.collect::<Vec<u8>>(), &[12, 0], &cameras])?;
    let bring = |text: &str| [&[2, 0, 2, 0][..], &piece(text.as_bytes())].concat();
    for embodiment in Embodiment::built_in() {
        let toml: String = embodiment
            .source()
            .lines()
            .filter(|line| !line.starts_with('#'))
            .fold(String::new(), |text, line| text + line.split(" #").next().unwrap_or_default() + "\n");
        seeds.add("robot", &[&bring(&toml), &pong, &stand, &drive, &stand, &ticks])?;
    }
    // What a robot sends in truth, in pieces.
    let frame = |frame| vehicle_bridge::robots::process::encode(&v1::FromRobot { frame: Some(frame) });
    let named = v1::robot_hello::Embodiment::EmbodimentName("ackermann_car".into());
    let hello = v1::RobotHello { version: 1, embodiment: Some(named), ..Default::default() };
    let bytes = [
        frame(v1::from_robot::Frame::Hello(hello)),
        frame(v1::from_robot::Frame::Heartbeat(v1::RobotHeartbeat { monotonic_us: 5 })),
        frame(v1::from_robot::Frame::Bye(v1::RobotBye { reason: 1, detail: "done".into() })),
    ]
    .concat();
    let (head, tail) = bytes.split_at(9);
    seeds.add("robot", &[&[0, 0], &piece(head), &[0, 9], &piece(tail)])?;
    let message = v1::FromRobot { frame: Some(v1::from_robot::Frame::Picture(v1::RobotPicture::default())) };
    seeds.add("robot", &[&[2, 0, 0, 0], &[1, 0], &piece(&message.encode_to_vec())])
}

/// As short as a description that a peer could answer with.
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 AB:CD\r\na=group:BUNDLE 0\r\n\
                   m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\na=setup:active\r\n\
                   a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=rtpmap:102 H264/90000\r\n\
                   a=extmap:3 urn:x-takeover:frame-info\r\n";

fn streams(seeds: &mut Seeds) -> Done {
    let film = seeds::pictures()?;
    let mut packets = Vec::new();
    for (number, picture) in (0_u8..).zip(&film) {
        for part in picture.chunks(500) {
            let length = u8::try_from(part.len().div_ceil(5))?;
            packets.extend_from_slice(&[number, number, 0x80 | 10, length]);
            packets.extend_from_slice(&[0x80, 1, 0, 1, 0, 0, 0, 9, 0, 9, 0, 9, 0, 9, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0]);
            packets.extend_from_slice(part);
            packets.resize(packets.len().next_multiple_of(5), 0);
        }
    }
    seeds.add("media", &[&packets])?;
    let mut encoder = link::audio::AudioEncoder::new()?;
    let mut played = Vec::new();
    for number in 0..4_u8 {
        let tone = link::audio::tone::frame(440.0, number.into());
        let Some(packet) = encoder.encode(&tone)? else { continue };
        seeds.add("sound", &[&[0], &packet])?;
        played.extend_from_slice(&[number, 0, number * 2, 0, 20, u8::try_from(packet.len()).unwrap_or(u8::MAX)]);
        played.extend_from_slice(&packet);
    }
    seeds.add("sound", &[&[1], &played])
}
