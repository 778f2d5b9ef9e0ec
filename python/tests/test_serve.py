"""The package against a bridge made of sockets: python -m unittest discover python/tests"""

import socket
import struct
import tempfile
import threading
import unittest
from pathlib import Path

import numpy as np

from takeover_robot import Camera, Refused, Robot, Sense, serve
from takeover_robot.connection import _hello, now_us
from takeover_robot.messages import BYE_REASONS, FromRobot, ToRobot

WAIT_S = 20.0


class Ended(Exception):
    """Ends the loop under test."""


class Cart(Robot):
    """Notes what it is told; ends the loop when `enough` says so."""

    software, map = "cart", "yard"
    cameras = [Camera("front", 320, 180, fps=60.0)]

    def __init__(self, enough):
        self.told = []
        self.enough = enough

    def sense(self):
        return Sense([1.0, 0.0, 0.1, 0.0], pose=(len(self.told) * 0.5, 0.0, 0.0), faults=["dirty"])

    def act(self, action):
        self.note(list(action))

    def stop(self):
        self.note(None)

    def note(self, what):
        self.told.append(what)
        if self.enough(self.told):
            raise Ended

    def picture(self, camera):
        return np.full((camera.height, camera.width, 3), 7, np.uint8)


class Bridge:
    """One end of the protocol, frame by frame."""

    def __init__(self, test):
        self.test = test
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "robot.sock"
        self.listener = socket.socket(socket.AF_UNIX)
        test.addCleanup(self.listener.close)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.listener.settimeout(WAIT_S)
        self.address = f"unix:{self.path}"

    def accept(self):
        self.stream, _ = self.listener.accept()
        self.test.addCleanup(self.stream.close)
        self.stream.settimeout(WAIT_S)

    def send(self, frame):
        data = frame.SerializeToString()
        self.stream.sendall(struct.pack(">I", len(data)) + data)

    def receive(self):
        data = self.exactly(struct.unpack(">I", self.exactly(4))[0])
        return FromRobot.FromString(data)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.stream.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def next(self, kind):
        while True:
            frame = self.receive()
            if frame.WhichOneof("frame") == kind:
                return getattr(frame, kind)

    def welcome(self, silence_s=WAIT_S):
        hello = self.next("hello")
        frame = ToRobot()
        frame.welcome.version = 1
        frame.welcome.silence_timeout_us = int(silence_s * 1e6)
        self.send(frame)
        return hello

    def act(self, values, valid_us=int(WAIT_S * 1e6)):
        frame = ToRobot()
        frame.act.command.action.extend(values)
        frame.act.valid_until_us = now_us() + valid_us
        self.send(frame)

    def bye(self, reason, detail):
        frame = ToRobot()
        frame.bye.reason = next(n for n, value in BYE_REASONS.items() if value.name.endswith(reason))
        frame.bye.detail = detail
        self.send(frame)


