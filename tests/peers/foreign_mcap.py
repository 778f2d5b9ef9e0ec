"""Recordings of other programs, and whether an import kept all of them.

    python foreign_mcap.py make FOLDER           writes FOLDER/bag (rosbag2 by `rosbags`), FOLDER/{zstd,lz4,none}.mcap (`mcap`)
    python foreign_mcap.py compare IMPORTED.mcap FOREIGN.mcap...
"""

import sys
from pathlib import Path

from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer


def make_bag(folder):
    import numpy as np
    from rosbags.rosbag2 import StoragePlugin, Writer as BagWriter
    from rosbags.typesys import Stores, get_typestore

    types = get_typestore(Stores.ROS2_HUMBLE)
    text, twist, scan = (types.types[f"{n}"] for n in ("std_msgs/msg/String", "geometry_msgs/msg/Twist", "sensor_msgs/msg/LaserScan"))
    vector, header, time = (types.types[n] for n in ("geometry_msgs/msg/Vector3", "std_msgs/msg/Header", "builtin_interfaces/msg/Time"))
    with BagWriter(folder / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        said = writer.add_connection("/said", text.__msgtype__, typestore=types)
        cmd = writer.add_connection("/cmd_vel", twist.__msgtype__, typestore=types)
        seen = writer.add_connection("/scan", scan.__msgtype__, typestore=types)
        for n in range(200):
            at = 1_700_000_000_000_000_000 + n * 20_000_000
            writer.write(said, at, types.serialize_cdr(text(f"number {n}"), text.__msgtype__))
            speed = twist(vector(n / 10, 0.0, 0.0), vector(0.0, 0.0, -n / 100))
            writer.write(cmd, at, types.serialize_cdr(speed, twist.__msgtype__))
            if n % 5 == 0:
                ranges = np.linspace(0.5, 30.0, 360, dtype=np.float32) + np.float32(n)
                stamp = header(time(at // 10**9, at % 10**9), "laser")
                message = scan(stamp, -3.1, 3.1, 0.017, 0.0, 0.1, 0.1, 60.0, ranges, np.array([], dtype=np.float32))
                writer.write(seen, at, types.serialize_cdr(message, scan.__msgtype__))


def make_mcap(path, compression):
    """Two channels of one topic, a channel without a schema, out-of-order times, an attachment, metadata."""
    with open(path, "wb") as stream:
        writer = Writer(stream, chunk_size=4096, compression=compression)
        writer.start(profile="x", library="somebody else")
        schema = writer.register_schema("note", "jsonschema", b'{"type":"object"}')
        other = writer.register_schema("note", "jsonschema", b'{"type":"object","title":"another"}')
        first = writer.register_channel("/notes", "json", schema, {"who": "a"})
        second = writer.register_channel("/notes", "json", other)
        plain = writer.register_channel("/raw", "x-own", 0)
        for n in range(300):
            at = 5_000_000_000 + (n ^ 1) * 1_000_000
            writer.add_message((first, second, plain)[n % 3], at, b'{"n":%d}' % n, at - 7, n)
        writer.add_attachment(1, 2, "notes.txt", "text/plain", b"remember")
        writer.add_metadata("weather", {"sky": "grey"})
        writer.finish()


def content(path):
    with open(path, "rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        messages = [
            (m.log_time, m.publish_time, m.sequence, c.topic, c.message_encoding, dict(c.metadata),
             s and (s.name, s.encoding, s.data), m.data)
            for s, c, m in reader.iter_messages(log_time_order=False)
        ]
        attachments = [(a.name, a.media_type, a.data) for a in reader.iter_attachments()]
        metadata = [(m.name, m.metadata) for m in reader.iter_metadata()]
    return messages, attachments, metadata


def compare(imported, foreign):
    mine = content(imported)
    theirs = [content(path) for path in foreign]
    key = lambda entry: repr(entry)
    assert sorted(mine[0], key=key) == sorted((m for t in theirs for m in t[0]), key=key)
    for theirs_attached, theirs_described in ((t[1], t[2]) for t in theirs):
        assert all(a in mine[1] for a in theirs_attached), mine[1]
        assert all(m in mine[2] for m in theirs_described), mine[2]
    print(len(mine[0]))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        folder = Path(sys.argv[2])
        make_bag(folder)
        make_mcap(folder / "zstd.mcap", CompressionType.ZSTD)
        make_mcap(folder / "lz4.mcap", CompressionType.LZ4)
        make_mcap(folder / "none.mcap", CompressionType.NONE)
    else:
        compare(Path(sys.argv[2]), [Path(argument) for argument in sys.argv[3:]])
