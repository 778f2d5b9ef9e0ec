//! The embodiments that come with the platform. They are files too.

use super::file::MAX_BYTES;
use super::{Embodiment, EmbodimentError};
use crate::Attachment;
use std::path::Path;
use std::sync::LazyLock;

/// Name of the attachment by which an episode carries the file of a robot that is not built in.
pub const EMBODIMENT_ATTACHMENT: &str = "embodiment.toml";

const FILES: [(&str, &str); 2] = [
    ("ackermann_car.toml", include_str!("../../embodiments/ackermann_car.toml")),
    ("delivery_robot.toml", include_str!("../../embodiments/delivery_robot.toml")),
];

static BUILT_IN: LazyLock<Vec<Embodiment>> = LazyLock::new(|| {
    let read = |(file, text): (&str, &str)| {
        // Part of this program, and read by its tests.
        Embodiment::from_toml(file, text).unwrap_or_else(|error| panic!("a built-in embodiment: {error}"))
    };
    FILES.map(read).into()
});

impl Embodiment {
    /// The embodiments that come with the platform.
    #[must_use]
    pub fn built_in() -> &'static [Self] {
        &BUILT_IN
    }

    /// A mid-size passenger car with front-wheel steering: `embodiments/ackermann_car.toml`.
    #[must_use]
    pub fn ackermann_car() -> Self {
        BUILT_IN[0].clone()
    }

    /// A delivery robot with differential drive: `embodiments/delivery_robot.toml`.
    #[must_use]
    pub fn delivery_robot() -> Self {
        BUILT_IN[1].clone()
    }

    /// The built-in embodiment named `name`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        BUILT_IN.iter().find(|e| e.name == name).cloned()
    }

    /// The built-in embodiment named `name_or_file`, or the one in a file of that name.
    ///
    /// # Errors
    /// [`EmbodimentError`] when there is neither, or the file is not a valid embodiment.
    pub fn named_or_from_file(name_or_file: &str) -> Result<Self, EmbodimentError> {
        if let Some(known) = Self::by_name(name_or_file) {
            return Ok(known);
        }
        let path = Path::new(name_or_file);
        if !path.exists() {
            return Err(EmbodimentError::Unknown {
                name: name_or_file.to_owned(),
                known: BUILT_IN.iter().map(|e| e.name.as_str()).collect::<Vec<_>>().join(", "),
            });
        }
        Self::from_file(path)
    }

    /// What a robot that says the name `name`, and `text` where it is not built in, is made of; `None` when neither is
    /// known or the text is not valid.
    #[must_use]
    pub fn told(name: &str, text: &str) -> Option<Self> {
        if text.is_empty() {
            return Self::by_name(name);
        }
        if text.len() as u64 > MAX_BYTES {
            return None;
        }
        Self::from_toml(name, text).ok().filter(|embodiment| embodiment.name == name)
    }

    /// Its own file where it is not one of the built-in ones, for whoever knows only those; empty otherwise.
    #[must_use]
    pub fn to_tell(&self) -> &str {
        if BUILT_IN.contains(self) { "" } else { self.source() }
    }

    /// What its episodes carry of it: its file where it is not one of the built-in ones.
    #[must_use]
    pub fn attachment(&self) -> Option<Attachment> {
        let text = self.to_tell();
        (!text.is_empty()).then(|| Attachment {
            name: EMBODIMENT_ATTACHMENT.to_owned(),
            media_type: "application/toml".to_owned(),
            data: text.to_owned().into(),
        })
    }
}
