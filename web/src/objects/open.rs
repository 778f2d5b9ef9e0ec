//! Folder or bucket, as the command line names it.

use super::{Objects, ObjectsError, ObjectsResult};
use futures_util::StreamExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, RetryConfig};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A request to a bucket is repeated for so long before it counts as refused.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);

impl Objects {
    /// `s3://BUCKET/PREFIX`, with key, region and endpoint by the usual `AWS_*` variables, or else a folder, which is
    /// made when it is missing.
    ///
    /// # Errors
    /// [`ObjectsError::Place`] when it cannot be used.
    pub async fn open(place: &str) -> ObjectsResult<Self> {
        match place.split_once("://") {
            None => Self::folder(Path::new(place)),
            Some(("s3", rest)) => Self::bucket(place, rest).await,
            Some((scheme, _)) => {
                Err(refuse(place, format!("{scheme}: is not known, use a folder or s3://BUCKET/PREFIX")))
            }
        }
    }

    /// A folder.
    ///
    /// # Errors
    /// [`ObjectsError::Place`] when it cannot be made.
    pub fn folder(folder: &Path) -> ObjectsResult<Self> {
        let place = folder.to_string_lossy();
        std::fs::create_dir_all(folder).map_err(|e| refuse(&place, e.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|e| refuse(&place, e.to_string()))?;
        Ok(Self { store: Arc::new(store.with_fsync(true)), folder: Some(folder.to_owned()) })
    }

    async fn bucket(place: &str, rest: &str) -> ObjectsResult<Self> {
        // HTTPS needs a provider of cryptography; the one that the link has. An error means that there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(refuse(place, "it names no bucket".to_owned()));
        }
        let retry = RetryConfig { retry_timeout: RETRY_TIMEOUT, max_retries: 5, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
        let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint]
            .iter()
            .find_map(|key| builder.get_config_value(key));
        if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
            builder = builder.with_allow_http(true);
        }
        let s3 = builder.build().map_err(|e| refuse(place, e.to_string()))?;
        let prefix = object_store::path::Path::parse(prefix.trim_matches('/'));
        let prefix = prefix.map_err(|e| refuse(place, e.to_string()))?;
        let store: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(s3, prefix));
        // A wrong name, key or endpoint shows now and not when the first vehicle uploads.
        // Asked for a single object, a server does not tell a bucket that is not there from an object that is not.
        let first = store.list(Some(&"sha256".into())).next().await;
        match first {
            Some(Err(e)) => Err(refuse(place, e.to_string())),
            _ => Ok(Self { store, folder: None }),
        }
    }
}

fn refuse(place: &str, problem: String) -> ObjectsError {
    ObjectsError::Place { place: place.to_owned(), problem }
}
