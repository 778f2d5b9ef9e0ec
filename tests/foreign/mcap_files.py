"""MCAP files record by record, for what the usual writers never write though the format allows it (mcap.dev/spec)."""

import hashlib
import json
import struct
import zlib

import lz4.frame
import zstandard

MAGIC = b"\x89MCAP0\r\n"
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX, CHUNK_INDEX = range(1, 9)
ATTACHMENT, ATTACHMENT_INDEX, STATISTICS, METADATA, METADATA_INDEX, SUMMARY_OFFSET, DATA_END = range(9, 16)
JSON_SCHEMA = b'{"type":"object","properties":{"n":{"type":"number"}}}'
START_NS = 1_700_000_000_000_000_000


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack("<I", len(value)) + value


def texts(entries):
    body = b"".join(text(key) + text(value) for key, value in entries.items())
    return struct.pack("<I", len(body)) + body


def record(opcode, body):
    return struct.pack("<BQ", opcode, len(body)) + body


class File:
    """A file in the making. `pad` is put behind the last field of every record that may have more fields one day."""

    def __init__(self, pad=b"", chunk_crc=True, data_crc=True, summary_crc=True, attachment_crc=True):
        self.pad, self.chunk_crc, self.data_crc = pad, chunk_crc, data_crc
        self.summary_crc, self.attachment_crc = summary_crc, attachment_crc
        self.out = bytearray(MAGIC)
        self.schemas, self.channels = [], []
        self.chunks, self.attachments, self.metadata = [], [], []
        self.counts, self.times = {}, []
        self.put(HEADER, text("") + text("somebody"))

    def put(self, opcode, body):
        self.out += self.record(opcode, body)

    def record(self, opcode, body):
        return record(opcode, body + (b"" if opcode in (MESSAGE, FOOTER) else self.pad))

    def schema(self, number, name="x.N", encoding="jsonschema", data=JSON_SCHEMA):
        made = self.record(SCHEMA, struct.pack("<H", number) + text(name) + text(encoding) + text(data))
        self.schemas.append(made)
        return made

    def channel(self, number, schema=1, topic="/x", encoding="json", **metadata):
        made = self.record(CHANNEL, struct.pack("<HH", number, schema) + text(topic) + text(encoding) + texts(metadata))
        self.channels.append(made)
        return made

    def message(self, channel, number, log_ns=None, publish_ns=None, sequence=None, data=None):
        log_ns = START_NS + number * 10_000_000 if log_ns is None else log_ns
        publish_ns = log_ns if publish_ns is None else publish_ns
        sequence = number + 1 if sequence is None else sequence
        self.counts[channel] = self.counts.get(channel, 0) + 1
        self.times.append(log_ns)
        head = struct.pack("<HIQQ", channel, sequence & 0xFFFFFFFF, log_ns, publish_ns)
        made = record(MESSAGE, head + (b'{"n":%d}' % number if data is None else data))
        made_at = (channel, log_ns, made)
        return made_at

    def chunk(self, definitions, messages, compression="", index=True, name=None):
        records = b"".join(definitions)
        entries = {}
        for channel, log_ns, made in messages:
            entries.setdefault(channel, []).append((log_ns, len(records)))
            records += made
        packed = {
            "": lambda: records,
            "zstd": lambda: zstandard.ZstdCompressor(level=3).compress(records),
            "lz4": lambda: lz4.frame.compress(records),
        }[compression]()
        times = [log_ns for _, log_ns, _ in messages]
        span = (min(times), max(times)) if times else (0, 0)
        crc = zlib.crc32(records) if self.chunk_crc else 0
        at = len(self.out)
        name = compression if name is None else name
        self.put(CHUNK, struct.pack("<QQQI", *span, len(records), crc) + text(name) + struct.pack("<Q", len(packed)) + packed)
        length, offsets = len(self.out) - at, {}
        for channel, found in entries.items() if index else ():
            offsets[channel] = len(self.out)
            body = b"".join(struct.pack("<QQ", *entry) for entry in found)
            self.put(MESSAGE_INDEX, struct.pack("<HI", channel, len(body)) + body)
        self.chunks.append((span, at, length, offsets, len(self.out) - at - length, name, len(packed), len(records)))

    def loose(self, definitions, messages):
        self.out += b"".join(definitions)
        for _, _, made in messages:
            self.out += made

    def attach(self, name, data, media_type="text/plain"):
        body = struct.pack("<QQ", START_NS, START_NS - 1) + text(name) + text(media_type) + struct.pack("<Q", len(data)) + data
        at = len(self.out)
        self.put(ATTACHMENT, body + struct.pack("<I", zlib.crc32(body) if self.attachment_crc else 0))
        self.attachments.append((at, len(self.out) - at, name, media_type, len(data)))

    def describe(self, name, **entries):
        at = len(self.out)
        self.put(METADATA, text(name) + texts(entries))
        self.metadata.append((at, len(self.out) - at, name))

    def end(self, summary=True, channels=True, statistics=True, indexes=True, offsets=True, crc=None):
        crc = crc if crc is not None else zlib.crc32(bytes(self.out)) if self.data_crc else 0
        self.put(DATA_END, struct.pack("<I", crc))
        start, groups = len(self.out), []

        def group(opcode, made):
            if made:
                groups.append((opcode, len(self.out), sum(map(len, made))))
                for one in made:
                    self.out.extend(one)

        if summary:
            if channels:
                group(SCHEMA, self.schemas)
                group(CHANNEL, self.channels)
            if statistics:
                span = (min(self.times), max(self.times)) if self.times else (0, 0)
                counts = b"".join(struct.pack("<HQ", *entry) for entry in sorted(self.counts.items()))
                body = struct.pack("<QHIIII", len(self.times), len(self.schemas), len(self.channels), len(self.attachments),
                                   len(self.metadata), len(self.chunks))
                group(STATISTICS, [self.record(STATISTICS, body + struct.pack("<QQI", *span, len(counts)) + counts)])
            if indexes:
                group(CHUNK_INDEX, [self.chunk_index(chunk) for chunk in self.chunks])
                group(ATTACHMENT_INDEX, [
                    self.record(ATTACHMENT_INDEX, struct.pack("<QQQQQ", at, length, START_NS, START_NS - 1, size) + text(name) + text(kind))
                    for at, length, name, kind, size in self.attachments])
                group(METADATA_INDEX, [
                    self.record(METADATA_INDEX, struct.pack("<QQ", at, length) + text(name)) for at, length, name in self.metadata])
        offsets_at = len(self.out) if offsets and groups else 0
        for opcode, at, length in groups if offsets else ():
            self.put(SUMMARY_OFFSET, struct.pack("<BQQ", opcode, at, length))
        is_empty = len(self.out) == start
        foot = struct.pack("<QQ", 0 if is_empty else start, offsets_at)
        crc = zlib.crc32(bytes(self.out[start:]) + struct.pack("<BQ", FOOTER, 20) + foot)
        self.out += record(FOOTER, foot + struct.pack("<I", crc if self.summary_crc and not is_empty else 0)) + MAGIC
        return bytes(self.out)

    def chunk_index(self, chunk):
        span, at, length, offsets, indexes_length, name, packed, unpacked = chunk
        table = b"".join(struct.pack("<HQ", *entry) for entry in offsets.items())
        body = struct.pack("<QQQQI", *span, at, length, len(table)) + table + struct.pack("<Q", indexes_length)
        return self.record(CHUNK_INDEX, body + text(name) + struct.pack("<QQ", packed, unpacked))


