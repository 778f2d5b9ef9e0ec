"""Outside judge of a LeRobotDataset v3 and of the tables: reads them with `pyarrow`, decodes the films with `av`, and
compares every row with the episode files that they were made of, which it reads with `mcap`.

    python lerobot_judge.py DATASET EPISODE.mcap...
    python lerobot_judge.py --same DATASET DATASET
    python lerobot_judge.py --tables CSV PARQUET EPISODE.mcap
"""

import bisect
import csv
import json
import math
import struct
import sys
from pathlib import Path

import av
import pyarrow.parquet as pq
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory

FLAG = "complementary_info.is_intervention"
STANDARD = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64", "task_index": "int64"}
OPERATOR = 2


def single(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def episode(path):
    topics = {}
    with open(path, "rb") as stream:
        for _, channel, message, content in make_reader(stream, decoder_factories=[DecoderFactory()]).iter_decoded_messages():
            topics.setdefault(channel.topic, []).append((message.log_time, message.publish_time, content))
    return topics


def rows(dataset):
    tables = [pq.read_table(path).to_pylist() for path in sorted(dataset.glob("data/chunk-*/file-*.parquet"))]
    return [row for table in tables for row in table]


def entries(dataset):
    tables = [pq.read_table(path).to_pylist() for path in sorted(dataset.glob("meta/episodes/chunk-*/file-*.parquet"))]
    return [row for table in tables for row in table]


def films(dataset, info, all_entries):
    for key, feature in info["features"].items():
        if feature["dtype"] != "video":
            continue
        height, width, _ = feature["shape"]
        for file in sorted({(e[f"videos/{key}/chunk_index"], e[f"videos/{key}/file_index"]) for e in all_entries}):
            path = dataset / info["video_path"].format(video_key=key, chunk_index=file[0], file_index=file[1])
            with av.open(str(path)) as film:
                stream = film.streams.video[0]
                assert (stream.width, stream.height) == (width, height)
                assert float(stream.average_rate) == info["fps"], stream.average_rate
                times = [float(frame.pts * stream.time_base) for frame in film.decode(stream)]
            assert all(abs(at - n / info["fps"]) < 1e-4 for n, at in enumerate(times)), times[:5]
            mine = [e for e in all_entries if (e[f"videos/{key}/chunk_index"], e[f"videos/{key}/file_index"]) == file]
            for e in mine:
                begin, end = e[f"videos/{key}/from_timestamp"], e[f"videos/{key}/to_timestamp"]
                assert round((end - begin) * info["fps"]) == e["length"], e
            assert len(times) >= sum(e["length"] for e in mine), (len(times), mine)


def decoded(topic):
    """Pictures by the time at which they were taken."""
    decoder, shown = av.CodecContext.create("h264", "r"), []
    for _, _, content in topic:
        shown += decoder.decode(av.Packet(content.data))
    shown += decoder.decode(None)
    assert len(shown) == len(topic)
    return {taken: frame.to_ndarray(format="gray") for (_, taken, _), frame in zip(topic, shown)}


def pictures(dataset, info, entry, topics, mine):
    """Every row's picture of every camera is the one that was taken at the same time."""
    front = {log: taken for log, taken, _ in topics["/camera/front"]}
    rows_taken = [front[row["complementary_info.log_time_ns"]] for row in mine]
    cameras = 0
    for key, feature in info["features"].items():
        if feature["dtype"] != "video":
            continue
        cameras += 1
        theirs = decoded(topics["/camera/" + key.rsplit(".", 1)[1]])
        path = dataset / info["video_path"].format(
            video_key=key, chunk_index=entry[f"videos/{key}/chunk_index"], file_index=entry[f"videos/{key}/file_index"])
        start = round(entry[f"videos/{key}/from_timestamp"] * info["fps"])
        with av.open(str(path)) as film:
            shown = [f.to_ndarray(format="gray") for f in film.decode(video=0)][start : start + entry["length"]]
        assert len(shown) == len(rows_taken)
        for taken, picture in zip(rows_taken, shown):
            assert (theirs[taken] == picture).all(), (key, taken)
    return cameras


def judge(dataset, files):
    info = json.loads((dataset / "meta/info.json").read_text())
    stats = json.loads((dataset / "meta/stats.json").read_text())
    tasks = pq.read_table(dataset / "meta/tasks.parquet")
    # `lerobot` reads it with pandas, whose index is the text.
    pandas = json.loads(tasks.schema.metadata[b"pandas"])
    assert pandas["index_columns"] == ["task"] and set(tasks.column_names) == {"task", "task_index"}
    assert tasks.num_rows == info["total_tasks"]
    assert info["codebase_version"] == "v3.0"
    for name, dtype in STANDARD.items():
        assert info["features"][name]["dtype"] == dtype, name
    all_rows, all_entries = rows(dataset), entries(dataset)
    assert len(all_rows) == info["total_frames"] and len(all_entries) == info["total_episodes"]
    # An episode in which a camera missed a picture comes in pieces.
    described = json.loads((dataset / "meta/takeover.json").read_text())["episodes"]
    by_id = {path.stem: path for path in files}
    files = [by_id[piece["continues"] or piece["id"]] for piece in described]
    assert len(files) == len(all_entries) and set(files) == set(by_id.values())
    assert [row["index"] for row in all_rows] == list(range(len(all_rows)))
    for key, value in stats.items():
        numbers = [row[key] if isinstance(row[key], list) else [row[key]] for row in all_rows if key in row]
        if not numbers or value["count"] == [0]:
            continue
        for n, column in enumerate(zip(*numbers)):
            column = [float(v) for v in column if not math.isnan(v)]
            if column:
                assert math.isclose(min(column), value["min"][n], rel_tol=1e-6, abs_tol=1e-9), key
                assert math.isclose(sum(column) / len(column), value["mean"][n], rel_tol=1e-5, abs_tol=1e-6), key
    taken, at, cameras = 0, 0, 0
    for number, (path, entry) in enumerate(zip(files, all_entries)):
        assert entry["dataset_from_index"] == at and entry["episode_index"] == number
        mine = all_rows[at : at + entry["length"]]
        at += entry["length"]
        assert entry["dataset_to_index"] == at
        topics = episode(path)
        taken += compare(topics, mine, info["fps"])
        cameras = pictures(dataset, info, entry, topics, mine)
    films(dataset, info, all_entries)
    print(json.dumps({"frames": len(all_rows), "interventions": taken, "fps": info["fps"], "cameras": cameras}))


def compare(topics, mine, fps):
    """Every row against what the vehicle knew and did when its picture was taken."""
    states, commands = topics["/vehicle/state"], topics["/control/command"]
    state_times, command_times = [s[0] for s in states], [c[0] for c in commands]
    taken = 0
    front = {log: seen for log, seen, _ in topics["/camera/front"]}
    for n, row in enumerate(mine):
        assert row["frame_index"] == n and abs(row["timestamp"] - n / fps) < 1e-4
        seen = front[row["complementary_info.log_time_ns"]]
        state = states[max(bisect.bisect_right(state_times, seen) - 1, 0)][2]
        command = commands[min(bisect.bisect_left(command_times, seen), len(commands) - 1)][2]
        assert row["observation.state"] == [single(v) for v in state.observation], n
        assert row["action"] == [single(v) for v in command.action], n
        assert row[FLAG] == (command.author == OPERATOR), n
        taken += row[FLAG]
    return taken


def equal(a, b):
    if isinstance(a, list):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b))
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


