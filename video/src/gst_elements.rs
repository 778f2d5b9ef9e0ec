//! GStreamer's H.264 encoders and how each is made to add no delay.

/// One encoder element.
#[derive(Debug)]
pub(super) struct Element {
    pub name: &'static str,
    /// What brings system memory to the form that the element takes.
    pub convert: &'static str,
    /// Whether it can be asked for constrained baseline by its output's capabilities.
    pub baseline: bool,
    pub bitrate: Bitrate,
    /// Properties as text; those that a version of the element does not know are left out.
    pub properties: &'static [(&'static str, &'static str)],
    /// Property with the size of the rate window in units of the bitrate's bits, or milliseconds.
    pub window: Option<Window>,
}

/// How the target is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bitrate {
    /// A property in so many bits per second.
    Property(&'static str, u32),
    /// A control of the driver (V4L2), bits per second, inside `extra-controls`.
    Control(&'static str),
}

/// How the rate window is told; it holds one picture.
#[derive(Debug, Clone, Copy)]
pub(super) enum Window {
    Milliseconds(&'static str),
    Kilobits(&'static str),
}

/// Keyframes come only when asked for: as many pictures apart as the elements' ranges allow.
pub(super) const ELEMENTS: [Element; 7] = [
    // Jetson.
    Element {
        name: "nvv4l2h264enc",
        convert: "nvvidconv",
        baseline: false,
        bitrate: Bitrate::Property("bitrate", 1),
        properties: &[
            ("control-rate", "constant_bitrate"),
            ("profile", "Baseline"),
            ("insert-sps-pps", "true"),
            ("maxperf-enable", "true"),
            ("num-B-Frames", "0"),
            ("iframeinterval", "1000000"),
            ("idrinterval", "1000000"),
        ],
        window: None,
    },
    Element {
        name: "nvh264enc",
        convert: "videoconvert",
        baseline: true,
        bitrate: Bitrate::Property("bitrate", 1000),
        properties: &[
            ("preset", "low-latency-hq"),
            ("zerolatency", "true"),
            ("rc-mode", "cbr"),
            ("bframes", "0"),
            ("rc-lookahead", "0"),
            ("gop-size", "-1"),
            ("aud", "false"),
        ],
        window: Some(Window::Kilobits("vbv-buffer-size")),
    },
    Element {
        name: "vah264enc",
        convert: "videoconvert",
        baseline: true,
        bitrate: Bitrate::Property("bitrate", 1000),
        properties: &[
            ("rate-control", "cbr"),
            ("b-frames", "0"),
            ("ref-frames", "1"),
            ("target-usage", "6"),
            ("key-int-max", "1024"),
            ("aud", "false"),
        ],
        window: Some(Window::Kilobits("cpb-size")),
    },
    Element {
        name: "v4l2h264enc",
        convert: "videoconvert",
        baseline: false,
        bitrate: Bitrate::Control("video_bitrate"),
        properties: &[],
        window: None,
    },
    Element {
        name: "omxh264enc",
        convert: "videoconvert",
        baseline: true,
        bitrate: Bitrate::Property("target-bitrate", 1),
        properties: &[("control-rate", "constant"), ("b-frames", "0"), ("periodicity-idr", "1000000")],
        window: None,
    },
    Element {
        name: "x264enc",
        convert: "videoconvert",
        baseline: true,
        bitrate: Bitrate::Property("bitrate", 1000),
        properties: &[
            ("tune", "zerolatency"),
            ("speed-preset", "ultrafast"),
            ("bframes", "0"),
            ("ref", "1"),
            ("threads", "1"),
            ("sliced-threads", "false"),
            ("key-int-max", "1000000"),
            ("option-string", "scenecut=0"),
            ("aud", "false"),
        ],
        window: Some(Window::Milliseconds("vbv-buf-capacity")),
    },
    Element {
        name: "openh264enc",
        convert: "videoconvert",
        baseline: true,
        bitrate: Bitrate::Property("bitrate", 1),
        properties: &[
            ("rate-control", "bitrate"),
            ("complexity", "low"),
            ("usage-type", "camera"),
            ("enable-frame-skip", "false"),
            ("multi-thread", "1"),
            ("scene-change-detection", "false"),
            ("gop-size", "1000000"),
        ],
        window: None,
    },
];
