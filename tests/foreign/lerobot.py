"""Data sets of LeRobot v3, each odd in one way. Of all but the sound one only the files that differ are written."""

import io
import json

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

FPS, LENGTHS = 10, (4, 3)
ROWS = sum(LENGTHS)
SINGLE = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64", "task_index": "int64"}
FRONT = "observation.images.front"


def numbers(dtype, width, names=None):
    return {"dtype": dtype, "shape": [width], "names": names}


def info():
    features = {"observation.state": numbers("float32", 4, list("abcd")), "action": numbers("float32", 2, ["x", "y"])}
    features |= {name: numbers(dtype, 1) for name, dtype in SINGLE.items()}
    return {
        "codebase_version": "v3.0", "robot_type": "so100", "total_episodes": len(LENGTHS), "total_frames": ROWS,
        "total_tasks": 1, "chunks_size": 1000, "data_files_size_in_mb": 100, "video_files_size_in_mb": 500, "fps": FPS,
        "splits": {"train": f"0:{len(LENGTHS)}"}, "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4", "features": features,
    }


def lists(dtype, width, rows=ROWS, kind=pa.list_):
    values = [[n + i / 10 for i in range(width)] for n in range(rows)]
    made = kind(dtype, width) if kind is fixed else kind(dtype)
    return pa.array(values, made)


def fixed(dtype, width):
    return pa.list_(dtype, width)


def data():
    frame = [n for length in LENGTHS for n in range(length)]
    episode = [e for e, length in enumerate(LENGTHS) for _ in range(length)]
    return {
        "observation.state": lists(pa.float32(), 4), "action": lists(pa.float32(), 2),
        "timestamp": pa.array([n / FPS for n in frame], pa.float32()), "frame_index": pa.array(frame, pa.int64()),
        "episode_index": pa.array(episode, pa.int64()), "index": pa.array(range(ROWS), pa.int64()),
        "task_index": pa.array([0] * ROWS, pa.int64()),
    }


def episodes():
    begins = [sum(LENGTHS[:n]) for n in range(len(LENGTHS))]
    zeros = pa.array([0] * len(LENGTHS), pa.int64())
    return {
        "episode_index": pa.array(range(len(LENGTHS)), pa.int64()), "tasks": pa.array([["pick it up"]] * len(LENGTHS)),
        "length": pa.array(LENGTHS, pa.int64()), "data/chunk_index": zeros, "data/file_index": zeros,
        "dataset_from_index": pa.array(begins, pa.int64()),
        "dataset_to_index": pa.array([b + n for b, n in zip(begins, LENGTHS)], pa.int64()),
    }


def film(codec="libx264", size=32, **options):
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        video = container.add_stream(codec, rate=FPS, options={"g": "4", "bf": "0", "threads": "1"} | options)
        video.width, video.height, video.pix_fmt = size, size, "yuv420p"
        for n in range(ROWS):
            frame = av.VideoFrame.from_ndarray(np.full((size, size, 3), 20 * n, np.uint8), format="rgb24")
            for packet in video.encode(frame):
                container.mux(packet)
        for packet in video.encode():
            container.mux(packet)
    return stream.getvalue()


class Dataset:
    def __init__(self):
        self.info, self.data, self.episodes, self.videos, self.files = info(), data(), episodes(), {}, {}
        self.tasks = {"task_index": pa.array([0], pa.int64()), "__index_level_0__": pa.array(["pick it up"])}
        # Arrow's own schema in the file's metadata, as pyarrow writes it by itself: only there lists differ in kind.
        self.store_schema = False

    def feature(self, name, dtype, shape, column, **more):
        self.info["features"][name] = {"dtype": dtype, "shape": shape, "names": None} | more
        self.data[name] = column
        return self

    def with_film(self, content, key=FRONT, dtype="video"):
        self.info["features"][key] = {"dtype": dtype, "shape": [32, 32, 3], "names": ["height", "width", "channels"]}
        begins = [sum(LENGTHS[:n]) / FPS for n in range(len(LENGTHS))]
        zeros = pa.array([0] * len(LENGTHS), pa.int64())
        self.episodes |= {
            f"videos/{key}/chunk_index": zeros, f"videos/{key}/file_index": zeros,
            f"videos/{key}/from_timestamp": pa.array(begins, pa.float64()),
            f"videos/{key}/to_timestamp": pa.array([b + n / FPS for b, n in zip(begins, LENGTHS)], pa.float64()),
        }
        if content is not None:
            self.videos[key] = content
        return self

    def all_files(self):
        def table(columns):
            stream = io.BytesIO()
            pq.write_table(pa.table(columns), stream, compression="zstd", write_statistics=False,
                           store_schema=self.store_schema)
            return stream.getvalue()

        files = {
            "data/chunk-000/file-000.parquet": table(self.data),
            "meta/episodes/chunk-000/file-000.parquet": table(self.episodes),
            "meta/info.json": json.dumps(self.info).encode(),
        }
        if self.tasks:
            files["meta/tasks.parquet"] = table(self.tasks)
        for key, content in self.videos.items():
            files[f"videos/{key}/chunk-000/file-000.mp4"] = content
        return files | {name: one if isinstance(one, bytes) else table(one) for name, one in self.files.items()}


