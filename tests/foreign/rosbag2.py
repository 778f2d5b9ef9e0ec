"""Bags of rosbag2: folders with `metadata.yaml` and files in MCAP, or in what cannot be read."""

import gzip
import sqlite3
import tempfile
from pathlib import Path

import zstandard

from mcap_files import START_NS, File

STRING = b"string data"


def cdr(value):
    value = value.encode() + b"\0"
    return b"\x00\x01\x00\x00" + len(value).to_bytes(4, "little") + value


def part(first, count, packed=False):
    f = File()
    define = [f.schema(1, "std_msgs/msg/String", "ros2msg", STRING), f.channel(1, topic="/said", encoding="cdr")]
    pack = zstandard.ZstdCompressor(level=1).compress if packed else bytes
    f.chunk(define, [f.message(1, n, data=pack(cdr(f"number {n}"))) for n in range(first, first + count)])
    return f.end()


def metadata(files, mode="", kind=""):
    listed = "\n".join(f"    - {name}" for name in files)
    return f"""rosbag2_bagfile_information:
  version: 9
  storage_identifier: mcap
  duration:
    nanoseconds: 190000000
  starting_time:
    nanoseconds_since_epoch: {START_NS}
  message_count: 20
  topics_with_message_count:
    - topic_metadata:
        name: /said
        type: std_msgs/msg/String
        serialization_format: cdr
      message_count: 20
  compression_format: "{kind}"
  compression_mode: "{mode}"
  relative_file_paths:
{listed}
  ros_distro: humble
"""


def sqlite():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.db3"
        base = sqlite3.connect(path)
        base.execute("PRAGMA page_size = 512")
        base.execute("CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT)")
        base.commit()
        base.close()
        return path.read_bytes()


def make_rosbag2(folder):
    def bag(name, files, **about):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            (folder / name / file).write_bytes(content)
        if about.get("yaml", True):
            listed = about.get("listed", [file for file in files if file.endswith(".mcap")])
            text = metadata(listed, about.get("mode", ""), about.get("kind", ""))
            (folder / name / "metadata.yaml").write_text(text)

    twelve = {f"split_{n}.mcap": part(n, 1) for n in range(12)}
    bag("split", twelve | {"split_12.mcap": part(12, 8)})
    bag("no-metadata", {"bag_0.mcap": part(0, 10), "bag_1.mcap": part(10, 10)}, yaml=False)
    bag("stray-files", {"bag_0.mcap": part(0, 20), "._bag_0.mcap": b"\0\5\x16\7", ".DS_Store": b"\0", "notes.txt": b"hi"})
    bag("file-missing", {"bag_0.mcap": part(0, 20)}, listed=["bag_0.mcap", "bag_1.mcap"])
    bag("packed-messages", {"bag_0.mcap": part(0, 20, packed=True)}, mode="MESSAGE", kind="zstd")
    bag("said-packed-but-is-not", {"bag_0.mcap": part(0, 20)}, mode="message", kind="zstd")
    bag("packed-with-lz5", {"bag_0.mcap": part(0, 20)}, mode="message", kind="lz5")
    bag("packed-file", {"bag_0.mcap.zstd": zstandard.ZstdCompressor().compress(part(0, 20))}, mode="file", kind="zstd")
    bag("sqlite", {"bag_0.db3": sqlite()})
    bag("sqlite-and-mcap", {"bag_0.mcap": part(0, 20), "old_0.db3": sqlite()})
    bag("empty", {})
    (folder / "named-mcap-is-sqlite.mcap").write_bytes(sqlite())
    (folder / "ros1.bag").write_bytes(b"#ROSBAG V2.0\n" + bytes(64))
    (folder / "packed.mcap").write_bytes(gzip.compress(part(0, 20), mtime=0))
    (folder / "nothing.mcap").write_bytes(b"")
