"""One connection with a bridge: frames, the clock's questions, the newest act."""

from __future__ import annotations

import collections
import pathlib
import socket
import struct
import threading
import time
from typing import Any

import numpy as np

from .messages import BYE_REASONS, FORMATS, FromRobot, ToRobot
from .robot import Camera, Robot, Sense

VERSION = 1
#: Longest frame that a bridge may send.
_MOST_BYTES = 1 << 20
#: Access units of a camera that may wait for a bridge that is slow to take them.
_MOST_UNITS = 60
#: How long the bridge has for its welcome, seconds.
_WELCOME_S = 5.0
#: How long a goodbye is given to leave, seconds.
_BYE_S = 0.5
#: Reasons of a bye after which another attempt would end alike.
_FOR_GOOD = {"VERSION", "MALFORMED", "EMBODIMENT", "SENSORS", "VALUE"}


class Refused(RuntimeError):
    """The bridge does not take this robot, or a value that it sent; the text says which and why."""


class Lost(ConnectionError):
    """The connection is gone; another attempt may help."""


def now_us() -> int:
    """The robot's clock."""
    return time.monotonic_ns() // 1_000


def _open(address: str) -> socket.socket:
    if address.startswith("unix:"):
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            stream.connect(address.removeprefix("unix:"))
        except OSError:
            stream.close()
            raise
        return stream
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        raise ValueError(f"address {address!r} is neither unix:PATH nor HOST:PORT")
    stream = socket.create_connection((host.strip("[]"), int(port)), timeout=_WELCOME_S)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


