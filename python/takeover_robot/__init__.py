"""Connects a robot or a simulator to a takeover bridge, which then drives it, streams its cameras and records it.

Derive from `Robot`, say what it is, and call `serve`:

    class Cart(Robot):
        cameras = [Camera("front", 640, 360)]

        def sense(self) -> Sense:
            return Sense([speed, acceleration, steering, yaw_rate], pose=(x, y, heading))

        def act(self, action: np.ndarray) -> None:
            drive(acceleration=action[0], steering=action[1])

        def stop(self) -> None:
            brake()

        def picture(self, camera: Camera) -> np.ndarray:
            return render()  # height x width x 3, RGB

    serve(Cart(), "unix:/run/robot.sock")

`sense`, `act`, `stop` and `picture` are all called from the thread that called `serve`, one at a time.
"""

from .connection import Refused
from .robot import Camera, Robot, Sense
from .serve import serve

__all__ = ["Camera", "Refused", "Robot", "Sense", "serve"]
