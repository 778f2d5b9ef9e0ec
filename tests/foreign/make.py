"""Writes the small foreign recordings in this folder, the same bytes every time: everything that the formats allow, and
some of what people have that they do not.

    python -m venv venv && venv/bin/pip install numpy pillow pyarrow av lz4 zstandard
    venv/bin/python make.py [FOLDER]

What is right for each file stands in the `right.toml` beside it, written by hand; `recorder/tests/foreign/mod.rs` checks it.
"""

import sys
from pathlib import Path

from comma2k19 import make_comma2k19
from lerobot import make_lerobot
from mcap_files import make_mcap
from rosbag2 import make_rosbag2

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    make_mcap(folder / "mcap")
    make_rosbag2(folder / "rosbag2")
    make_comma2k19(folder / "comma2k19")
    make_lerobot(folder / "lerobot")