class _Outbox:
    """What waits to be sent. Nobody waits to put something in: a newer sense takes the place of an older one, and so does
    a picture that is whole in itself."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._urgent: collections.deque[Any] = collections.deque()
        self._sense: Any = None
        self._pictures: dict[int, collections.deque[Any]] = {}
        self._closed = False

    def urgent(self, frame: Any) -> None:
        with self._changed:
            self._urgent.append(frame)
            self._changed.notify()

    def sense(self, frame: Any) -> None:
        with self._changed:
            self._sense = frame
            self._changed.notify()

    def picture(self, index: int, frame: Any, whole: bool) -> None:
        with self._changed:
            waiting = self._pictures.setdefault(index, collections.deque())
            if whole:
                waiting.clear()
            elif len(waiting) >= _MOST_UNITS:
                raise Lost(f"{_MOST_UNITS} access units of camera {index} wait: the bridge does not take them in time")
            waiting.append(frame)
            self._changed.notify()

    def close(self) -> None:
        """Nothing is sent any more but what is urgent and waits already."""
        with self._changed:
            self._closed, self._sense = True, None
            self._pictures.clear()
            self._changed.notify()

    def next(self) -> Any:
        """The next frame, waited for; `None` at the end."""
        with self._changed:
            while True:
                if self._urgent:
                    return self._urgent.popleft()
                if self._sense is not None:
                    frame, self._sense = self._sense, None
                    return frame
                for waiting in self._pictures.values():
                    if waiting:
                        return waiting.popleft()
                if self._closed:
                    return None
                self._changed.wait()


class Connection:
    """A connection that was welcomed. One thread reads, and answers pings at once; another one writes. Whoever calls
    these methods waits for neither: a robot must be able to stop whatever the bridge does."""

    def __init__(self, robot: Robot, address: str) -> None:
        self._stream = _open(address)
        self._outbox = _Outbox()
        self._sequence = 0
        self._act: Any = None
        self._ended: Exception | None = None
        try:
            self._stream.settimeout(_WELCOME_S)
            self._write(FromRobot(hello=_hello(robot)))
            first = self._receive()
            if first.WhichOneof("frame") == "bye":
                raise _ended_by(first.bye)
            if first.WhichOneof("frame") != "welcome":
                raise Refused(f"the bridge answers a hello by {first.WhichOneof('frame')!r}, not by a welcome")
            if first.welcome.version != VERSION:
                raise Refused(f"the bridge speaks version {first.welcome.version} of the protocol, this robot {VERSION}")
        except BaseException:
            self._stream.close()
            raise
        #: What the bridge said of itself: names of the channels, timeouts.
        self.welcome = first.welcome
        # Nothing comes for longer only from a bridge that is gone: its pings are its sign of life.
        self._stream.settimeout(first.welcome.silence_timeout_us / 1e6)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._send)]
        for thread in self._threads:
            thread.start()

    def act(self) -> np.ndarray | None:
        """The action in force; `None` when there is none that is valid now.

        Raises `Lost` or `Refused` once the connection has ended.
        """
        if self._ended is not None:
            raise self._ended
        act = self._act
        if act is None or now_us() > act.valid_until_us:
            return None
        return np.array(act.command.action, dtype=np.float64)

    def sense(self, sense: Sense, odometer_m: float) -> None:
        """Sends what was sensed."""
        self._sequence += 1
        frame = FromRobot()
        state = frame.sense.state
        state.monotonic_us = now_us() if sense.monotonic_us is None else sense.monotonic_us
        state.sequence = self._sequence
        state.observation.extend(float(value) for value in sense.observation)
        pose = state.world_from_vehicle
        pose.x_m, pose.y_m, pose.heading_rad = (float(value) for value in sense.pose)
        # A pose at the origin is one, too.
        pose.SetInParent()
        state.odometer_m = odometer_m
        state.faults.extend(sense.faults)
        frame.sense.estop_pressed = sense.estop_pressed
        for field in ("surroundings", "scan"):
            value = getattr(sense, field)
            if isinstance(value, dict):
                getattr(frame.sense, field).MergeFrom(type(getattr(frame.sense, field))(**value))
            elif value is not None:
                getattr(frame.sense, field).CopyFrom(value)
        self._outbox.sense(frame)

    def picture(self, index: int, camera: Camera, picture: Any, capture_us: int) -> None:
        """Sends what `camera` saw at `capture_us`."""
        if camera.format == "rgb8":
            array = np.ascontiguousarray(picture)
            wanted = (camera.height, camera.width, 3)
            if array.shape != wanted or array.dtype != np.uint8:
                raise ValueError(
                    f"camera {camera.name}: a picture of shape {array.shape} and type {array.dtype}; "
                    f"{wanted} and uint8 are wanted"
                )
            picture = array.tobytes()
        frame = FromRobot()
        frame.picture.camera = index
        frame.picture.capture_us = capture_us
        frame.picture.data = bytes(picture)
        self._outbox.picture(index, frame, whole=camera.format != "h264")

    def close(self, detail: str) -> None:
        """Says goodbye and closes."""
        frame = FromRobot()
        frame.bye.reason = next(number for number, value in BYE_REASONS.items() if value.name.endswith("_SHUTDOWN"))
        frame.bye.detail = detail
        self._outbox.urgent(frame)
        self._outbox.close()
        reader, sender = self._threads
        sender.join(_BYE_S)
        self._shut()
        reader.join()

    def _shut(self) -> None:
        self._outbox.close()
        try:
            self._stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._stream.close()

    def _write(self, message: Any) -> None:
        data = message.SerializeToString()
        try:
            self._stream.sendall(struct.pack(">I", len(data)) + data)
        except OSError as error:
            raise Lost(f"the bridge takes nothing any more: {error}") from error

    def _send(self) -> None:
        try:
            while (frame := self._outbox.next()) is not None:
                self._write(frame)
        except Exception as error:
            # Where the bridge has said why, the reader knows better.
            self._ended = self._ended or error
            self._shut()

    def _receive(self) -> Any:
        (length,) = struct.unpack(">I", self._exactly(4))
        if length > _MOST_BYTES:
            raise Lost(f"the bridge sent a frame of {length} bytes; {_MOST_BYTES} are the most")
        return ToRobot.FromString(self._exactly(length))

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            try:
                part = self._stream.recv(count - len(data))
            except TimeoutError as error:
                raise Lost("the bridge has fallen silent") from error
            except OSError as error:
                raise Lost(f"the connection is gone: {error}") from error
            if not part:
                raise Lost("the bridge closed the connection")
            data += part
        return bytes(data)

    def _read(self) -> None:
        try:
            while True:
                frame = self._receive()
                received_us = now_us()
                kind = frame.WhichOneof("frame")
                if kind == "ping":
                    pong = FromRobot()
                    pong.pong.t1_us, pong.pong.t2_us, pong.pong.t3_us = frame.ping.t1_us, received_us, now_us()
                    self._outbox.urgent(pong)
                elif kind == "act":
                    self._act = frame.act
                elif kind == "bye":
                    raise _ended_by(frame.bye)
        except Exception as error:  # whatever it is, the thread that drives has to hear of it
            if self._ended is None or isinstance(error, Refused):
                self._ended = error
            self._shut()


def _ended_by(bye: Any) -> Exception:
    value = BYE_REASONS.get(bye.reason)
    reason = value.name.removeprefix("ROBOT_BYE_REASON_") if value else str(bye.reason)
    kind = Refused if reason in _FOR_GOOD else Lost
    return kind(f"the bridge ends the connection, {reason}: {bye.detail}")


def _hello(robot: Robot) -> Any:
    hello = FromRobot().hello
    hello.version = VERSION
    hello.software = robot.software or type(robot).__name__
    embodiment = robot.embodiment
    if "\n" not in embodiment and embodiment.endswith(".toml"):
        try:
            embodiment = pathlib.Path(embodiment).read_text(encoding="utf-8")
        except OSError as error:
            raise ValueError(f"embodiment {robot.embodiment!r} cannot be read: {error.strerror}") from error
    if "\n" in embodiment or "=" in embodiment:
        hello.embodiment_toml = embodiment
    else:
        hello.embodiment_name = embodiment
    hello.map = robot.map
    hello.has_surroundings = robot.has_surroundings
    hello.has_scan = robot.has_scan
    for camera in robot.cameras:
        if camera.format not in FORMATS:
            raise ValueError(f"camera {camera.name}: format {camera.format!r} is none of {', '.join(FORMATS)}")
        entry = hello.cameras.add()
        entry.fps, entry.format, entry.forward_m = camera.fps, FORMATS[camera.format], camera.forward_m
        for field in ("name", "width", "height", "horizontal_fov_rad", "height_m", "left_m", "pitch_rad", "yaw_rad"):
            setattr(entry.camera, field, getattr(camera, field))
    return hello