class ServeTest(unittest.TestCase):
    def beside(self, work):
        """Runs the bridge's part beside the test; its failure is the test's."""
        failure = []

        def run():
            try:
                work()
            except Exception as error:
                failure.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def join():
            thread.join(2 * WAIT_S)
            if failure:
                raise failure[0]

        return join

    def test_it_stands_until_it_is_told_and_stands_again_when_nothing_valid_comes(self):
        bridge = Bridge(self)
        seen = {}

        def work():
            bridge.accept()
            seen["hello"] = bridge.welcome()
            ping = ToRobot()
            ping.ping.t1_us = 77
            bridge.send(ping)
            seen["pong"] = bridge.next("pong")
            seen["sense"], seen["picture"] = bridge.next("sense"), bridge.next("picture")
            bridge.act([9.0, 9.0], valid_us=-1)
            bridge.next("sense")
            bridge.next("sense")
            bridge.act([2.0, -0.1], valid_us=400_000)

        def enough(told):
            acted = next((n for n, what in enumerate(told) if what), None)
            return acted is not None and told[-1] is None

        join = self.beside(work)
        cart = Cart(enough)
        with self.assertRaises(Ended):
            serve(cart, bridge.address, hz=100)
        join()
        hello, sense, picture = seen["hello"], seen["sense"], seen["picture"]
        self.assertEqual((hello.version, hello.embodiment_name, hello.map), (1, "ackermann_car", "yard"))
        self.assertEqual([(c.camera.name, c.camera.width, c.format) for c in hello.cameras], [("front", 320, 1)])
        pong = seen["pong"]
        self.assertTrue(pong.t1_us == 77 and 0 < pong.t2_us <= pong.t3_us <= now_us())
        state = sense.state
        self.assertEqual((list(state.observation), list(state.faults)), ([1.0, 0.0, 0.1, 0.0], ["dirty"]))
        self.assertTrue(state.HasField("world_from_vehicle") and 0 < state.monotonic_us <= now_us())
        self.assertEqual((picture.camera, picture.data), (0, bytes([7]) * (320 * 180 * 3)))
        acted = [what for what in cart.told if what]
        self.assertEqual(acted[0], [2.0, -0.1])
        self.assertNotIn([9.0, 9.0], acted, "too late when it came")
        self.assertIsNone(cart.told[0])

    def test_the_odometer_counts_the_way_between_poses(self):
        bridge = Bridge(self)
        driven = []

        def work():
            bridge.accept()
            bridge.welcome()
            driven.extend(bridge.next("sense").state.odometer_m for _ in range(4))

        join = self.beside(work)
        with self.assertRaises(Ended):
            serve(Cart(lambda told: len(driven) == 4), bridge.address, hz=100)
        join()
        self.assertEqual(np.diff(driven).tolist(), [0.5] * 3)

    def test_a_lost_bridge_is_looked_for_again_and_the_robot_stands_meanwhile(self):
        bridge = Bridge(self)

        def work():
            bridge.accept()
            bridge.welcome()
            bridge.act([1.0, 0.0])
            for _ in range(5):
                bridge.next("sense")
            bridge.stream.close()
            bridge.accept()
            bridge.welcome()
            bridge.act([3.0, 0.0])

        join = self.beside(work)
        cart = Cart(lambda told: [3.0, 0.0] in told)
        with self.assertRaises(Ended):
            serve(cart, bridge.address, hz=100)
        join()
        first = cart.told.index([1.0, 0.0])
        self.assertIn(None, cart.told[first:])

    def test_a_bridge_that_falls_silent_is_left(self):
        bridge = Bridge(self)

        def work():
            bridge.accept()
            bridge.welcome(silence_s=0.2)
            with self.assertRaises((EOFError, ConnectionError)):
                while True:
                    bridge.receive()
            bridge.accept()
            bridge.welcome()
            bridge.act([1.0, 0.0])

        join = self.beside(work)
        with self.assertRaises(Ended):
            serve(Cart(lambda told: [1.0, 0.0] in told), bridge.address, hz=100)
        join()

    def test_a_refusal_is_raised_with_the_bridge_s_words(self):
        for at_once in (True, False):
            bridge = Bridge(self)

            def work():
                bridge.accept()
                if at_once:
                    bridge.next("hello")
                else:
                    bridge.welcome()
                    bridge.next("sense")
                bridge.bye("_VALUE", "observation speed_mps is NaN")

            join = self.beside(work)
            cart = Cart(lambda told: False)
            with self.assertRaisesRegex(Refused, "VALUE: observation speed_mps is NaN"):
                serve(cart, bridge.address, hz=100)
            join()
            self.assertIsNone(cart.told[-1])

    def test_at_its_end_it_stops_and_says_goodbye(self):
        bridge = Bridge(self)
        byes = []

        def work():
            bridge.accept()
            bridge.welcome()
            bridge.act([1.0, 0.0])
            byes.append(bridge.next("bye"))

        class Interrupted(Cart):
            def act(self, action):
                self.note(list(action))
                raise KeyboardInterrupt

        join = self.beside(work)
        cart = Interrupted(lambda told: False)
        serve(cart, bridge.address, hz=100)
        join()
        self.assertEqual((byes[0].reason, byes[0].detail), (1, "the robot ends"))
        self.assertEqual(cart.told[-2:], [[1.0, 0.0], None])

    def test_a_robot_of_its_own_brings_its_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cart.toml"
            path.write_text('name = "cart"\n', encoding="utf-8")
            for told in (str(path), path.read_text(encoding="utf-8")):
                cart = Cart(lambda told: False)
                cart.embodiment, cart.cameras = told, [Camera("front", 320, 180, left_m=0.25)]
                hello = _hello(cart)
                self.assertEqual((hello.WhichOneof("embodiment"), hello.embodiment_toml), ("embodiment_toml", 'name = "cart"\n'))
                self.assertEqual(hello.cameras[0].camera.left_m, 0.25)

    def test_pictures_of_another_size_and_bad_arguments_are_named(self):
        class Small(Cart):
            def picture(self, camera):
                return np.zeros((2, 2, 3), np.uint8)

        bridge = Bridge(self)
        join = self.beside(lambda: (bridge.accept(), bridge.welcome()))
        with self.assertRaisesRegex(ValueError, r"front: a picture of shape \(2, 2, 3\)"):
            serve(Small(lambda told: False), bridge.address)
        join()
        with self.assertRaisesRegex(ValueError, "hz is 5"):
            serve(Cart(lambda told: True), bridge.address, hz=5)
        cart = Cart(lambda told: False)
        with self.assertRaisesRegex(ValueError, "'nowhere'"):
            serve(cart, "nowhere")
        cart.embodiment = "nowhere/cart.toml"
        bridge = Bridge(self)
        with self.assertRaisesRegex(ValueError, "'nowhere/cart.toml' cannot be read"):
            serve(cart, bridge.address)
        cart.embodiment = "ackermann_car"
        cart.cameras = [Camera("front", 320, 180, format="jpeg")]
        bridge = Bridge(self)
        with self.assertRaisesRegex(ValueError, "'jpeg'"):
            serve(cart, bridge.address)


if __name__ == "__main__":
    unittest.main()
