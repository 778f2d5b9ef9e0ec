"""The loop that drives a robot."""

from __future__ import annotations

import logging
import math
import signal
import threading
import time

from .connection import Connection, Lost, now_us
from .robot import Robot

_log = logging.getLogger("takeover_robot")
#: Time between two attempts to reach the bridge, seconds.
_RETRY_S = 1.0
#: A loop that is further behind than this does not try to catch up, seconds.
_GIVE_UP_S = 0.2


def serve(robot: Robot, address: str, hz: float = 50.0) -> None:
    """Connects `robot` to the bridge at `address` (`unix:PATH` or `HOST:PORT`) and drives it until interrupted or terminated.

    At each step, `hz` times a second, it acts by the newest valid act of the bridge, or stops by itself when there is none;
    then it senses, and sends what it sensed and the pictures that are due. When the connection is lost, it stands by itself
    and connects again. At the end, whatever ends it, the robot is told to stop.

    Raises `Refused` when the bridge does not take the robot or a value that it sent.
    """
    if not 10.0 <= hz <= 1000.0:
        raise ValueError(f"hz is {hz}; a robot senses 10 to 1000 times a second")
    loop = _Loop(robot, address, hz)
    # Before the simulator's own libraries: SDL, for one, takes the signal and does nothing else.
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler) if in_main else None
    try:
        loop.run()
    except KeyboardInterrupt:
        pass
    finally:
        loop.close()
        if in_main:
            signal.signal(signal.SIGTERM, before)
        # Whatever ended it: the last act is in force no more.
        robot.stop()


class _Loop:
    def __init__(self, robot: Robot, address: str, hz: float) -> None:
        self.robot, self.address, self.step_s = robot, address, 1.0 / hz
        self.connection: Connection | None = None
        self.retry_s = -math.inf
        self.place: tuple[float, float] | None = None
        self.driven_m = 0.0
        self.next_picture_s: list[float] = []

    def run(self) -> None:
        due_s = time.monotonic()
        while True:
            try:
                self.step()
            except Lost as error:
                _log.warning("%s; standing by and connecting again", error)
                self.close()
            due_s += self.step_s
            wait_s = due_s - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            elif wait_s < -_GIVE_UP_S:
                due_s = time.monotonic()

    def step(self) -> None:
        action = self.connection.act() if self.connection else None
        if action is None:
            self.robot.stop()
        else:
            self.robot.act(action)
        if self.connection is None and not self.connect():
            return
        connection = self.connection
        sense = self.robot.sense()
        connection.sense(sense, self.odometer_m(sense))
        for index, camera in enumerate(self.robot.cameras):
            if time.monotonic() < self.next_picture_s[index]:
                continue
            # A camera that is behind does not catch up.
            self.next_picture_s[index] = max(self.next_picture_s[index] + 1.0 / camera.fps, time.monotonic())
            capture_us = now_us()
            picture = self.robot.picture(camera)
            if picture is not None:
                connection.picture(index, camera, picture, capture_us)

    def connect(self) -> bool:
        if time.monotonic() < self.retry_s:
            return False
        self.retry_s = time.monotonic() + _RETRY_S
        try:
            self.connection = Connection(self.robot, self.address)
        except OSError as error:
            _log.info("no bridge at %s yet: %s", self.address, error)
            return False
        self.next_picture_s = [0.0 for _ in self.robot.cameras]
        _log.info("connected to %s at %s", self.connection.welcome.vehicle_id, self.address)
        return True

    def odometer_m(self, sense) -> float:
        place = (float(sense.pose[0]), float(sense.pose[1]))
        if self.place is not None:
            self.driven_m += math.dist(place, self.place)
        self.place = place
        return self.driven_m if sense.odometer_m is None else float(sense.odometer_m)

    def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close("the robot ends")
