use super::*;

fn key_of(content: &[u8]) -> ObjectKey {
    use sha2::{Digest, Sha256};
    ObjectKey::new(&hex::encode(Sha256::digest(content)), UploadKind::Episode).unwrap()
}

async fn read(objects: &Objects, key: &ObjectKey, range: Option<Range<u64>>) -> ObjectsResult<Vec<u8>> {
    let pieces: Vec<Bytes> = objects.get(key, range).await?.try_collect().await?;
    Ok(pieces.concat())
}

#[tokio::test]
async fn a_folder_keeps_small_and_large_content_under_names_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::open(&dir.path().join("objects").to_string_lossy()).await.unwrap();
    let large: Vec<u8> = (0..2 * PART_BYTES + 7).map(|i| (i / 1000) as u8).collect();
    for content in [&b""[..], b"small", &large] {
        let (key, file) = (key_of(content), dir.path().join("file"));
        std::fs::write(&file, content).unwrap();
        assert_eq!(objects.size(&key).await.unwrap(), None);
        assert!(matches!(read(&objects, &key, None).await, Err(ObjectsError::Missing(_))));
        for _ in 0..2 {
            objects.put(&key, &file).await.unwrap();
            assert_eq!(objects.size(&key).await.unwrap(), Some(content.len() as u64));
            assert!(read(&objects, &key, None).await.unwrap() == content);
        }
        assert_eq!(std::fs::read(objects.file(&key).unwrap()).unwrap(), content);
    }
    let key = key_of(&large);
    assert!(read(&objects, &key, Some(8_000_000..9_000_000)).await.unwrap() == large[8_000_000..9_000_000]);
    std::fs::write(dir.path().join("objects/readme.txt"), "not ours").unwrap();
    let listed: Vec<_> = objects.list().try_collect().await.unwrap();
    assert_eq!(listed.len(), 3);
    assert!(listed.contains(&(key.clone(), large.len() as u64)));
    assert!(objects.delete(&key).await.unwrap());
    assert!(!objects.delete(&key).await.unwrap());
    assert_eq!(objects.size(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let taken = dir.path().join("file");
    std::fs::write(&taken, "").unwrap();
    for place in ["gs://bucket/x", "s3:///prefix", &taken.to_string_lossy()] {
        let error = Objects::open(place).await.unwrap_err().to_string();
        assert!(error.contains(place), "{error}");
    }
}

#[test]
fn only_hashes_are_names() {
    let hash = "0a".repeat(32);
    for kind in UploadKind::ALL {
        let key = ObjectKey::new(&hash, kind).unwrap();
        assert_eq!(ObjectKey::parse(key.as_str()).unwrap(), key);
        assert_eq!(key.sha256(), hash);
    }
    let upper = hash.to_uppercase();
    for text in ["", "..", "../../etc/passwd", &upper, &hash[1..], &format!("{hash}0")] {
        assert!(ObjectKey::new(text, UploadKind::Episode).is_err(), "{text}");
        assert!(ObjectKey::parse(&format!("sha256/0a/{text}.mcap")).is_err(), "{text}");
    }
    for text in ["sha256/0b/{}.mcap", "x/0a/{}.mcap", "/sha256/0a/{}.mcap", "sha256/0a/{}.exe", "sha256/0a/{}"] {
        assert!(ObjectKey::parse(&text.replace("{}", &hash)).is_err(), "{text}");
    }
}

#[test]
fn a_storage_whose_clock_is_another_one_is_told_so() {
    let said = |source: &str| ObjectsError::Store {
        key: "k".into(),
        cause: object_store::Error::Generic { store: "S3", source: source.to_owned().into() },
    };
    let skewed = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
    assert!(said(skewed).to_string().contains("set this machine's clock"), "{}", said(skewed));
    assert!(!said("<Error><Code>SlowDown</Code></Error>").to_string().contains("clock"));
}
