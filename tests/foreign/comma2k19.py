"""Segments of comma2k19: arrays of numpy, each with its times. Of all but the sound one only what differs is written.
 Ten metres a second for a quarter of a second."""

import io

import numpy as np

N = 12
TIMES = 1000.0 + np.arange(N) * 0.02


def whole():
    return {
        "can/speed": (TIMES.copy(), np.full((N, 1), 10.0)),
        "can/steering_angle": (TIMES.copy(), np.full(N, 15.38)),
        "imu/accelerometer": (TIMES.copy(), np.tile([0.5, 0.0, 9.8], (N, 1))),
        "imu/gyro": (TIMES.copy(), np.tile([0.0, 0.0, -0.1], (N, 1))),
        "gnss/live_gnss_ublox": (TIMES[::4].copy(), np.tile([37.5, -122.25, 10.0, 0.0, 30.0, 0.0], (N // 4, 1))),
        "global_pose": {
            "frame_times": TIMES.copy(),
            "frame_positions": np.stack([np.full(N, 6_378_137.0), np.zeros(N), np.arange(N) * 0.2], axis=1),
            "frame_velocities": np.tile([0.0, 0.0, 10.0], (N, 1)),
        },
    }


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def numpy_file(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def arrays(segment):
    """Paths with what the files hold."""
    for name, parts in segment.items():
        parts = parts if isinstance(parts, dict) else dict(zip(("t", "value"), parts))
        for part, array in parts.items():
            yield f"{name}/{part}", numpy_file(array)


def changed(sensor, change):
    segment = whole()
    times, values = segment[sensor]
    segment[sensor] = change(times, values) or (times, values)
    return segment


def setting(index, value):
    def change(_, values):
        values[index] = value
    return change


def at(index, value):
    def change(times, _):
        times[index] = value
    return change


def gone(times, values):
    return np.delete(times, slice(4, 8)) + np.where(np.arange(N - 4) >= 4, 2.0, 0.0), np.delete(values, slice(4, 8), axis=0)


def make_comma2k19(folder):
    segments = {
        "sound": whole(),
        "nan-speed": changed("can/speed", setting(7, np.nan)),
        "infinite-speed": changed("can/speed", setting([3, 4], np.inf)),
        "impossible-speed": changed("can/speed", setting(5, 1e200)),
        "first-speed-nan": changed("can/speed", setting([0, 1], np.nan)),
        "all-speeds-nan": changed("can/speed", setting(slice(None), np.nan)),
        "nan-steering": changed("can/steering_angle", setting(slice(5, 9), np.nan)),
        "nan-gyro-from-the-start": changed("imu/gyro", setting(slice(0, 4), np.nan)),
        "nan-fix": changed("gnss/live_gnss_ublox", setting((2, 0), np.nan)),
        "fix-off-the-earth": changed("gnss/live_gnss_ublox", setting((2, 0), 137.0)),
        "nan-time": changed("can/speed", at(7, np.nan)),
        "time-jumps-ahead": changed("can/speed", at(7, 5000.0)),
        "time-runs-back": changed("can/speed", at(7, 999.0)),
        "time-twice": changed("can/speed", at(7, TIMES[6])),
        "gap": changed("can/speed", gone),
        "empty-gnss": changed("gnss/live_gnss_ublox", lambda t, v: (t[:0], v[:0])),
        "empty-speed": changed("can/speed", lambda t, v: (t[:0], v[:0])),
        "single-precision": changed("can/speed", lambda t, v: (t, v.astype("<f4"))),
        "big-endian": changed("can/speed", lambda t, v: (t.astype(">f8"), v.astype(">f8"))),
        "whole-numbers": changed("can/speed", lambda t, v: (t, v.astype("<i2"))),
        "texts-for-speeds": changed("can/speed", lambda t, v: (t, np.full(N, "fast"))),
        "other-lengths": changed("can/speed", lambda t, v: (t[1:], v)),
        "too-narrow": changed("imu/gyro", lambda t, v: (t, v[:, :2])),
    }
    segment = whole()
    segment["global_pose"]["frame_positions"][0] = np.nan
    segments["nan-pose"] = segment
    base = {}
    for name, segment in segments.items():
        files = {path: array for path, array in arrays(segment)}
        for path, content in files.items():
            if name == "sound" or base[path] != content:
                save(folder / name / path, content)
        base = base or files
