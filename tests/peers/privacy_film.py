"""Draws a film of a street with a real face and a number plate that move, as raw pictures in I420, and says where both
are.

    python privacy_film.py FACE.png FILM.yuv TRUTH.json WIDTH HEIGHT PICTURES
"""

import json
import sys

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Brows to chin in the picture of the astronaut Eileen Collins (NASA, public domain), pixels.
FACE = (177, 72, 270, 165)
PLATE = (120, 26)


def street(width, height):
    rows = np.linspace(0, 1, height)[:, None]
    columns = np.linspace(0, 12, width)[None, :]
    sky = 190 - 60 * rows + 6 * np.sin(columns)
    road = 70 + 25 * rows + 5 * np.sin(9 * columns + 40 * rows)
    grey = np.where(rows < 0.45, sky, road)
    tint = np.array([0.95, 1.0, 1.05])
    return Image.fromarray(np.clip(grey[..., None] * tint, 0, 255).astype(np.uint8))


def plate():
    width, height = 4 * PLATE[0], 4 * PLATE[1]
    picture = Image.new("RGB", (width, height), (235, 235, 230))
    draw = ImageDraw.Draw(picture)
    draw.rectangle([0, 0, width - 1, height - 1], outline=(20, 20, 20), width=6)
    draw.text((width / 2, height / 2), "KRB 482", font=ImageFont.load_default(86), fill=(15, 15, 15), anchor="mm")
    return picture.resize(PLATE, Image.LANCZOS)


def main(face, film, truth, width, height, pictures):
    person = Image.open(face).convert("RGB").crop((100, 0, 400, 330))
    scale = 0.6
    person = person.resize((int(300 * scale), int(330 * scale)), Image.LANCZOS)
    left, top, right, bottom = [(side - shift) * scale for side, shift in zip(FACE, (100, 0, 100, 0))]
    sign, background, places = plate(), street(width, height), []
    with open(film, "wb") as out:
        for number in range(pictures):
            picture = background.copy()
            x, y = 30 + 3 * number, 60 + number // 2
            picture.paste(person, (x, y))
            u, v = width - 160 - 2 * number, height - 60
            ImageDraw.Draw(picture).rectangle([u - 40, v - 70, u + PLATE[0] + 40, v + 50], fill=(60, 20, 25))
            picture.paste(sign, (u, v))
            places.append({"faces": [x + left, y + top, x + right, y + bottom],
                           "plates": [u + 6, v + 4, u + PLATE[0] - 6, v + PLATE[1] - 4]})
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
            out.write(frame.to_ndarray(format="yuv420p").tobytes())
    with open(truth, "w") as out:
        json.dump(places, out)


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:7]))
