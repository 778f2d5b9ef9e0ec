"""Outside judge of episode files: opens each with the indexed reader of the `mcap` package, checks every checksum and
count that the format has, decodes every message with the schema in the file, and with --video decodes every picture.

    python judge.py [--video] FILE.mcap...
"""

import sys
from collections import Counter

from mcap.reader import NonSeekingReader, SeekingReader
from mcap_protobuf.decoder import DecoderFactory


def judge(path, video):
    with open(path, "rb") as stream:
        reader = SeekingReader(stream, validate_crcs=True, decoder_factories=[DecoderFactory()])
        header, summary = reader.get_header(), reader.get_summary()
        assert header.profile == "" and header.library.startswith("takeover "), header
        counts, last, pictures = Counter(), 0, {}
        for schema, channel, message, content in reader.iter_decoded_messages():
            assert schema.encoding == "protobuf" and channel.message_encoding == "protobuf", channel
            assert content.DESCRIPTOR.full_name == schema.name, (content.DESCRIPTOR.full_name, schema.name)
            assert message.log_time >= last, (message.log_time, last)
            last = message.log_time
            counts[channel.id] += 1
            if schema.name == "foxglove.CompressedVideo":
                pictures.setdefault(channel.topic, []).append(content.data)
        statistics = summary.statistics
        assert dict(counts) == {k: v for k, v in statistics.channel_message_counts.items() if v}, counts
        assert sum(counts.values()) == statistics.message_count
        assert len(summary.chunk_indexes) == statistics.chunk_count
        metadata = {record.name: record.metadata for record in reader.iter_metadata()}
        assert {"episode", "episode_begun", "clock", "software", "stvfernlv_annex_3"} <= set(metadata), metadata.keys()
        attachments = [attachment.name for attachment in reader.iter_attachments()]
        spans = [index.message_end_time - index.message_start_time for index in summary.chunk_indexes]
        assert max(spans, default=0) <= 200_000_000, max(spans)
    with open(path, "rb") as stream:
        linear = NonSeekingReader(stream, validate_crcs=True)
        assert sum(1 for _ in linear.iter_messages(log_time_order=False)) == statistics.message_count
    if video:
        for topic, units in pictures.items():
            decode_video(topic, units)
    episode = metadata["episode"]
    print(f"{path}: {statistics.message_count} messages, {len(counts)} topics, {statistics.chunk_count} chunks, "
          f"attachments {attachments}, id {episode['id']}, recovered {episode['recovered']}")


def decode_video(topic, units):
    import av

    decoder = av.CodecContext.create("h264", "r")
    shown = 0
    for unit in units:
        shown += len(decoder.decode(av.Packet(unit)))
    shown += len(decoder.decode(None))
    assert shown == len(units), f"{topic}: {shown} of {len(units)} pictures"


if __name__ == "__main__":
    files = [argument for argument in sys.argv[1:] if argument != "--video"]
    assert files, __doc__
    for file in files:
        judge(file, "--video" in sys.argv)
