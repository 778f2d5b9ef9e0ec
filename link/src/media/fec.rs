//! Systematic Reed-Solomon over a frame's packets: any as many packets of a block as it has media packets give them all.
//!
//! A frame of `n` packets has `blocks = ceil(n / 48)` blocks; its packet `i` belongs to block `i mod blocks`, so that a burst
//! spreads over them. A shard is the payload's length (2 bytes), the payload, and zeros up to the longest of the frame.
//! FEC packet `j * blocks + b` is repair shard `j` of block `b`.

use bytes::{BufMut, Bytes, BytesMut};
use reed_solomon_simd::{Error, ReedSolomonDecoder, ReedSolomonEncoder};

/// Bytes before the shard in a FEC packet.
pub(super) const HEADER: usize = 8;
/// Most media packets in a frame that FEC protects and a receiver believes in.
pub(super) const MAX_FRAME_PACKETS: usize = 1024;
/// Most repair shards for a frame of fewer packets than this.
pub(super) const MAX_TINY_REPAIR: usize = 4;
const MAX_BLOCK: usize = 48;

/// What a FEC packet says of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Sequence number of the frame's first media packet.
    pub first: u16,
    /// Media packets in the frame.
    pub packets: u16,
    /// Repair shards of each block.
    pub repair: u8,
    /// Which of the frame's FEC packets this is.
    pub index: u16,
    /// Whether decoding can start with this frame.
    pub keyframe: bool,
}

impl Header {
    pub(super) fn write(self, out: &mut BytesMut) {
        out.put_u16(self.first);
        out.put_u16(self.packets);
        out.put_u8(self.repair);
        out.put_u8(u8::from(self.keyframe));
        out.put_u16(self.index);
    }

    /// `None` when the packet at `sequence` cannot be what it claims.
    pub(super) fn parse(payload: &[u8], sequence: u16) -> Option<Self> {
        let [a, b, c, d, repair, flags, e, f] = *payload.first_chunk::<HEADER>()?;
        let header = Self {
            first: u16::from_be_bytes([a, b]),
            packets: u16::from_be_bytes([c, d]),
            repair,
            index: u16::from_be_bytes([e, f]),
            keyframe: flags & 1 != 0,
        };
        let packets = usize::from(header.packets);
        let fec = usize::from(repair) * blocks(packets);
        let plausible = (1..=MAX_FRAME_PACKETS).contains(&packets)
            && repair > 0
            && fec <= packets.max(MAX_TINY_REPAIR)
            && usize::from(header.index) < fec
            && header.first.wrapping_add(header.packets).wrapping_add(header.index) == sequence;
        plausible.then_some(header)
    }
}

/// Blocks of a frame of `packets` media packets.
pub(super) fn blocks(packets: usize) -> usize {
    packets.div_ceil(MAX_BLOCK).max(1)
}

/// Media packets in block `block` of a frame of `packets`.
pub(super) fn block_len(packets: usize, block: usize) -> usize {
    packets.saturating_sub(block).div_ceil(blocks(packets))
}

/// Most repair shards a block of a frame of `packets` may have.
pub(super) fn max_repair(packets: usize) -> usize {
    (packets.max(MAX_TINY_REPAIR) / blocks(packets)).min(usize::from(u8::MAX))
}

/// Makes the tables that the first use would otherwise wait for (some 15 ms).
pub(super) fn warm_up() {
    if let Some(shards) = encode_block(&[Bytes::from_static(b"a"), Bytes::from_static(b"b")], 1, 4) {
        let have = [Some(Bytes::from_static(b"a")), None];
        let _ = decode_block(&have, &[(0, shards[0].clone())], 1);
    }
}

/// The payloads of a frame's FEC packets in sending order; empty when it cannot be protected.
pub(super) fn encode(first: u16, keyframe: bool, media: &[Bytes], repair: usize) -> Vec<Bytes> {
    let repair = repair.min(max_repair(media.len()));
    if repair == 0 || media.is_empty() || media.len() > MAX_FRAME_PACKETS {
        return Vec::new();
    }
    let blocks = blocks(media.len());
    let longest = media.iter().map(Bytes::len).max().unwrap_or(0);
    let shard_len = (longest + 2).next_multiple_of(2);
    let mut payloads = vec![Bytes::new(); repair * blocks];
    for block in 0..blocks {
        let members: Vec<Bytes> = media.iter().skip(block).step_by(blocks).cloned().collect();
        let Some(shards) = encode_block(&members, repair, shard_len) else { return Vec::new() };
        for (j, shard) in shards.into_iter().enumerate() {
            let index = j * blocks + block;
            let mut payload = BytesMut::with_capacity(HEADER + shard.len());
            let (packets, index16) = (media.len() as u16, index as u16);
            Header { first, packets, repair: repair as u8, index: index16, keyframe }.write(&mut payload);
            payload.put_slice(&shard);
            payloads[index] = payload.freeze();
        }
    }
    payloads
}

fn shard(payload: &Bytes, len: usize) -> Vec<u8> {
    let mut shard = Vec::with_capacity(len);
    shard.put_u16(payload.len() as u16);
    shard.put_slice(payload);
    shard.resize(len, 0);
    shard
}

fn encode_block(members: &[Bytes], repair: usize, shard_len: usize) -> Option<Vec<Bytes>> {
    let run = || -> Result<Vec<Bytes>, Error> {
        let mut encoder = ReedSolomonEncoder::new(members.len(), repair, shard_len)?;
        for payload in members {
            encoder.add_original_shard(shard(payload, shard_len))?;
        }
        Ok(encoder.encode()?.recovery_iter().map(Bytes::copy_from_slice).collect())
    };
    run().ok()
}

/// The missing payloads of a block with their places, from what came of it: `media` in order, repair shards by number.
///
/// `None` when too little came or it does not fit together.
pub(super) fn decode_block(
    media: &[Option<Bytes>],
    repair_shards: &[(usize, Bytes)],
    repair: usize,
) -> Option<Vec<(usize, Bytes)>> {
    let shard_len = repair_shards.first()?.1.len();
    let have = media.iter().flatten().count();
    let fits = media.iter().flatten().all(|payload| payload.len() + 2 <= shard_len)
        && repair_shards.iter().all(|(_, shard)| shard.len() == shard_len);
    if !fits || shard_len > usize::from(u16::MAX) || have + repair_shards.len() < media.len() {
        return None;
    }
    let run = || -> Result<Vec<(usize, Bytes)>, Error> {
        let mut decoder = ReedSolomonDecoder::new(media.len(), repair, shard_len)?;
        for (i, payload) in media.iter().enumerate() {
            if let Some(payload) = payload {
                decoder.add_original_shard(i, shard(payload, shard_len))?;
            }
        }
        for (j, shard) in repair_shards.iter().take(media.len() - have) {
            decoder.add_recovery_shard(*j, shard)?;
        }
        let result = decoder.decode()?;
        Ok(result.restored_original_iter().map(|(i, shard)| (i, Bytes::copy_from_slice(shard))).collect())
    };
    let restored = run().ok()?;
    restored.into_iter().map(|(i, shard)| Some((i, payload_of(&shard)?))).collect()
}

fn payload_of(shard: &Bytes) -> Option<Bytes> {
    let len = usize::from(u16::from_be_bytes(*shard.first_chunk::<2>()?));
    (len > 0 && len + 2 <= shard.len()).then(|| shard.slice(2..2 + len))
}
