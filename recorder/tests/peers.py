"""How fast the `mcap` and `rosbags` packages write and read what the recorder's figures are measured with: mixed sizes
and 100-byte messages, incompressible. Prints one JSON object.

    python peers.py
"""

import io
import json
import os
import random
import tempfile
import time
from pathlib import Path

from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

MIXED = [(70, 80, 400), (20, 1_000, 4_000), (10, 10_000, 60_000)]
SMALL = [(100, 100, 100)]
ROUNDS = 3


def load(mix, total):
    dice, noise, messages = random.Random(7), os.urandom(4 << 20), []
    while total > 0:
        index = dice.choices(range(len(mix)), [share for share, _, _ in mix])[0]
        size = dice.randint(mix[index][1], mix[index][2])
        at = dice.randrange(len(noise) - size)
        messages.append((index, noise[at : at + size]))
        total -= size
    return messages


def best(measure):
    return min(measure() for _ in range(ROUNDS))


def write_mcap(messages, out):
    start = time.perf_counter()
    writer = Writer(out, compression=CompressionType.ZSTD)
    writer.start()
    schema = writer.register_schema("peer", "protobuf", b"")
    channels = [writer.register_channel(f"/{n}", "protobuf", schema) for n in range(3)]
    for n, (index, data) in enumerate(messages):
        writer.add_message(channels[index], n * 20_000, data, n * 20_000, n)
    writer.finish()
    return time.perf_counter() - start


def read_mcap(content):
    start = time.perf_counter()
    count = sum(1 for _ in make_reader(io.BytesIO(content)).iter_messages())
    assert count
    return time.perf_counter() - start


def write_rosbag(messages):
    from rosbags.rosbag2 import StoragePlugin, Writer as BagWriter
    from rosbags.typesys import Stores, get_typestore

    types = get_typestore(Stores.LATEST)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with BagWriter(Path(folder) / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            names = [f"/t{n}" for n in range(3)]
            topics = [writer.add_connection(name, "std_msgs/msg/UInt8MultiArray", typestore=types) for name in names]
            for n, (index, data) in enumerate(messages):
                writer.write(topics[index], n * 20_000, data)
        return time.perf_counter() - start


def main():
    mixed, small = load(MIXED, 48 << 20), load(SMALL, 4 << 20)
    megabytes = sum(len(data) for _, data in mixed) * 1e-6
    file = io.BytesIO()
    write_mcap(mixed, file)
    figures = {
        "mcap_mixed_mb_s": megabytes / best(lambda: write_mcap(mixed, io.BytesIO())),
        "mcap_small_m_s": len(small) * 1e-6 / best(lambda: write_mcap(small, io.BytesIO())),
        "mcap_replay_mb_s": megabytes / best(lambda: read_mcap(file.getvalue())),
    }
    try:
        figures["rosbags_mixed_mb_s"] = megabytes / best(lambda: write_rosbag(mixed))
        figures["rosbags_small_m_s"] = len(small) * 1e-6 / best(lambda: write_rosbag(small))
    except ImportError:
        pass
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
