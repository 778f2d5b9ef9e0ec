"""A seat made of nothing but the documented protocol and foreign libraries: signalling over `websockets`, WebRTC by
`aiortc`, H.264 by PyAV (FFmpeg), messages by `protobuf`. It calls the vehicle, watches, takes over, drives, hands back.

    python aiortc_seat.py http://HOST:PORT VEHICLE DESCRIPTORS

DESCRIPTORS is a FileDescriptorSet that holds takeover.v1. Prints one JSON object with what it found.
"""

import asyncio
import json
import sys
import time

import websockets
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SEAT = "python"
TIMECODE_BITS, SYNC = 120, 0xB2
TIMEOUT_S = 40
US = 1_000_000


def load_messages(path):
    """The message classes of package takeover.v1."""
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(open(path, "rb").read())
    for file in files.file:
        pool.Add(file)
    classes = message_factory.GetMessageClassesForFiles([f.name for f in files.file if f.package == "takeover.v1"], pool)
    return {name.rsplit(".", 1)[1]: cls for name, cls in classes.items()}


def crc16(data):
    """CRC-16/CCITT-FALSE."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def read_timecode(frame):
    """(sequence, capture time in microseconds) from the block code in a picture's luma; None when it is damaged."""
    cell = 16 if frame.width >= 1280 else 8
    rows = -(-TIMECODE_BITS // (frame.width // cell))
    columns = -(-TIMECODE_BITS // rows)
    plane = frame.planes[0]
    luma, stride = bytes(plane), plane.line_size

    def mean(bit):
        left, top = bit % columns * cell, bit // columns * cell
        inner = range(cell // 4, cell - cell // 4)
        return sum(luma[(top + y) * stride + left + x] for y in inner for x in inner) / len(inner) ** 2

    means = [mean(bit) for bit in range(TIMECODE_BITS)]
    calibration = [[means[b] for b in range(8) if SYNC >> (7 - b) & 1 == value] for value in (0, 1)]
    threshold = sum(sum(part) / 4 for part in calibration) / 2
    number = sum(1 << (TIMECODE_BITS - 1 - bit) for bit, value in enumerate(means) if value > threshold)
    data = number.to_bytes(TIMECODE_BITS // 8, "big")
    if data[0] != SYNC or crc16(data[1:13]) != int.from_bytes(data[13:], "big"):
        return None
    return int.from_bytes(data[1:5], "big"), int.from_bytes(data[5:13], "big")


class Seat:
    def __init__(self, messages):
        self.messages = messages
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.state = self.authority = self.hello = self.pong = None
        self.states = 0
        self.responses, self.takeovers = {}, []
        self.pictures = []
        self.sequence = self.request_id = int(time.time() * US)
        self.sent, self.deadman, self.action = [], False, []
        self.changed = asyncio.Event()
        self.peer.on("datachannel", self.on_channel)
        self.peer.on("track", lambda track: track.kind == "video" and asyncio.ensure_future(self.watch(track)))

    def on_channel(self, channel):
        channel.on("message", lambda data: self.on_message(channel.label, data))

    def on_message(self, label, data):
        if label == "state":
            state = self.messages["StateDatagram"].FromString(data)
            self.states += 1
            self.state = state.state if state.HasField("state") else self.state
            if state.HasField("pong"):
                self.pong = (state.pong, time.monotonic_ns() // 1000)
            self.take(state.authority)
        elif label == "events":
            event = self.messages["VehicleEvent"].FromString(data)
            kind = event.WhichOneof("event")
            if kind == "response":
                self.responses[event.response.id] = event.response
                self.take(event.response.authority)
            elif kind == "takeover":
                self.takeovers.append(event.takeover)
            elif kind == "hello":
                self.hello = event.hello
        self.changed.set()

    def take(self, authority):
        old = self.authority
        if not old or (authority.epoch, authority.monotonic_us) >= (old.epoch, old.monotonic_us):
            self.authority = authority

    async def watch(self, track):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.pictures.append((frame.pts, frame.width, frame.height, read_timecode(frame)))
            self.changed.set()

    async def answer(self, sdp):
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        self.commands = self.peer.createDataChannel("command", ordered=False, maxPacketLifeTime=100)
        self.requests = self.peer.createDataChannel("requests")
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        return self.peer.localDescription.sdp

    async def command(self):
        """Commands at 50 Hz, each datagram with the last four inputs, and a clock ping in every tenth."""
        while True:
            await asyncio.sleep(0.02)
            if getattr(self, "commands", None) is None or self.commands.readyState != "open":
                continue
            now = time.monotonic_ns() // 1000
            self.sequence += 1
            epoch = self.authority.epoch if self.authority else 0
            self.sent = self.sent[-3:] + [self.messages["OperatorInput"](
                sequence=self.sequence, epoch=epoch, seat_us=now, deadman=self.deadman, action=self.action)]
            datagram = self.messages["CommandDatagram"](seat_id=SEAT, inputs=self.sent)
            if self.sequence % 10 == 0:
                datagram.ping.t1_us = now
            self.commands.send(datagram.SerializeToString())

    async def ask(self, **request):
        self.request_id += 1
        request = self.messages["SeatRequest"](id=self.request_id, seat_id=SEAT, **request)
        self.requests.send(request.SerializeToString())
        await self.until("an answer", lambda: request.id in self.responses)
        return self.responses[request.id]

    async def until(self, what, holds):
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not holds():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise AssertionError(f"{what}: not within {TIMEOUT_S} s; authority {self.authority}") from None


async def signalling(seat, socket, vehicle):
    """Calls the vehicle and exchanges descriptions and candidates until the session ends."""
    session = f"{SEAT}-{time.time_ns()}"
    await socket.send(json.dumps({"type": "call", "session": session, "seat": SEAT, "vehicle": vehicle}))
    waiting, ready = [], False
    async for text in socket:
        signal = json.loads(text)
        kind = signal["type"]
        if kind == "offer":
            sdp = await seat.answer(signal["sdp"])
            await socket.send(json.dumps({"type": "answer", "session": session, "sdp": sdp}))
            ready = True
        elif kind == "candidate" and signal["candidate"]:
            candidate = candidate_from_sdp(signal["candidate"].removeprefix("candidate:"))
            candidate.sdpMLineIndex = signal.get("sdp_mline_index") or 0
            waiting.append(candidate)
        elif kind in ("error", "bye"):
            raise AssertionError(f"{kind}: {signal}")
        while ready and waiting:
            await seat.peer.addIceCandidate(waiting.pop(0))


async def session(seat):
    await seat.until("thirty pictures and states", lambda: len(seat.pictures) >= 30 and seat.states >= 30 and seat.hello and seat.pong)
    pong, t4 = seat.pong
    refused = await seat.ask(hand_back={"mode": 2})
    assert not refused.accepted and refused.reason == 18, f"nothing to hand back: {refused}"
    # Granted once the vehicle's self-check is over; the first valid command takes the wheel.
    while not (response := await seat.ask(takeover={"cause": 5})).accepted:
        assert response.reason == 17, f"refused for another reason than the self-check: {response}"
        await asyncio.sleep(0.3)
    seat.deadman, seat.action = True, [2.0, 0.0]
    await seat.until("authority", lambda: seat.authority.author == 2 and seat.authority.seat_id == SEAT)
    await seat.until("speed", lambda: seat.state.observation[0] > 2.0)
    handed = await seat.ask(hand_back={"mode": 2})
    seat.deadman, seat.action = False, []
    assert handed.accepted, handed
    await seat.until("the policy at the wheel", lambda: seat.authority.author == 1)
    await seat.until("both ends of the takeover", lambda: len(seat.takeovers) >= 2)
    return {
        "vehicle": seat.hello.vehicle_id,
        "states": seat.states,
        "pictures": [{"pts": p, "width": w, "height": h, "timecode": c} for p, w, h, c in seat.pictures],
        "newest_state_us": seat.state.monotonic_us,
        "round_trip_us": (t4 - pong.t1_us) - (pong.t3_us - pong.t2_us),
        "takeover": {"seat": seat.takeovers[-1].seat_id, "lasted_us": seat.takeovers[-1].end_us - seat.takeovers[-1].start_us},
    }


async def main(address, vehicle, descriptors):
    seat = Seat(load_messages(descriptors))
    url = f"{address.replace('http', 'ws', 1)}/api/v1/signal?seat={SEAT}"
    async with websockets.connect(url) as socket:
        tasks = [asyncio.ensure_future(t) for t in (signalling(seat, socket, vehicle), seat.command(), session(seat))]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        found = [task.result() for task in done][0]
        await seat.peer.close()
    assert found, "signalling ended before the session"
    print(json.dumps(found))


asyncio.run(main(*sys.argv[1:]))
