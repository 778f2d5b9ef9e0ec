use super::*;
use protocol::EpisodeId;

async fn uploads(dir: &Path) -> Arc<Uploads> {
    let key = protocol::signing::SigningKey::from_seed(&[1; 32]).unwrap();
    let database = crate::Database::Sqlite(dir.join("db.sqlite"));
    let store = Store::open(&database, crate::store::TombstoneKey::new(&key)).await.unwrap();
    Uploads::open(&dir.join("uploads"), Objects::folder(&dir.join("objects")).unwrap(), store).unwrap()
}

fn start(sha256: &str) -> UploadStart {
    UploadStart {
        vehicle: "car".parse().unwrap(),
        episode: EpisodeId::new("e").unwrap(),
        kind: UploadKind::Episode,
        sha256: sha256.to_owned(),
        bytes: 10,
    }
}

#[tokio::test]
async fn what_nobody_goes_on_with_goes_and_what_is_no_upload_is_cleared_away() {
    let dir = tempfile::tempdir().unwrap();
    let before = uploads(dir.path()).await;
    let hashes = ["ab".repeat(32), "cd".repeat(32)];
    for hash in &hashes {
        before.slot(&start(hash)).unwrap();
    }
    let folder = dir.path().join("uploads");
    std::fs::write(folder.join("orphan.part"), "x").unwrap();
    std::fs::write(folder.join("draft.draft"), "x").unwrap();
    std::fs::write(folder.join(format!("{}.json", "ef".repeat(32))), "{}").unwrap();
    let after = uploads(dir.path()).await;
    assert_eq!(after.slots().keys().cloned().collect::<Vec<_>>(), hashes);
    assert!(!folder.join("orphan.part").exists() && !folder.join("draft.draft").exists());

    // One of them is being worked on.
    let claim = after.claim(&hashes[0]).await.unwrap();
    after.tidy(Duration::ZERO);
    assert_eq!(after.slots().len(), 1);
    drop(claim);
    after.tidy(Duration::from_secs(3600));
    assert_eq!(after.slots().len(), 1);
    after.tidy(Duration::ZERO);
    assert_eq!(after.slots().len(), 0);
    assert!(uploads(dir.path()).await.slots().is_empty());
}

#[tokio::test]
async fn one_vehicle_does_not_take_all_places() {
    let dir = tempfile::tempdir().unwrap();
    let uploads = uploads(dir.path()).await;
    for index in 0..MOST_OF_ONE {
        uploads.slot(&start(&format!("{index:064x}"))).unwrap();
    }
    let refused = uploads.slot(&start(&"ab".repeat(32))).err().unwrap();
    assert!(matches!(refused, ApiError::Client(StatusCode::TOO_MANY_REQUESTS, _)), "{refused}");
    uploads.slot(&start(&format!("{:064x}", 3))).unwrap();
    uploads.slot(&UploadStart { vehicle: "van".parse().unwrap(), ..start(&"ab".repeat(32)) }).unwrap();
}