def picture(n, form):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (20 * n, 0, 0)).save(stream, form)
    return stream.getvalue()


def images(rows):
    return pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def changed(change):
    dataset = Dataset()
    change(dataset)
    return dataset


def set_info(**more):
    return changed(lambda d: d.info.update(more))


def set_column(name, column):
    return changed(lambda d: d.data.update({name: column}))


def with_schema(dataset):
    dataset.store_schema = True
    return dataset


def without_info(*keys):
    def change(d):
        for key in keys:
            del d.info[key]
    return changed(change)


def with_value(row, value):
    values = [[float(n)] * 4 for n in range(ROWS)]
    values[row][2] = value
    return set_column("observation.state", pa.array(values, pa.list_(pa.float32())))


def two_files():
    """Each episode in files of its own, the second one in another chunk."""
    d = Dataset().with_film(film())
    whole = pa.table(d.data)
    d.data = {name: whole.slice(0, LENGTHS[0])[name] for name in whole.column_names}
    second = whole.slice(LENGTHS[0])
    d.files["data/chunk-001/file-007.parquet"] = {name: second[name] for name in whole.column_names}
    d.files[f"videos/{FRONT}/chunk-001/file-002.mp4"] = d.videos[FRONT]
    d.episodes["data/chunk_index"] = d.episodes[f"videos/{FRONT}/chunk_index"] = pa.array([0, 1], pa.int64())
    d.episodes["data/file_index"] = pa.array([0, 7], pa.int64())
    d.episodes[f"videos/{FRONT}/file_index"] = pa.array([0, 2], pa.int64())
    return d


def names_of_ours():
    """Features whose names are those of a takeover episode's, and who hold something else."""
    d = Dataset()
    for name in ("observation.state", "action", "complementary_info.author"):
        d.feature(name, "string", [1], pa.array([f"{name} {n}" for n in range(ROWS)]))
    d.feature("complementary_info.pose", "float32", [7], lists(pa.float32(), 7))
    return d.feature("complementary_info.log_time_ns", "int64", [1], pa.array([ROWS - n for n in range(ROWS)], pa.int64()))


def with_unit_too_long(content, number):
    """The picture of this number says that it has more bytes than there are."""
    with av.open(io.BytesIO(content)) as container:
        at = [packet.pos for packet in container.demux(video=0) if packet.pos is not None][number]
    return content[:at] + b"\xff\xff\xff\xff" + content[at + 4:]


