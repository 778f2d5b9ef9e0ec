//! Making of an episode another one that may be shown.

use super::film::{Covering, Search};
use super::{BuiltInDetector, Detector, PrivacyError, RedactionPolicy, RedactionReport, RegionKind};
use crate::attachments::Attached;
use crate::exchange::ExchangeProgress;
use crate::exchange::output::Output;
use crate::file::{EPISODE, EPISODE_BEGUN, file_name, part_path};
use crate::{EpisodeMessage, EpisodeReader, signature};
use protocol::topics::VIDEO_SCHEMA;
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the metadata record that says what was done.
const PRIVACY: &str = "privacy";
/// Most cameras: each has a decoder, an encoder and a picture in memory.
const MAX_CAMERAS: usize = 16;

/// Writes the episode `input` as `policy` wants it into `output_dir`, under its own name; there must be none yet.
///
/// Pictures in which something is to be blurred are decoded and encoded again, with the same times and numbers and
/// keyframes where they were. Everything else is taken over byte by byte. The metadata record `privacy` says what was
/// done to which file, by which detector. The source's signature does not fit the new file: see
/// [`RedactionReport::sign`].
///
/// # Errors
/// [`PrivacyError`]: when the detector's models are not installed, when pictures cannot be decoded, or are of a kind
/// that nothing can be blurred in. Nothing passes that was not looked at.
pub fn redact(
    input: &Path,
    output_dir: &Path,
    policy: &RedactionPolicy,
    progress: &mut ExchangeProgress<'_>,
) -> Result<RedactionReport, PrivacyError> {
    let mut detector = BuiltInDetector::load(&policy.blur)?;
    redact_with(input, output_dir, policy, &mut detector, progress)
}

/// As [`redact`], with a detector of one's own, which looks for all that the policy wants blurred.
///
/// # Errors
/// As [`redact`].
pub fn redact_with(
    input: &Path,
    output_dir: &Path,
    policy: &RedactionPolicy,
    detector: &mut dyn Detector,
    progress: &mut ExchangeProgress<'_>,
) -> Result<RedactionReport, PrivacyError> {
    let source = EpisodeReader::open(input)?;
    let job = Job { source: &source, policy };
    job.check()?;
    let source_sha256 = signature::sum(input)?.1;
    let mut films = job.search(detector, progress)?;
    let mut report = RedactionReport {
        path: output_dir.join(file_name(&source.info().id)),
        episode: source.info().to_api(String::new(), 0, String::new()),
        source_sha256,
        detector: if policy.blur.is_empty() { String::new() } else { detector.name() },
        omitted: job.omitted(),
        regions: films.iter().map(|(topic, film)| (topic.clone(), film.regions.clone())).collect(),
        pictures: 0,
    };
    let mut output = Output::create(output_dir, source.info())?;
    let written = job.write(&mut output, &mut films, &mut report, progress);
    let finished = written.and_then(|()| Ok(output.finish_as(source.info())?));
    match finished {
        Ok(episode) => report.episode = episode,
        Err(error) => {
            // Half a redacted file must not be taken for what a crash has left of an episode.
            let _ = std::fs::remove_file(part_path(output_dir, &source.info().id));
            return Err(error);
        }
    }
    Ok(report)
}

struct Job<'a> {
    source: &'a EpisodeReader,
    policy: &'a RedactionPolicy,
}

