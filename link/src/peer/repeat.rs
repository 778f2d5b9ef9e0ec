//! Which datagrams of a connection's set-up are sent again before anybody can miss them. Sans-IO.
//!
//! DTLS repeats a lost flight after a second (RFC 6347, 4.2.4.1) and SCTP a lost chunk likewise (RFC 9260, 6.3.1), and
//! the stack has no switch for either. A session's set-up is a dozen datagrams that wait for each other: where 30 % are
//! lost it took 3 to 20 s. So copies follow each of them by themselves. The other side's protection against replay drops
//! what comes twice (RFC 6347, 4.1.2.6), so a copy means nothing to whoever has the datagram already.

use bytes::Bytes;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// When copies follow, after the datagram. Of six of a kind all are lost once in 1,400 times where 30 % are; a path with
/// bursts of losses recovers within the longer pauses.
const AFTER: [Duration; 5] = [
    Duration::from_millis(20),
    Duration::from_millis(60),
    Duration::from_millis(140),
    Duration::from_millis(300),
    Duration::from_millis(620),
];
/// Copies of what is sent once the handshake is over.
const DATA_COPIES: usize = 3;
/// Such datagrams that get copies: opening the association and four channels takes some 20. Beyond that so many a second,
/// enough for what people ask for, and no burden where a browser gets its states this way, fifty a second.
const DATA_BURST: f64 = 48.0;
const DATA_PER_S: f64 = 4.0;
/// Datagrams that wait for copies at once; an honest stack has a handful on their way.
const MOST: usize = 64;

/// What a datagram is, by its first byte (RFC 7983) and its first record's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Part of a DTLS handshake: a flight that the other side answers with the next one.
    Handshake,
    /// DTLS application data, which is SCTP, and alerts.
    Data,
}

fn content(datagram: &[u8]) -> Option<Content> {
    match datagram.first()? {
        20 | 22 => Some(Content::Handshake),
        21 | 23 => Some(Content::Data),
        _ => None,
    }
}

/// Whether a datagram concerns [`Repeats`] at all.
pub(super) fn concerns(datagram: &[u8]) -> bool {
    content(datagram).is_some()
}

/// Epoch and number of the first record: they only ever grow.
fn record_number(datagram: &[u8]) -> Option<u64> {
    let bytes = datagram.get(3..11)?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

#[derive(Debug)]
struct Repeated {
    to: SocketAddr,
    datagram: Bytes,
    content: Content,
    sent: Instant,
    /// Copies sent.
    copies: usize,
}

impl Repeated {
    fn due(&self) -> Option<Instant> {
        let copies = if self.content == Content::Handshake { AFTER.len() } else { DATA_COPIES };
        AFTER[..copies].get(self.copies).map(|after| self.sent + *after)
    }
}

/// The copies that a socket owes.
#[derive(Debug)]
pub(super) struct Repeats {
    waiting: Vec<Repeated>,
    /// The newest handshake record of the other side.
    heard: Option<u64>,
    /// How many datagrams of data may get copies now, and when that was known.
    data: (f64, Instant),
}

impl Repeats {
    pub(super) fn new(now: Instant) -> Self {
        Self { waiting: Vec::new(), heard: None, data: (DATA_BURST, now) }
    }

    /// A datagram was sent.
    pub(super) fn sent(&mut self, now: Instant, to: SocketAddr, datagram: &[u8]) {
        let Some(content) = content(datagram) else { return };
        if self.waiting.len() >= MOST || (content == Content::Data && !self.may_repeat_data(now)) {
            return;
        }
        let datagram = Bytes::copy_from_slice(datagram);
        self.waiting.push(Repeated { to, datagram, content, sent: now, copies: 0 });
    }

    fn may_repeat_data(&mut self, now: Instant) -> bool {
        let (left, at) = self.data;
        let left = (left + DATA_PER_S * now.saturating_duration_since(at).as_secs_f64()).min(DATA_BURST);
        let may = left >= 1.0;
        self.data = (if may { left - 1.0 } else { left }, now);
        may
    }

    /// A datagram came. A handshake is strictly in turns: a new flight says that ours has arrived.
    pub(super) fn received(&mut self, datagram: &[u8]) {
        if content(datagram) != Some(Content::Handshake) {
            return;
        }
        let Some(number) = record_number(datagram) else { return };
        if self.heard.is_none_or(|heard| number > heard) {
            self.heard = Some(number);
            self.waiting.retain(|repeated| repeated.content != Content::Handshake);
        }
    }

    /// The next copy that is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<(SocketAddr, Bytes)> {
        let is_due = |repeated: &Repeated| repeated.due().is_some_and(|due| due <= now);
        let at = self.waiting.iter().position(is_due)?;
        let repeated = &mut self.waiting[at];
        repeated.copies += 1;
        let copy = (repeated.to, repeated.datagram.clone());
        if repeated.due().is_none() {
            self.waiting.remove(at);
        }
        Some(copy)
    }

    /// When the next copy is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(Repeated::due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 9));

    fn record(content: u8, number: u64) -> Vec<u8> {
        [&[content, 0xfe, 0xfd][..], &number.to_be_bytes(), &[0, 1, 7]].concat()
    }

    /// Milliseconds after `start` at which copies are due.
    fn times(repeats: &mut Repeats, start: Instant) -> Vec<u128> {
        let mut times = Vec::new();
        while let Some(due) = repeats.due() {
            let (to, _) = repeats.take(due).unwrap();
            assert_eq!((to, repeats.take(due - Duration::from_micros(1))), (TO, None));
            times.push((due - start).as_millis());
        }
        times
    }

    #[test]
    fn a_flight_is_repeated_until_the_other_side_goes_on() {
        let start = Instant::now();
        let mut repeats = Repeats::new(start);
        repeats.received(&record(22, 4));
        repeats.sent(start, TO, &record(22, 1));
        repeats.received(&record(22, 4));
        assert_eq!(times(&mut repeats, start), [20, 60, 140, 300, 620], "what came before says nothing new");
        repeats.sent(start, TO, &record(22, 2));
        repeats.sent(start, TO, &record(20, 3));
        assert!(repeats.take(start + Duration::from_millis(25)).is_some());
        repeats.received(&record(22, 5));
        assert_eq!(repeats.due(), None);
    }

    #[test]
    fn data_is_repeated_as_long_as_there_is_little_of_it() {
        let start = Instant::now();
        let mut repeats = Repeats::new(start);
        repeats.sent(start, TO, &record(23, 1));
        repeats.received(&record(22, 9));
        assert_eq!(times(&mut repeats, start), [20, 60, 140]);
        // A browser's states: fifty a second for ten seconds.
        let mut copies = 0;
        for n in 0..500u64 {
            let now = start + Duration::from_millis(20 * n);
            repeats.sent(now, TO, &record(23, n));
            copies += std::iter::from_fn(|| repeats.take(now)).count();
        }
        assert!((200..=270).contains(&copies), "{copies} copies of 500");
    }

    #[test]
    fn media_and_path_checks_get_none() {
        let start = Instant::now();
        let mut repeats = Repeats::new(start);
        for first in [0, 1, 19, 64, 128, 191] {
            repeats.sent(start, TO, &record(first, 1));
            assert!(!concerns(&record(first, 1)));
        }
        repeats.sent(start, TO, &[]);
        repeats.received(&[22, 0]);
        assert_eq!(repeats.due(), None);
    }
}