def make_lerobot(folder):
    made = film()
    sets = {"sound": Dataset(), "film": Dataset().with_film(made), "two-files": two_files()}
    # Kinds of features.
    texts = [f"say {n}" for n in range(ROWS)]
    sets |= {
        "texts": Dataset().feature("language_instruction", "string", [1], pa.array(texts)),
        "texts-with-nulls": Dataset().feature("note", "string", [1], pa.array(["a", None] * 3 + ["b"])),
        "text-lists": Dataset().feature("words", "string", [2], pa.array([["a", "b"]] * ROWS)),
        "truth-and-whole-numbers": Dataset()
            .feature("done", "bool", [1], pa.array([n == 3 for n in range(ROWS)]))
            .feature("mask", "bool", [2], pa.array([[True, False]] * ROWS))
            .feature("count", "int64", [1], pa.array([2**60 + n for n in range(ROWS)], pa.int64()))
            .feature("small", "uint8", [2], pa.array([[1, 2]] * ROWS, pa.list_(pa.uint8()))),
        "double-precision": set_column("observation.state", lists(pa.float64(), 4)),
        "large-lists": with_schema(set_column("observation.state", lists(pa.float32(), 4, kind=pa.large_list))),
        "fixed-lists": with_schema(set_column("observation.state", lists(pa.float32(), 4, kind=fixed))),
        "lists-in-lists": Dataset().feature("grid", "float32", [2, 2], pa.array([[[1.0, 2.0], [3.0, 4.0]]] * ROWS)),
        "half-precision": Dataset().feature("half", "float16", [1], pa.array(np.arange(ROWS, dtype=np.float16))),
        "unknown-dtype": Dataset().feature("smell", "odour", [1], pa.array([1.5] * ROWS)),
        "float-and-double": Dataset()
            .feature("gain", "float", [1], pa.array([n + 0.5 for n in range(ROWS)], pa.float32()))
            .feature("ratio", "double", [2], pa.array([[n + 0.1, n - 0.1] for n in range(ROWS)])),
        "unsigned": Dataset()
            .feature("large", "uint32", [1], pa.array([3_000_000_000 + n for n in range(ROWS)], pa.uint32()))
            .feature("beyond", "uint64", [1], pa.array([2**63 + n for n in range(ROWS)], pa.uint64())),
        "numbers-with-nulls": Dataset()
            .feature("count", "int64", [1], pa.array([None, 1, 2, 3, None, 5, 6], pa.int64()))
            .feature("done", "bool", [1], pa.array([None, True, False, True, None, False, True])),
        "names-of-ours": names_of_ours(),
        "log-times-not-whole": Dataset()
            .feature("complementary_info.log_time_ns", "float64", [1], pa.array([n / 3 for n in range(ROWS)])),
        "bytes": Dataset().feature("blob", "binary", [1], pa.array([b"\0\1"] * ROWS)),
        "groups": Dataset().feature("pose", "dict", [1], pa.array([{"x": 1.0, "y": 2.0}] * ROWS)),
        "feature-without-column": changed(lambda d: d.info["features"].update({"ghost": numbers("float32", 3)})),
        "column-without-feature": changed(lambda d: d.data.update({"extra": pa.array(range(ROWS))})),
        "odd-names": Dataset().feature("observation.état/ü", "float32", [1], pa.array([1.0] * ROWS))
            .feature("../up", "float32", [1], pa.array([1.0] * ROWS)),
    }
    # Pictures.
    png, jpeg = ([picture(n, form) for n in range(ROWS)] for form in ("PNG", "JPEG"))
    front = lambda d, column: d.feature(FRONT, "image", [8, 8, 3], column)
    sets |= {
        "images-png": front(Dataset(), images([{"bytes": one, "path": None} for one in png])),
        "images-jpeg": front(Dataset(), images([{"bytes": one, "path": f"frame-{n}.jpg"} for n, one in enumerate(jpeg)])),
        "images-some-missing": front(Dataset(), images([{"bytes": b"GIF89a", "path": None}, None] + [{"bytes": one, "path": None} for one in png[2:]])),
        "images-plain-bytes": front(Dataset(), pa.array(png)),
        "images-in-files": front(Dataset(), images([{"bytes": None, "path": f"images/{n}.png"} for n in range(ROWS - 1)] + [{"bytes": None, "path": "../../../etc/passwd"}])),
        "images-without-column": changed(lambda d: d.info["features"].update({FRONT: {"dtype": "image", "shape": [8, 8, 3]}})),
    }
    sets["images-in-files"].files |= {f"images/{n}.png": one for n, one in enumerate(png)}
    # Films.
    sets |= {
        "film-av1": Dataset().with_film(film("libsvtav1", 64, **{"preset": "12", "svtav1-params": "pred-struct=1:lp=1"})),
        "film-mpeg4": Dataset().with_film(film("mpeg4")),
        "film-missing": Dataset().with_film(None),
        "film-broken": Dataset().with_film(b"no film at all"),
        "film-of-one-episode-only": Dataset().with_film(made),
        "film-too-short": Dataset().with_film(made),
        "film-begins-nowhere": Dataset().with_film(made),
        "film-leads-out": Dataset().with_film(made),
        # One keyframe an episode: what the second one's first row builds on is broken.
        "film-broken-before-the-first-row": Dataset().with_film(with_unit_too_long(film(sc_threshold="0"), 4)),
    }
    sets["film-of-one-episode-only"].episodes[f"videos/{FRONT}/chunk_index"] = pa.array([0, None], pa.int64())
    sets["film-too-short"].episodes[f"videos/{FRONT}/from_timestamp"] = pa.array([0.0, 0.6])
    sets["film-broken-before-the-first-row"].episodes[f"videos/{FRONT}/from_timestamp"] = pa.array([0.0, 0.5])
    sets["film-begins-nowhere"].episodes[f"videos/{FRONT}/from_timestamp"] = pa.array([float("nan"), 9e12])
    sets["film-leads-out"].info["video_path"] = "../{video_key}.mp4"
    # Stray files.
    stray = sets["stray-files"] = Dataset().with_film(made)
    for name in (".DS_Store", "._meta", "README.md", ".gitattributes", "meta/episodes/.DS_Store", "meta/episodes/Thumbs.db",
                 "meta/episodes/desktop.ini", "meta/episodes/chunk-000/._file-000.parquet", "meta/episodes/chunk-000/x.tmp",
                 "meta/episodes/.cache/file-000.parquet", "data/.DS_Store", "data/chunk-000/._file-000.parquet",
                 f"videos/{FRONT}/.DS_Store", "meta/episodes/chunk-000/folder.parquet/x"):
        stray.files[name] = b"\0"
    # `info.json`.
    shape = lambda value: changed(lambda d: d.info["features"]["observation.state"].update(shape=value))
    named = lambda value: changed(lambda d: d.info["features"]["observation.state"].update(names=value))
    sets |= {
        "rate-as-fraction": set_info(fps=10.0), "rate-missing": without_info("fps"), "rate-zero": set_info(fps=0),
        "totals-wrong": set_info(total_episodes=9, total_frames=-1, total_tasks="many"),
        "little-said": without_info("robot_type", "total_episodes", "total_frames", "total_tasks", "chunks_size",
                                    "data_files_size_in_mb", "video_files_size_in_mb", "splits", "data_path", "video_path"),
        "much-said": set_info(license="mit", tags=["x"], nested={"a": [1]}, splits=None, robot_type=None),
        "shape-null": shape(None), "shape-number": shape(4), "shape-wrong": shape([6]), "shape-odd": shape([-1, "x"]),
        "names-as-groups": named({"motors": ["a", "b", "c", "d"]}), "names-null": named(None),
        "version-2-1": set_info(codebase_version="v2.1"), "version-missing": without_info("codebase_version"),
        "version-3-1": set_info(codebase_version="v3.1"), "features-missing": without_info("features"),
        "paths-of-its-own": set_info(data_path="rows/{chunk_index}/{file_index:02d}.parquet"),
        "path-leads-out": set_info(data_path="../data/file-{file_index}.parquet"),
    }
    sets["paths-of-its-own"].files["rows/0/00.parquet"] = sets["paths-of-its-own"].data
    # Rows.
    stamps = lambda values: set_column("timestamp", pa.array(values, pa.float32()))
    sets |= {
        "state-nan": with_value(2, float("nan")), "state-infinite": with_value(5, float("-inf")),
        "state-uneven": set_column("observation.state", pa.array([[1.0] * 4] * 3 + [[1.0] * 2] + [[1.0] * 4] * 3, pa.list_(pa.float32()))),
        "state-null": set_column("observation.state", pa.array([[1.0] * 4] * 3 + [None] + [[1.0] * 4] * 3, pa.list_(pa.float32()))),
        "time-uneven": stamps([0.0, 0.1, 0.5, 0.6, 0.0, 0.1, 0.2]), "time-back": stamps([0.0, 0.2, 0.1, 0.3, 0.0, 0.1, 0.2]),
        "time-nan": stamps([0.0, float("nan"), 0.2, 0.3, 0.0, 0.1, 0.2]), "time-twice": stamps([0.0, 0.1, 0.1, 0.3, 0.0, 0.1, 0.2]),
        "time-double": set_column("timestamp", pa.array([0.0, 0.1, 0.2, 0.3, 0.0, 0.1, 0.2])),
        "episode-index-missing": changed(lambda d: d.data.pop("episode_index")),
    }
    # Episodes and tasks.
    sets |= {
        "tasks-two": Dataset(), "length-wrong": Dataset(), "rows-missing": Dataset(),
        "episode-empty": Dataset(), "no-episodes": Dataset(), "file-missing": Dataset(),
    }
    sets["tasks-two"].tasks = {"task_index": pa.array([0, 1], pa.int64()), "task": pa.array(["pick it up", "put it down"])}
    sets["tasks-two"].data["task_index"] = pa.array([0, 0, 1, 1, 0, 0, 0], pa.int64())
    sets["length-wrong"].episodes["length"] = pa.array([9, 3], pa.int64())
    sets["rows-missing"].data["episode_index"] = pa.array([0] * ROWS, pa.int64())
    sets["episode-empty"].episodes["length"] = pa.array([4, 0], pa.int64())
    sets["episode-empty"].data = {name: column[: LENGTHS[0]] for name, column in sets["episode-empty"].data.items()}
    sets["no-episodes"].episodes = {name: column[:0] for name, column in sets["no-episodes"].episodes.items()}
    sets["no-episodes"].data = {name: column[:0] for name, column in sets["no-episodes"].data.items()}
    sets["file-missing"].episodes["data/file_index"] = pa.array([0, 5], pa.int64())
    sound = sets["sound"].all_files()
    for name, dataset in sets.items():
        for file, content in dataset.all_files().items():
            if name == "sound" or sound.get(file) != content:
                path = folder / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
