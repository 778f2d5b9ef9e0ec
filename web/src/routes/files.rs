//! Files for whoever asks: uploaded ones from where objects are kept, others from the data folder. Names come from
//! checked identifiers, so no request leaves the folder.

use crate::app::{App, Shared};
use crate::check;
use crate::objects::{ObjectKey, Objects, UploadKind};
use crate::reply::{ApiError, ApiResult};
use crate::routes::{episodes, policies};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE,
    RANGE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::BytesMut;
use futures_util::stream;
use protocol::EpisodeId;
use protocol::api::Episode;
use std::io::{ErrorKind, SeekFrom};
use std::path::PathBuf;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// Bytes read and sent at once.
const CHUNK: usize = 64 * 1024;
const POLICY_FILES: [&str; 2] = ["manifest.json", "weights.safetensors"];

struct Download {
    place: Place,
    name: String,
    kind: &'static str,
    /// Identifies the content; none when it is not known.
    etag: Option<String>,
}

/// Where a file lies.
enum Place {
    Folder(PathBuf),
    Objects(Objects, ObjectKey, u64),
}

/// The MCAP file of an episode, whole or a range of it. Episodes that were not uploaded lie in the data folder.
pub async fn episode(State(app): Shared, Path(id): Path<String>, headers: HeaderMap) -> ApiResult<Response> {
    let episode = episodes::find_episode(&app, &id).await?.episode;
    check::file_name("file", &episode.file)?;
    let place = match app.store.find_file(&episode.id, UploadKind::Episode).await? {
        Some((key, bytes)) => Place::Objects(app.uploads.objects().clone(), key, bytes),
        None => Place::Folder(app.data_dir.join("episodes").join(&episode.file)),
    };
    let etag = Some(format!("\"{}\"", episode.sha256));
    send(Download { place, name: episode.file, kind: UploadKind::Episode.media_type(), etag }, &headers).await
}

/// What was uploaded beside an episode, perhaps before it: its previews, its signature.
pub async fn of_episode(
    State(app): Shared,
    Path((id, kind)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let id = EpisodeId::new(id).map_err(|e| ApiError::invalid(e.to_string()))?;
    let Some(kind) = UploadKind::ALL.into_iter().find(|known| known.label() == kind) else {
        let known = UploadKind::ALL.map(UploadKind::label).join(", ");
        return Err(ApiError::not_found(format!("kind: {kind:?} is none of {known}")));
    };
    let found = app.store.find_file(&id, kind).await?;
    let missing = || ApiError::not_found(format!("episode {id} has no {}", kind.label()));
    let (key, bytes) = found.ok_or_else(missing)?;
    let (name, etag) = (format!("{id}.{}", kind.ending()), Some(format!("\"{}\"", key.sha256())));
    let place = Place::Objects(app.uploads.objects().clone(), key, bytes);
    send(Download { place, name, kind: kind.media_type(), etag }, &headers).await
}

/// Lets an uploaded episode and its signature appear in the episodes folder, so that other tools find them by name.
/// Refuses a row that is not of the file that was uploaded for it.
pub async fn show_by_name(app: &App, episode: &Episode) -> ApiResult<()> {
    let Some((key, bytes)) = app.store.find_file(&episode.id, UploadKind::Episode).await? else { return Ok(()) };
    if (key.sha256(), bytes) != (episode.sha256.as_str(), episode.bytes) {
        let text = format!("sha256: {} is not valid: {} was uploaded for {}", episode.sha256, key.sha256(), episode.id);
        return Err(ApiError::conflict(text));
    }
    if !app.by_name {
        return Ok(());
    }
    let named = app.data_dir.join("episodes").join(&episode.file);
    let signature = app.store.find_file(&episode.id, UploadKind::Signature).await?;
    let mut names = vec![(key, named.clone())];
    names.extend(signature.map(|(key, _)| (key, named.with_extension("mcap.sig"))));
    for (key, name) in names {
        let Some(object) = app.uploads.objects().file(&key) else { continue };
        match tokio::fs::hard_link(&object, &name).await {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                tracing::warn!(%error, name = %name.display(), "an uploaded file has no name in the episodes folder");
            }
            _ => {}
        }
    }
    Ok(())
}

