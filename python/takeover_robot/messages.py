"""The protocol's messages, made at run time from its descriptors, which belong to the bridge's own sources."""

from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def _pool() -> descriptor_pool.DescriptorPool:
    data = resources.files(__package__).joinpath("robot_adapter.binpb").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    # Each file comes after those that it imports.
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.Add(file)
    return pool


_POOL = _pool()


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"takeover.v1.{name}"))


FromRobot = _message("FromRobot")
ToRobot = _message("ToRobot")
BYE_REASONS = _POOL.FindEnumTypeByName("takeover.v1.RobotByeReason").values_by_number
FORMATS = {
    name: _POOL.FindEnumTypeByName("takeover.v1.PictureFormat").values_by_name[f"PICTURE_FORMAT_{name.upper()}"].number
    for name in ("rgb8", "i420", "h264")
}
