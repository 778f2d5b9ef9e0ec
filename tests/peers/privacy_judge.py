"""Outside judge of a redaction: compares two episode files, their cameras decoded by PyAV.

    python privacy_judge.py BEFORE.mcap AFTER.mcap TRUTH.json

In every picture, where face and plate are next to nothing of their detail may be left; far from them the picture must be
the same but for what coding costs; all other messages must be equal.
"""

import json
import sys

import av
import numpy as np
from mcap.reader import SeekingReader
from mcap_protobuf.decoder import DecoderFactory


def read(path):
    messages, pictures = [], []
    with open(path, "rb") as stream:
        reader = SeekingReader(stream, validate_crcs=True, decoder_factories=[DecoderFactory()])
        decoder = av.CodecContext.create("h264", "r")
        for schema, channel, message, content in reader.iter_decoded_messages():
            key = (channel.topic, message.sequence, message.log_time, message.publish_time)
            if schema.name != "foxglove.CompressedVideo":
                messages.append((*key, message.data))
                continue
            messages.append(key)
            pictures += [f.to_ndarray(format="gray") for f in decoder.decode(av.Packet(content.data))]
        pictures += [f.to_ndarray(format="gray") for f in decoder.decode(None)]
        records = {record.name: record.metadata for record in reader.iter_metadata()}
        files = [(a.name, a.media_type, a.data) for a in reader.iter_attachments()]
    return messages, pictures, records, files


def detail(picture, box):
    """Mean difference of neighbours: what is left of strokes, brows and lips."""
    left, top, right, bottom = map(round, box)
    part = picture[top:bottom, left:right].astype(float)
    return (np.abs(np.diff(part, axis=0)).mean() + np.abs(np.diff(part, axis=1)).mean()) / 2


def main(before, after, truth):
    (told, shown, records, files), (told_after, shown_after, records_after, files_after) = read(before), read(after)
    assert told == told_after, "messages differ"
    assert files == files_after, "attachments differ"
    changed = {"privacy", "episode_begun"}
    assert {k: v for k, v in records.items() if k not in changed} == \
        {k: v for k, v in records_after.items() if k not in changed}, "metadata differ"
    assert "source_sha256" in records_after["privacy"], records_after["privacy"]
    places = json.load(open(truth))
    assert len(shown) == len(shown_after) == len(places), (len(shown), len(shown_after), len(places))
    left_over = {}
    for number, (was, now, boxes) in enumerate(zip(shown, shown_after, places)):
        far = np.ones(was.shape, bool)
        for kind, (left, top, right, bottom) in boxes.items():
            share = detail(now, boxes[kind]) / detail(was, boxes[kind])
            left_over.setdefault(kind, []).append(share)
            assert share < 0.45, f"picture {number}: {share:.0%} of the detail of {kind} are left"
            # As far as the person and the car go, where the detector may take a little more.
            x, y = 2.5 * (right - left), 2.5 * (bottom - top)
            far[max(0, int(top - y)):int(bottom + y), max(0, int(left - x)):int(right + x)] = False
        error = ((was.astype(float) - now)[far] ** 2).mean()
        psnr = 10 * np.log10(255 ** 2 / max(error, 1e-9))
        left_over.setdefault("psnr", []).append(psnr)
        assert psnr > 30, f"picture {number}: {psnr:.1f} dB far from faces and plates"
    print({key: f"{min(v):.3f} to {max(v):.3f}" for key, v in left_over.items()}, records_after["privacy"])


if __name__ == "__main__":
    main(*sys.argv[1:4])