/// A file of a policy version, so that a vehicle can fetch an update.
pub async fn policy(
    State(app): Shared,
    Path((version, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let policy = policies::find_policy(&app, &version).await?;
    let Some(name) = POLICY_FILES.iter().find(|name| **name == file) else {
        return Err(ApiError::not_found(format!("file: {file:?} is none of {}", POLICY_FILES.join(", "))));
    };
    let path = app.data_dir.join("policies").join(policy.version.as_str()).join(name);
    let kind = if name.ends_with(".json") { "application/json" } else { "application/octet-stream" };
    send(Download { place: Place::Folder(path), name: (*name).into(), kind, etag: None }, &headers).await
}

async fn send(what: Download, headers: &HeaderMap) -> ApiResult<Response> {
    let (source, size) = match what.place {
        Place::Folder(path) => {
            let (file, size) = open(&path, &what.name).await?;
            (Source::File(file), size)
        }
        Place::Objects(objects, key, size) => (Source::Object(objects, key), size),
    };
    let mut response = Response::builder()
        .header(CONTENT_TYPE, what.kind)
        .header(ACCEPT_RANGES, "bytes")
        .header(CACHE_CONTROL, "no-cache")
        .header(CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", what.name));
    if let Some(etag) = &what.etag {
        response = response.header(ETAG, etag);
    }
    let (start, length) = match wanted(headers, size, what.etag.as_deref()) {
        Wanted::Whole => (0, size),
        Wanted::Part { start, length } => {
            let range = format!("bytes {start}-{}/{size}", start + length - 1);
            response = response.status(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, range);
            (start, length)
        }
        Wanted::Nothing => {
            let text = format!("Range: nothing of {} is there, it has {size} bytes", what.name);
            return Err(ApiError::Client(StatusCode::RANGE_NOT_SATISFIABLE, text));
        }
    };
    let body = match source {
        Source::File(mut file) => {
            file.seek(SeekFrom::Start(start)).await?;
            Body::from_stream(stream::try_unfold((file, length), next_chunk))
        }
        Source::Object(objects, key) => Body::from_stream(objects.get(&key, Some(start..start + length)).await?),
    };
    response.header(CONTENT_LENGTH, length).body(body).map_err(|e| ApiError::File(std::io::Error::other(e)))
}

enum Source {
    File(File),
    Object(Objects, ObjectKey),
}

async fn open(path: &std::path::Path, name: &str) -> ApiResult<(File, u64)> {
    let file = File::open(path).await.map_err(|e| match e.kind() {
        ErrorKind::NotFound => ApiError::not_found(format!("the file {name} is not in the data folder")),
        _ => ApiError::File(e),
    })?;
    let metadata = file.metadata().await?;
    if !metadata.is_file() {
        return Err(ApiError::not_found(format!("{name} is not a file")));
    }
    Ok((file, metadata.len()))
}

async fn next_chunk((mut file, left): (File, u64)) -> std::io::Result<Option<(bytes::Bytes, (File, u64))>> {
    if left == 0 {
        return Ok(None);
    }
    let mut chunk = BytesMut::with_capacity(CHUNK);
    let most = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
    if (&mut file).take(most as u64).read_buf(&mut chunk).await? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let left = left - chunk.len() as u64;
    Ok(Some((chunk.freeze(), (file, left))))
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part { start: u64, length: u64 },
    Nothing,
}

/// RFC 9110, section 14: a single range of bytes; anything else is answered with the whole.
fn wanted(headers: &HeaderMap, size: u64, etag: Option<&str>) -> Wanted {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let changed = text(IF_RANGE).is_some_and(|seen| Some(seen) != etag);
    match text(RANGE).and_then(|range| range.strip_prefix("bytes=")) {
        Some(range) if !changed => part(range.trim(), size).unwrap_or(Wanted::Whole),
        _ => Wanted::Whole,
    }
}

fn part(range: &str, size: u64) -> Option<Wanted> {
    let (first, last) = range.split_once('-')?;
    let (start, end) = match (first, last) {
        ("", suffix) => (size.saturating_sub(suffix.parse().ok()?), size),
        (first, "") => (first.parse().ok()?, size),
        (first, last) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(size))
        }
    };
    if start >= end { Some(Wanted::Nothing) } else { Some(Wanted::Part { start, length: end - start }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_rfc_9110() {
        let part = |start, length| Some(Wanted::Part { start, length });
        for (range, expected) in [
            ("0-0", part(0, 1)),
            ("2-4", part(2, 3)),
            ("7-", part(7, 3)),
            ("-3", part(7, 3)),
            ("-99", part(0, 10)),
            ("5-99", part(5, 5)),
            ("0-18446744073709551615", part(0, 10)),
            ("10-", Some(Wanted::Nothing)),
            ("-0", Some(Wanted::Nothing)),
            ("4-2", None),
            ("0-1,3-4", None),
            ("a-b", None),
            ("-", None),
        ] {
            assert_eq!(super::part(range, 10), expected, "{range}");
        }
        assert_eq!(super::part("0-", 0), Some(Wanted::Nothing));
    }
}