def described():
    """The `episode` record of `takeover`: the entries with a hash over all of them."""
    none = json.dumps
    entries = {
        "id": "drive-7", "vehicle": "car-1", "policy": "v1", "trigger": "takeover", "triggers": none([]),
        "cause": "safety", "reason": "", "map": "", "embodiment": "ackermann_car", "software": "", "source": "live",
        "takeover_ns": str(START_NS), "requested_pre_roll_ns": "0", "actual_pre_roll_ns": "0",
        "requested_post_roll_ns": "0", "start_ns": str(START_NS), "end_ns": str(START_NS + 190_000_000),
        "drops": none({}), "recovered": "false", "weather": "", "seats": none([]), "position_mm": none(None),
        "fix_e7": none(None),
    }
    check = hashlib.sha256()
    for key in sorted(entries):
        for part in (key.encode(), entries[key].encode()):
            check.update(struct.pack("<Q", len(part)) + part)
    return entries | {"check": check.digest()[:8].hex()}


def twenty(file, chunks=2, **options):
    """Twenty messages of one channel in so many chunks, or in none."""
    define = [file.schema(1), file.channel(1)]
    messages = [file.message(1, n) for n in range(20)]
    if chunks == 0:
        file.loose(define, messages)
    for n in range(chunks):
        part = messages[n * 20 // chunks : (n + 1) * 20 // chunks]
        file.chunk(define if n == 0 else [], part, **options)
    return file


def episode(file):
    file.describe("episode", **described())
    return file


# Ways to write the same twenty messages; each is made as a plain recording and as an episode.
def plain(f): return twenty(f).end()
def zstd(f): return twenty(f, compression="zstd").end()
def lz4_chunks(f): return twenty(f, compression="lz4").end()
def no_chunks(f): return twenty(f, chunks=0).end()
def no_summary(f): return twenty(f).end(summary=False)
def no_summary_no_chunks(f): return twenty(f, chunks=0).end(summary=False)
def no_offsets(f): return twenty(f).end(offsets=False)
def no_statistics(f): return twenty(f).end(statistics=False)
def no_indexes(f): return twenty(f, index=False).end(indexes=False)
def no_message_indexes(f): return twenty(f, index=False).end()
def channels_not_summed_up(f): return twenty(f).end(channels=False)


def channels_only_summed_up(f):
    f.schema(1), f.channel(1)
    f.chunk([], [f.message(1, n) for n in range(20)])
    return f.end()


def private_records(f):
    f.put(0x80, b"mine")
    f.put(0x20, b"of a later version")
    define = [f.schema(1), record(0x90, b"in a chunk"), f.channel(1)]
    f.chunk(define, [f.message(1, n) for n in range(10)])
    f.put(0xFF, b"")
    f.chunk([], [f.message(1, n) for n in range(10, 20)])
    return f.end()


def empty_chunks(f):
    f.chunk([], [])
    f.chunk([f.schema(1), f.channel(1)], [])
    f.chunk([], [f.message(1, n) for n in range(20)], compression="zstd")
    f.chunk([], [], compression="zstd")
    f.chunk([], [], compression="lz4")
    return f.end()


def repeated_records(f):
    define = [f.schema(1), f.channel(1)]
    f.loose(define, [])
    for n in range(4):
        f.chunk(define * 2, [f.message(1, 5 * n + m) for m in range(5)])
    return f.end()


def chunks_and_loose(f):
    define = [f.schema(1), f.channel(1)]
    messages = [f.message(1, n) for n in range(20)]
    f.chunk(define, messages[:5])
    f.loose([], messages[5:8])
    f.chunk([], messages[8:12], compression="lz4")
    f.describe("between", a="1")
    f.loose([], messages[12:])
    return f.end()


def out_of_order(f):
    define = [f.schema(1), f.channel(1)]
    order = [12, 13, 14, 15, 16, 0, 1, 2, 3, 4, 10, 11, 5, 6, 17, 18, 7, 8, 9, 19]
    messages = [f.message(1, n) for n in order]
    for n in range(4):
        f.chunk(define if n == 0 else [], messages[5 * n : 5 * n + 5])
    return f.end()


SAME = [plain, zstd, lz4_chunks, no_chunks, no_summary, no_summary_no_chunks, no_offsets, no_statistics, no_indexes,
        no_message_indexes, channels_not_summed_up, channels_only_summed_up, private_records, empty_chunks, repeated_records,
        chunks_and_loose, out_of_order]


# What says something of its own.
def two_publishers():
    f = File()
    define = [f.schema(1), f.channel(1, who="a"), f.channel(2, who="b"), f.channel(3, topic="/y"), f.channel(4, topic="/y")]
    messages = []
    for n in range(10):
        at = START_NS + n * 10_000_000
        messages += [f.message(1, n, at), f.message(2, n, at + 5, sequence=n + 100)]
        # Nothing but the channel tells them apart, nor what they say.
        messages += [f.message(3, n, at), f.message(4, n, at)]
    f.chunk(define, messages)
    return f.end()


def sequences(numbers):
    f = File()
    f.chunk([f.schema(1), f.channel(1)], [f.message(1, n, sequence=number) for n, number in enumerate(numbers)])
    return f.end()


def times(pairs):
    f = File()
    f.chunk([f.schema(1), f.channel(1)], [f.message(1, n, *pair) for n, pair in enumerate(pairs)])
    return f.end()


def attachments():
    f = File()
    f.attach("first.txt", b"before everything")
    f.describe("weather", sky="grey")
    f.chunk([f.schema(1), f.channel(1)], [f.message(1, n) for n in range(5)])
    f.attach("same.txt", b"one")
    f.attach("same.txt", b"another of the same name")
    f.describe("weather", sky="blue")
    f.describe("clock", whose="mine")
    f.attach("", b"", "")
    f.loose([], [f.message(1, n) for n in range(5, 8)])
    f.attach("last.bin", bytes(range(256)) * 4, "application/octet-stream")
    f.describe("", )
    return f.end()


def schemaless():
    f = File()
    define = [
        f.schema(0, "none", "x", b"not a schema"), f.schema(7, "", "", b""), f.schema(8, "named only", "", b""),
        f.channel(1, schema=0, topic="/raw", encoding="x-own"), f.channel(2, schema=7, topic="/empty", encoding=""),
        f.channel(3, schema=8, topic="/named"), f.channel(4, schema=0, topic=""),
    ]
    f.chunk(define, [f.message(1 + n % 4, n, sequence=n // 4, data=b"") for n in range(12)])
    return f.end()


def encodings():
    f = File()
    define = [
        f.schema(1, "sensor_msgs/msg/Imu", "ros2msg", b"float64 x"), f.channel(1, 1, "/vehicle/state", "cdr"),
        f.schema(2, "std_msgs/String", "ros1msg", b"string data"), f.channel(2, 2, "/log", "ros1"),
        f.schema(3, "foxglove.CompressedVideo", "jsonschema", b"{}"), f.channel(3, 3, "/camera/front", "json"),
        f.schema(4, "takeover.v1.VehicleState", "jsonschema", b"{}"), f.channel(4, 4, "/control/command", "json"),
        f.schema(5, "std_msgs/msg/String", "ros2idl", b"module x {};"), f.channel(5, 5, "/authority", "cdr"),
        f.schema(6, "x.F", "flatbuffer", b"\x00\x01"), f.channel(6, 6, "/lerobot/odd", "flatbuffer"),
    ]
    f.chunk(define, [f.message(1 + n % 6, n, sequence=n // 6) for n in range(18)])
    return f.end()


def no_end(file):
    define = [file.schema(1), file.channel(1)]
    file.chunk(define, [file.message(1, n) for n in range(20)])
    return bytes(file.out)


def unknown_channel():
    f = File()
    f.chunk([f.schema(1), f.channel(1)], [f.message(9, 0)])
    return f.end()


def defined_twice():
    f = File()
    f.chunk([f.schema(1), f.channel(1), f.channel(1, topic="/another")], [f.message(1, 0)])
    return f.end()


def with_topics_of_ours():
    """States whose numbers are none."""
    f = File()
    define = [f.schema(1, "takeover.v1.VehicleState", "protobuf", b""), f.channel(1, topic="/vehicle/state", encoding="protobuf")]
    odometer = lambda value: b"\x29" + struct.pack("<d", value)
    values = [0.0, 1.0, float("nan"), 3.0, float("inf")]
    f.chunk(define, [f.message(1, n, data=odometer(value)) for n, value in enumerate(values)])
    return f.end()


def damaged_crc():
    good = bytearray(twenty(File()).end())
    good[good.find(b'{"n":7}') + 5] = ord("8")
    return bytes(good)


def make_mcap(folder):
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for way in SAME:
        name = way.__name__.replace("_", "-")
        files[name] = way(File())
        files[f"episode-{name}"] = way(episode(File()))
    pad = b"of a later version"
    for name, chunks in (("padded-records", 2), ("padded-no-chunks", 0)):
        for prefix, start in (("", lambda f: f), ("episode-", episode)):
            file = start(File(pad=pad))
            file.attach("a.txt", b"attached")
            file.describe("weather", sky="grey")
            files[prefix + name] = twenty(file, chunks).end()
    bare = dict(chunk_crc=False, data_crc=False, summary_crc=False, attachment_crc=False)
    for prefix, start in (("", lambda f: f), ("episode-", episode)):
        file = start(File(**bare))
        file.attach("a.txt", b"attached")
        files[prefix + "no-checksums"] = twenty(file).end()
    files |= {
        "two-publishers": two_publishers(),
        "no-messages": File().end(),
        "nothing-summed-up": File().end(summary=False),
        "sequence-zero": sequences([0] * 20),
        "sequence-wraps": sequences([2**32 - 2, 2**32 - 1, 0, 1]),
        "sequence-gaps": sequences([1, 2, 5, 6, 6, 4, 7]),
        "same-times": times([(START_NS, 0)] * 4 + [(START_NS + 1, 0)]),
        "extreme-times": times([(0, 0), (START_NS, 2**64 - 1), (2**64 - 1, 0)]),
        "attachments": attachments(),
        "schemaless": schemaless(),
        "encodings": encodings(),
        "no-numbers": with_topics_of_ours(),
        "no-end": no_end(File()),
        "cut-off": no_end(File())[:-100],
        "unknown-compression": twenty(File(), name="xz").end(),
        "unknown-channel": unknown_channel(),
        "defined-twice": defined_twice(),
        "damaged-chunk": damaged_crc(),
        "wrong-data-checksum": twenty(File(), chunks=0).end(crc=1),
    }
    for name, content in files.items():
        (folder / f"{name}.mcap").write_bytes(content)