def same(one, other):
    """Every value of every row, every description, every film byte by byte."""
    mine, theirs = rows(one), rows(other)
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs):
        assert a.keys() == b.keys()
        for key in a:
            assert equal(a[key], b[key]), (key, a[key], b[key])
    assert entries(one) == entries(other)
    assert json.loads((one / "meta/info.json").read_text()) == json.loads((other / "meta/info.json").read_text())
    for film in sorted(one.glob("videos/*/chunk-*/*.mp4")):
        assert film.read_bytes() == (other / film.relative_to(one)).read_bytes(), film


def tables(csv_path, parquet_path, file):
    wide = pq.read_table(parquet_path).to_pylist()
    with open(csv_path, newline="") as stream:
        narrow = list(csv.DictReader(stream))
    states = episode(file)["/vehicle/state"]
    assert len(wide) == len(narrow) == len(states) > 0
    for row, text, (log, publish, state) in zip(wide, narrow, states):
        assert row.keys() == text.keys()
        for key, value in row.items():
            if isinstance(value, float):
                assert text[key] == "" if math.isnan(value) else float(text[key]) == value, key
            else:
                assert text[key] == str(value), key
        assert (row["log_time_ns"], row["publish_time_ns"], row["sequence"]) == (log, publish, state.sequence)
        assert row["observation.speed_mps"] == state.observation[0] and row["x_m"] == state.world_from_vehicle.x_m
    assert {row["author"] for row in wide} >= {"operator"}


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:]]
    match sys.argv[1]:
        case "--same":
            same(*paths[1:])
        case "--tables":
            tables(*paths[1:])
        case _:
            judge(paths[0], paths[1:])
