//! The keys of a configuration file.

/// The keys that a program takes, and where its bridge's options stand in its command line.
#[derive(Debug, Clone, Copy)]
pub struct ConfigFormat {
    /// How the bridge is called, such as `takeover bridge`.
    pub program: &'static str,
    /// The subcommand that has the options; without one, the program itself.
    pub subcommand: Option<&'static str>,
    /// Keys in the order in which they are printed, those without a table first and each table's together. Such as
    /// [`ConfigKey::OF_ANY_ROBOT`] and what the program adds.
    pub keys: &'static [&'static [ConfigKey]],
}

impl ConfigFormat {
    /// The names of the tables, some more than once.
    pub(super) fn tables(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.keys().map(|key| key.table).filter(|table| !table.is_empty())
    }

    /// All keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static ConfigKey> + use<> {
        self.keys.iter().copied().flatten()
    }
}

/// A key, which stands for one option.
#[derive(Debug, Clone, Copy)]
pub struct ConfigKey {
    /// The table that it stands in, which is a robot's name; empty for what concerns every robot.
    pub table: &'static str,
    /// The option's name on the command line, without its dashes.
    pub option: &'static str,
    /// What its value is.
    pub kind: KeyKind,
    /// A value in TOML, to show what one looks like where there is no default.
    pub example: &'static str,
}

/// What a key's value is.
#[derive(Debug, Clone, Copy)]
pub enum KeyKind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// A list of texts, each for the option once more.
    List,
    /// A file or folder.
    Path,
    /// A file, or its content as a table of this name.
    PathOrTable,
    /// A file, unless the function knows the text as something else.
    PathUnless(fn(&str) -> bool),
    /// `unix:PATH`, or something that is not a path.
    Socket,
}

impl ConfigKey {
    /// What every bridge takes.
    pub const OF_ANY_ROBOT: &[Self] = &[
        Self::new("robot", KeyKind::Text, ""),
        Self::new("vehicle", KeyKind::Text, ""),
        Self::new("data", KeyKind::Path, ""),
        Self::new("control-plane", KeyKind::Text, ""),
        Self::new("control-plane-ca", KeyKind::Path, r#""authority.pem""#),
        Self::new("control-plane-key", KeyKind::Text, r#""64 hexadecimal digits""#),
        Self::new("interface", KeyKind::List, r#"["wwan0", "wwan1"]"#),
        Self::new("control-rate", KeyKind::Number, ""),
        Self::new("geofence", KeyKind::PathOrTable, r#""area.toml""#),
        Self::new("candidate", KeyKind::Path, r#""policies/candidate""#),
        Self::new("recorder", KeyKind::PathOrTable, r#""recorder.toml""#),
        Self::new("upload-kbps", KeyKind::Number, "2000"),
        Self::new("upload-share", KeyKind::Number, ""),
        Self::new("view", KeyKind::Text, r#""localhost:8765""#),
        Self::new("audio", KeyKind::PathUnless(|name| ["tone", "none", ""].contains(&name)), ""),
        Self::new("audio-out", KeyKind::Path, r#""heard.wav""#),
        Self::new("source", KeyKind::PathUnless(|name| name == "synthetic"), r#""synthetic""#),
        Self::new("json", KeyKind::Path, r#""figures.json""#),
        Self::new("seconds", KeyKind::Number, "30"),
    ];

    /// What a bridge takes that drives a robot in another process.
    pub const OF_PROCESS: &[Self] =
        &[Self { table: "process", ..Self::new("listen", KeyKind::Socket, r#""unix:/run/robot.sock""#) }];

    /// A key outside of tables.
    #[must_use]
    pub const fn new(option: &'static str, kind: KeyKind, example: &'static str) -> Self {
        Self { table: "", option, kind, example }
    }

    /// Its name within its table.
    #[must_use]
    pub fn name(&self) -> String {
        self.option.replace('-', "_")
    }

    /// Its name with its table.
    #[must_use]
    pub fn path(&self) -> String {
        match self.table {
            "" => self.name(),
            table => format!("{table}.{}", self.name()),
        }
    }
}