impl Job<'_> {
    /// A camera's calibration and single pictures go with it.
    fn omits(&self, topic: &str) -> bool {
        let camera = topic.strip_suffix("/calibration").or(topic.strip_suffix("/image")).unwrap_or(topic);
        self.policy.omit.contains(topic) || self.policy.omit.contains(camera)
    }

    fn omitted(&self) -> Vec<String> {
        let topics = self.source.topics().into_iter().map(|topic| topic.topic);
        let names = topics.chain(self.source.attachment_names().map(str::to_owned));
        names.filter(|name| self.omits(name)).collect()
    }

    fn blurs(&self, message: &EpisodeMessage) -> bool {
        !self.policy.blur.is_empty() && message.schema() == VIDEO_SCHEMA
    }

    /// Refuses pictures that would pass without being looked at.
    fn check(&self) -> Result<(), PrivacyError> {
        if self.policy.blur.is_empty() {
            return Ok(());
        }
        let refused = |what: String, problem: String| {
            Err(PrivacyError::NotBlurred { path: self.source.path().to_owned(), what, problem })
        };
        let topics = self.source.topics();
        let mut cameras = topics.iter().filter(|topic| topic.schema == VIDEO_SCHEMA && !self.omits(&topic.topic));
        if let Some(camera) = cameras.nth(MAX_CAMERAS) {
            return refused(camera.topic.clone(), format!("it is one of more than {MAX_CAMERAS} cameras"));
        }
        for topic in topics.iter().filter(|topic| !self.omits(&topic.topic)) {
            let schema = topic.schema.to_ascii_lowercase();
            let pictures = ["image", "video"].iter().any(|word| schema.contains(word));
            if pictures && topic.schema != VIDEO_SCHEMA && !schema.contains("annotation") {
                return refused(topic.topic.clone(), format!("it holds {}", topic.schema));
            }
        }
        for attached in self.source.attachments()?.1 {
            let Attached { name, media_type, .. } = attached?;
            if !self.omits(&name) && ["image/", "video/"].iter().any(|kind| media_type.starts_with(kind)) {
                return refused(format!("the attachment {name:?}"), format!("it is {media_type}"));
            }
        }
        Ok(())
    }

    fn at(&self, message: &EpisodeMessage) -> impl FnOnce(String) -> PrivacyError {
        let (path, topic) = (self.source.path().to_owned(), message.topic().to_owned());
        let log_time_ns = message.log_time_ns;
        move |problem| PrivacyError::Picture { path, topic, log_time_ns, problem }
    }

    /// How far a time is within one of the two ways through.
    fn tell(&self, way: u64, at_ns: u64, progress: &mut ExchangeProgress<'_>) {
        let info = self.source.info();
        let length = info.end_ns.saturating_sub(info.start_ns);
        let done = at_ns.saturating_sub(info.start_ns).min(length);
        progress(way.saturating_mul(length).saturating_add(done), length.saturating_mul(2));
    }

    /// Looks through all pictures.
    fn search(
        &self,
        detector: &mut dyn Detector,
        progress: &mut ExchangeProgress<'_>,
    ) -> Result<BTreeMap<String, Covering>, PrivacyError> {
        let topics = self.source.topics();
        let cameras = topics.iter().filter(|topic| topic.schema == VIDEO_SCHEMA && !self.omits(&topic.topic));
        let mut searches: BTreeMap<String, Search> = BTreeMap::new();
        if self.policy.blur.is_empty() {
            return Ok(BTreeMap::new());
        }
        for message in self.source.select(Some(cameras.map(|topic| topic.topic.as_str())), ..) {
            let message = message?;
            if !searches.contains_key(message.topic()) {
                let search = Search::new(message.log_time_ns).map_err(self.at(&message))?;
                searches.insert(message.topic().to_owned(), search);
            }
            if let Some(search) = searches.get_mut(message.topic()) {
                search.see(&message, detector).map_err(self.at(&message))?;
            }
            self.tell(0, message.log_time_ns, progress);
        }
        let films = searches.into_iter().map(|(topic, search)| {
            let fail =
                |problem| PrivacyError::NotBlurred { path: self.source.path().into(), what: topic.clone(), problem };
            Ok((topic.clone(), search.finish().map_err(fail)?))
        });
        films.collect()
    }

    fn write(
        &self,
        output: &mut Output,
        films: &mut BTreeMap<String, Covering>,
        report: &mut RedactionReport,
        progress: &mut ExchangeProgress<'_>,
    ) -> Result<(), PrivacyError> {
        let own = [EPISODE, EPISODE_BEGUN, PRIVACY];
        for (name, entries) in self.source.all_metadata()? {
            if !own.contains(&name.as_str()) {
                output.metadata(&name, &entries)?;
            }
        }
        // Ahead of the pictures, so that no part of the file goes without it.
        output.metadata(PRIVACY, &self.record(report)?)?;
        let (mut file, attachments) = self.source.attachments()?;
        for attached in attachments {
            let attached = attached?;
            if !self.omits(&attached.name) {
                output.attach(&attached, &mut file)?;
            }
        }
        for message in self.source.messages() {
            let message = message?;
            self.tell(1, message.log_time_ns, progress);
            if self.omits(message.topic()) {
                continue;
            }
            if !self.blurs(&message) {
                output.copy(&message)?;
                continue;
            }
            let film = films.get_mut(message.topic()).ok_or_else(|| "it came out of nowhere".to_owned());
            let covered = film.and_then(|film| film.cover(&message)).map_err(self.at(&message))?;
            output.copy(&covered)?;
        }
        report.pictures = films.values().map(|film| film.pictures).sum();
        report.regions = films.iter().map(|(topic, film)| (topic.clone(), film.regions.clone())).collect();
        Ok(())
    }

    /// The record of what is done; of a source that was redacted before, also of that.
    fn record(&self, report: &RedactionReport) -> Result<BTreeMap<String, String>, PrivacyError> {
        let joined = |items: Vec<String>| items.join(" ");
        let blur = self.policy.blur.iter().map(RegionKind::to_string).collect();
        let mut record: BTreeMap<String, String> = [
            ("blur", joined(blur)),
            ("omit", joined(self.policy.omit.iter().cloned().collect())),
            ("omitted", joined(report.omitted.clone())),
            ("detector", report.detector.clone()),
            ("source_sha256", report.source_sha256.clone()),
            ("software", concat!("takeover ", env!("CARGO_PKG_VERSION")).to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        for (topic, kinds) in &report.regions {
            let counts = kinds.iter().map(|(kind, regions)| format!("{kind} {}", regions.followed)).collect();
            record.insert(format!("regions {topic}"), joined(counts));
        }
        if self.source.metadata_names().any(|name| name == PRIVACY) {
            let before = self.source.metadata(PRIVACY)?;
            record.insert("before".to_owned(), serde_json::to_string(&before).unwrap_or_default());
        }
        Ok(record)
    }
}
