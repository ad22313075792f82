"""Tiny JPEG files in the form of UTKFace: no face is needed, none is in the tests."""

import io

import numpy as np
from PIL import Image

SIZE = 8


# Each is (age, gender, race); the date keeps names apart.
PEOPLE = [
    (a, g, r) for a in (1, 14, 15, 24, 25, 39, 40, 59, 60, 116) for g in (0, 1) for r in range(5)
]


def name_of(labels, number):
    return "_".join(map(str, labels)) + f"_2017011{number:010d}.jpg"


def jpeg(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def random_jpeg(seed, size=SIZE):
    return jpeg(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8))


def write(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content)


def from_folder(fetch, files, **kwargs):
    write(fetch.folder, files)
    return fetch(folder=fetch.folder, **kwargs)
