"""What a robot is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Camera:
    """A camera. The bridge knows four, by name: front, left, right, rear."""

    name: str
    width: int
    height: int
    fps: float = 15.0
    #: What `Robot.picture` returns: "rgb8", an array of height x width x 3; "i420" or "h264", bytes.
    format: str = "rgb8"
    horizontal_fov_rad: float = 1.2
    #: Of the lens: over ground, ahead of the robot's origin, left of its middle line.
    height_m: float = 1.4
    forward_m: float = 0.0
    left_m: float = 0.0
    #: Negative looks down.
    pitch_rad: float = 0.0
    #: Positive looks left.
    yaw_rad: float = 0.0


@dataclasses.dataclass
class Sense:
    """What a robot senses at one time. Positions in metres, x forward or east, y left or north; angles in radians,
    counter-clockwise."""

    #: One value for each of the embodiment's observation channels, in order. An `ackermann_car` has: speed_mps,
    #: acceleration_mps2, steering_rad, yaw_rate_radps.
    observation: Sequence[float]
    #: x_m, y_m, heading_rad in the map.
    pose: tuple[float, float, float]
    #: Distance driven; where it is not known, `serve` adds up the way between poses.
    odometer_m: float | None = None
    #: Codes of the faults in force.
    faults: Sequence[str] = ()
    #: The robot's own emergency button is held down.
    estop_pressed: bool = False
    #: `takeover.v1.Surroundings` and `foxglove.LaserScan` where the robot has them, as messages or dictionaries of their
    #: fields, when they are new.
    surroundings: Any = None
    scan: Any = None
    #: When it was so, microseconds of `time.monotonic`; `None` for now.
    monotonic_us: int | None = None


class Robot:
    """Derive from this, and give an instance to `serve`."""

    #: Name of an embodiment that the bridge knows, path of an embodiment's file (`.toml`), or the text of one.
    embodiment: str = "ackermann_car"
    #: Its cameras; the first is the one to drive by.
    cameras: Sequence[Camera] = ()
    #: Where it drives, for people.
    map: str = ""
    #: What it calls itself in the bridge's log.
    software: str = ""
    #: Whether `Sense.surroundings` and `Sense.scan` come: without surroundings no policy drives.
    has_surroundings: bool = False
    has_scan: bool = False

    def sense(self) -> Sense:
        """What it senses now."""
        raise NotImplementedError

    def act(self, action: np.ndarray) -> None:
        """Does what the bridge decided: one value for each of the embodiment's action channels, in order. An
        `ackermann_car` has: acceleration_mps2, steering_rad."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stops by itself: called at every step for which there is no valid act, be it that the bridge is gone, is not
        heard in time, or has not decided yet."""
        raise NotImplementedError

    def picture(self, camera: Camera) -> Any:
        """What `camera` sees now, in its format; `None` when there is nothing new."""
        raise NotImplementedError
