"""How many faces and number plates the built-in detector finds, and what it takes for one: prints JSON.

    python privacy_figures.py LOOK DRAW_CAMERA FOLDER [FACES [PLATES]]

LOOK and DRAW_CAMERA are the examples of those names. The pictures have 1280x720 pixels. Faces are the first of the
frontal ones that come with scikit-image (`lfw_subset`: cut tightly to 25x25 grey pixels from Labeled Faces in the Wild),
scaled and blended into streets that the simulator's camera draws; plates are drawn with several fonts, turned, shaded and
noisy, into the same streets. What is covered in photographs without people and plates, and in the streets as they are,
is covered wrongly. A face or plate counts as found when a region covers its middle and at least half of it.
"""

import json
import math
import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT = 1280, 720
FACE_PIXELS = (24, 32, 48, 72)
PLATE_PIXELS = (60, 80, 100, 140, 200)
# Photographs of scikit-image without people and plates.
OTHERS = ("brick", "coffee", "chelsea", "grass", "gravel", "coins", "clock_motion", "cell", "moon", "hubble_deep_field",
          "rocket", "horse", "motorcycle_left", "retina")
LETTERS = "ABCDEFGHJKLMNPRSTUWXYZ"


def pictures_folder():
    return pathlib.Path.home() / ".cache/takeover/pictures/skimage/data"


def streets(draw, folder):
    found = []
    for road in ("soderleden", "fabriksgatan", "e6mini"):
        for at in (20, 60, 140):
            out = pathlib.Path(folder) / f"{road}-{at}.ppm"
            subprocess.run([draw, "--road", road, "--at", str(at), "--out", out], check=True, stdout=subprocess.DEVNULL)
            found.append(np.asarray(Image.open(out).convert("L")))
    return found


def fit(picture):
    """A photograph cut and scaled to the whole picture."""
    scale = max(WIDTH / picture.width, HEIGHT / picture.height)
    picture = picture.resize((math.ceil(picture.width * scale), math.ceil(picture.height * scale)), Image.LANCZOS)
    return np.asarray(picture.convert("L").crop((0, 0, WIDTH, HEIGHT)))


def blend(street, patch, mask, x, y):
    """A patch laid over a street, softly at its edge."""
    height, width = patch.shape
    below = street[y:y + height, x:x + width].astype(float)
    street[y:y + height, x:x + width] = np.clip(below + mask * (patch - below), 0, 255).astype(np.uint8)
    return (x, y, width, height)


def face(pixels, of):
    patch = Image.fromarray((255 * of).astype(np.uint8)).resize((pixels, pixels), Image.BICUBIC)
    # An oval: around the face there is street, not the photograph's border.
    rows, columns = np.mgrid[-1:1:pixels * 1j, -1:1:pixels * 1j]
    mask = np.clip(6 * (1.25 - np.hypot(0.8 * rows, columns)), 0, 1)
    return np.asarray(patch).astype(float), mask


def fonts():
    places = [pathlib.Path("/usr/share/fonts"), pathlib.Path("/usr/local/share/fonts")]
    found = sorted(path for place in places if place.exists() for path in place.rglob("*.ttf"))
    wanted = [path for path in found if any(word in path.name for word in ("Sans-Bold", "SansMono-Bold", "Sans.", "Mono"))]
    return [lambda size, path=path: ImageFont.truetype(str(path), size) for path in wanted[:4]] + [ImageFont.load_default]


