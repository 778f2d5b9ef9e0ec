//! Which pictures to decode, so that the one of a moment can be shown. Decoding starts at a keyframe and misses none.

/// A picture in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameAt {
    /// Log time of its message, nanoseconds.
    pub log_ns: u64,
    /// Whether decoding can start here.
    pub keyframe: bool,
}

/// What a decoder has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// The next picture of the file comes next.
    Continue,
    /// Restart at this picture, a keyframe.
    Restart(usize),
    /// No keyframe comes before the wanted picture.
    Impossible,
}

/// The picture that is on the screen at `log_ns`: the newest one that was there. `None` before the first.
#[must_use]
pub fn shown_at(frames: &[FrameAt], log_ns: u64) -> Option<usize> {
    frames.partition_point(|frame| frame.log_ns <= log_ns).checked_sub(1)
}

/// What to do for the picture `wanted` when the decoder would take `next` (`None`: it was not started).
#[must_use]
pub fn plan(frames: &[FrameAt], next: Option<usize>, wanted: usize) -> Plan {
    let Some(keyframe) = frames.iter().take(wanted + 1).rposition(|frame| frame.keyframe) else {
        return Plan::Impossible;
    };
    match next {
        // From a keyframe that lies between, there is less to decode.
        Some(next) if (keyframe..=wanted).contains(&next) => Plan::Continue,
        Some(next) if next + 1 == keyframe => Plan::Continue,
        _ => Plan::Restart(keyframe),
    }
}

/// How many messages a reading that begins at the log time of `keyframe` brings before it.
#[must_use]
pub fn before_at_same_time(frames: &[FrameAt], keyframe: usize) -> usize {
    let Some(log_ns) = frames.get(keyframe).map(|frame| frame.log_ns) else { return 0 };
    keyframe - frames.partition_point(|frame| frame.log_ns < log_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A keyframe every ten pictures, the first at the second picture.
    fn frames() -> Vec<FrameAt> {
        (0..35).map(|i| FrameAt { log_ns: 1_000 + i * 100, keyframe: i % 10 == 1 }).collect()
    }

    #[test]
    fn the_newest_picture_is_shown() {
        let frames = frames();
        assert_eq!(shown_at(&frames, 999), None);
        assert_eq!(shown_at(&frames, 1_000), Some(0));
        assert_eq!(shown_at(&frames, 1_299), Some(2));
        assert_eq!(shown_at(&frames, u64::MAX), Some(34));
        assert_eq!(shown_at(&[], 5), None);
    }

    #[test]
    fn seeking_starts_at_the_keyframe_before_and_playing_goes_on() {
        let frames = frames();
        assert_eq!(plan(&frames, None, 0), Plan::Impossible);
        assert_eq!(plan(&frames, None, 9), Plan::Restart(1));
        assert_eq!(plan(&frames, Some(5), 9), Plan::Continue);
        assert_eq!(plan(&frames, Some(10), 9), Plan::Restart(1), "back by one picture");
        assert_eq!(plan(&frames, Some(5), 25), Plan::Restart(21), "a keyframe lies between");
        assert_eq!(plan(&frames, Some(20), 21), Plan::Continue, "one picture more is cheaper than a new reading");
        assert_eq!(plan(&frames, Some(11), 11), Plan::Continue);
    }

    #[test]
    fn pictures_of_the_same_time_are_told_apart() {
        let frames = [(5, true), (5, true), (5, false), (6, true)];
        let frames = frames.map(|(log_ns, keyframe)| FrameAt { log_ns, keyframe });
        assert_eq!((0..5).map(|i| before_at_same_time(&frames, i)).collect::<Vec<_>>(), [0, 1, 2, 0, 0]);
    }
}