def plate(pixels, random, all_fonts):
    """A plate `pixels` wide on grey, and the mask of what of it counts."""
    wide, high = 4 * pixels, 4 * round(pixels / 4.6)
    light = int(random.integers(190, 246))
    sign = Image.new("L", (wide, high), light)
    draw = ImageDraw.Draw(sign)
    draw.rectangle([0, 0, wide - 1, high - 1], outline=25, width=max(2, wide // 60))
    text = "".join(random.choice(list(LETTERS), 3)) + " " + "".join(random.choice(list("0123456789"), 3))
    font = all_fonts[int(random.integers(len(all_fonts)))](int(0.72 * high))
    draw.text((wide / 2, high / 2), text, font=font, fill=int(random.integers(5, 60)), anchor="mm")
    # Seen from the side: shorter, and then sloping.
    turned, slope = math.radians(random.uniform(-40, 40)), math.radians(random.uniform(-6, 6))
    sign = sign.resize((max(8, int(wide * math.cos(turned))), high), Image.LANCZOS)
    mask = Image.new("L", sign.size, 255).rotate(math.degrees(slope), expand=True)
    sign = sign.rotate(math.degrees(slope), expand=True, fillcolor=light, resample=Image.BICUBIC)
    small = (max(4, sign.width // 4), max(4, sign.height // 4))
    shade = np.linspace(random.uniform(0.6, 1), random.uniform(0.6, 1), small[0])[None, :]
    pixels = np.asarray(sign.resize(small, Image.LANCZOS).filter(ImageFilter.GaussianBlur(0.5))).astype(float) * shade
    pixels += random.normal(0, 4, pixels.shape)
    return pixels, np.asarray(mask.resize(small, Image.BILINEAR)) / 255.0


def look(program, shown):
    """What the detector sees in each picture, and the mean time of a look, milliseconds."""
    data = b"".join(np.ascontiguousarray(picture).tobytes() for picture in shown)
    done = subprocess.run([program, str(WIDTH), str(HEIGHT)], input=data, check=True, stdout=subprocess.PIPE)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(shown), (len(answers), len(shown))
    return [answer["regions"] for answer in answers], sum(answer["ms"] for answer in answers) / max(1, len(answers))


def is_found(regions, kind, box):
    x, y, width, height = box
    for name, left, top, wide, high, _ in regions:
        right, bottom = left + wide, top + high
        middle = left <= x + width / 2 <= right and top <= y + height / 2 <= bottom
        common = max(0, min(right, x + width) - max(left, x)) * max(0, min(bottom, y + height) - max(top, y))
        if name == kind and middle and common >= 0.5 * width * height:
            return True
    return False


def main(program, draw, folder, faces=100, plates=60):
    data = pictures_folder()
    random = np.random.default_rng(7)
    known = np.load(data / "lfw_subset.npy")[:faces]
    backgrounds, all_fonts = streets(draw, folder), fonts()
    result = {"faces": [], "plates": [], "fonts": len(all_fonts)}
    times = []
    for kind, sizes, count in (("faces", FACE_PIXELS, len(known)), ("plates", PLATE_PIXELS, plates)):
        for pixels in sizes:
            shown, boxes = [], []
            for number in range(count):
                street = backgrounds[number % len(backgrounds)].copy()
                patch, mask = face(pixels, known[number]) if kind == "faces" else plate(pixels, random, all_fonts)
                x = int(random.integers(20, WIDTH - patch.shape[1] - 20))
                y = int(random.integers(HEIGHT // 4, HEIGHT - patch.shape[0] - 20))
                boxes.append(blend(street, patch, mask, x, y))
                shown.append(street)
            regions, took = look(program, shown)
            times.append(took)
            found = sum(is_found(seen, kind, box) for seen, box in zip(regions, boxes))
            result[kind].append({"pixels": pixels, "shown": count, "found": found})
    photographs = [path for name in OTHERS for path in sorted(data.glob(f"{name}.*")) if path.suffix in (".png", ".jpg")]
    # Few faces to look for, few pictures to see them in wrongly: to try whether it runs.
    others = [fit(Image.open(path)) for path in photographs[:faces]]
    for name, shown in (("photographs", others), ("streets", backgrounds[:faces])):
        regions, _ = look(program, shown)
        count = {kind: sum(kind == region[0] for seen in regions for region in seen) for kind in ("faces", "plates")}
        result[f"wrong_in_{name}"] = {"pictures": len(shown), **count}
    result["look_ms"] = round(sum(times) / len(times), 2)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:6]))
