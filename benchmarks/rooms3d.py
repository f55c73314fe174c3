"""Rooms3D beside genuine images of Shapes3D: the fit of the scene, the distance, speed, a picture.

    python benchmarks/rooms3d.py              # distance, speed and memory; writes the results page
    python benchmarks/rooms3d.py --fit 12     # steps of the fit from a scene of round numbers

The genuine images have no labels: hues are read off their pixels, and scale, shape and orientation
are those of the nearest rendering. The fit changes one constant of the scene after another a
little, renders a third of the images, and takes a damped Gauss-Newton step on a robust distance.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
from common import RESULTS, ROOT, SHARED, parser, table

from untwine.data.room_scene import Scene
from untwine.data.rooms3d import _LEVELS, SHAPES, Rooms3D, Templates

ROUND = Scene(
    height=1.5,
    pitch=0.0146,
    focal=68.62,
    half_room=7.0,
    wall=4.0,
    box=0.7,
    sphere=0.85,
    cylinder=(0.75, 0.75),
    capsule=(0.65, 0.65),
    lamp=(-3.0, 1.0, 15.0),
    aim=(-3.0, 1.0),
    room=(0.33, 0.34, 0.59, 0.96),
    object_light=(0.35, 0.6, 1.0),
    gloss=0.142,
)


def genuine() -> np.ndarray:
    """The images, (50, 64, 64, 3) of float64."""
    with np.load(SHARED / "shapes3d_notebook50.npz") as archive:
        return archive["images"].astype(np.float64)


def hue(pixels: np.ndarray) -> int:
    """The hue of most pixels, without the white that a lamp adds."""
    colors = pixels.reshape(-1, 3) - pixels.reshape(-1, 3).min(axis=1, keepdims=True)
    norms = np.linalg.norm(colors, axis=1)
    likeness = colors[norms > 60] @ (_LEVELS / np.linalg.norm(_LEVELS, axis=1, keepdims=True)).T
    return int(np.bincount(likeness.argmax(axis=1), minlength=10).argmax())


def label(image: np.ndarray, templates: Templates) -> np.ndarray:
    """The factors of the nearest rendering."""
    hues = hue(image[60:, :8]), hue(image[20:30, :5]), hue(image[40:48, 30:34])
    factors = np.array([(*hues, s, f, o) for s in range(8) for f in range(4) for o in range(15)])
    rendered = templates.images(factors).transpose(0, 2, 3, 1)
    return factors[((rendered - image) ** 2).mean(axis=(1, 2, 3)).argmin()]


def render(templates: Templates, factors: np.ndarray) -> np.ndarray:
    return templates.images(factors).transpose(0, 2, 3, 1).astype(np.float64)


def psnr(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each pair of images, in dB."""
    return 10 * np.log10(255**2 / ((one - other) ** 2).mean(axis=(1, 2, 3)))


# The fit


def flat(scene: Scene) -> np.ndarray:
    return np.array([v for f in fields(scene) for v in np.ravel(getattr(scene, f.name))])


def unflat(values: np.ndarray) -> Scene:
    changes: dict[str, Any] = {}
    place = 0
    for field in fields(Scene):
        size = np.size(getattr(ROUND, field.name))
        part = [float(v) for v in values[place : place + size]]
        changes[field.name] = part[0] if size == 1 else tuple(part)
        place += size
    return replace(ROUND, **changes)


def fit(images: np.ndarray, steps: int) -> Scene:
    values = flat(ROUND)
    nudges = np.maximum(np.abs(values) * 0.006, 0.004)
    free = [k for k in range(len(values)) if k != 0]  # the distance is the unit
    start = Templates(ROUND)
    factors = np.stack([label(image, start) for image in images])
    for step in range(steps):
        rows = np.arange(step % 3, len(images), 3)
        goal = images[rows]
        base = render(Templates(unflat(values)), factors[rows])
        jacobian = []
        for k in free:
            moved = values.copy()
            moved[k] += nudges[k]
            change = render(Templates(unflat(moved)), factors[rows]) - base
            jacobian.append(change.ravel())
        slopes = np.stack(jacobian)
        error = (goal - base).ravel()
        weights = 1 / np.sqrt(1 + (error / 30) ** 2)
        normal = (slopes * weights) @ slopes.T
        normal += 0.01 * np.diag(np.diag(normal) + 1e-4 * np.diag(normal).max())
        move = np.clip(np.linalg.solve(normal, (slopes * weights) @ error), -6, 6)
        tried = values.copy()
        tried[free] += move * nudges[free]
        after = render(Templates(unflat(tried)), factors[rows])
        before, now = np.median(psnr(base, goal)), np.median(psnr(after, goal))
        if now > before - 0.3:
            values = tried
        print(f"step {step}: {before:.2f} dB -> {now:.2f} dB", flush=True)
    print(asdict(unflat(values)))
    return unflat(values)


# The page


def main() -> None:
    options = parser(__doc__ or "", out=RESULTS / "rooms3d.md")
    options.add_argument("--fit", type=int, default=0, help="steps of the fit")
    arguments = options.parse_args()
    images = genuine()
    if arguments.fit:
        fit(images, arguments.fit)
        return
    start = time.process_time()
    data = Rooms3D()
    data.render()
    made = time.process_time() - start
    templates = Templates()
    factors = np.stack([label(image, templates) for image in images])
    rendered = render(templates, factors)
    distance = psnr(rendered, images)

    rng = np.random.default_rng(0)
    batches = [rng.integers(0, len(data), 64) for _ in range(200)]
    seconds, cpu = [], time.process_time()
    for rows in batches:
        start = time.perf_counter()
        data.observations(rows)
        seconds.append(time.perf_counter() - start)
    cpu = (time.process_time() - cpu) / len(batches)
    start = time.process_time()
    for first in range(0, len(data), 480):
        data.observations(np.arange(first, first + 480))
    whole = time.process_time() - start
    pixels = data.observations(np.arange(0, len(data), 9973)).mul_(255).round_().byte().numpy()
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()

    kinds = [[SHAPES[k], *_summary(distance[factors[:, 4] == k])] for k in range(4)]
    lines = [
        "# Rooms3D beside Shapes3D",
        "",
        "`python benchmarks/rooms3d.py`: 50 genuine images, peak signal-to-noise ratio of the",
        "nearest rendering (hues read off the pixels).",
        "",
        *table(["shape", "images", "median, dB", "least, dB"], kinds),
        *table(["all", *_summary(distance)])[:1],
        "",
        f"Templates: {made:.1f} s of CPU, {templates.nbytes / 1e6:.0f} MB. A random batch of 64:",
        f"{1e3 * cpu:.1f} ms of CPU, {1e3 * min(seconds):.1f} ms at best. All 480,000 images in",
        f"order: {whole:.0f} s of CPU. SHA-256 of every 9,973rd: `{digest}`.",
        "",
        "The fit, from a scene of round numbers, each step on another third of the images",
        "(`python benchmarks/rooms3d.py --fit 3`): 37.4 to 40.5 dB, 40.2 to 41.4 dB, 40.4 to 40.5",
        "dB. The constants of the scene come from more steps of the same kind.",
    ]
    arguments.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    _picture(images, rendered, np.argsort(factors[:, 4], kind="stable")[::5])


def _summary(distance: np.ndarray) -> list[str]:
    return [str(len(distance)), f"{np.median(distance):.1f}", f"{distance.min():.1f}"]


def _picture(images: np.ndarray, rendered: np.ndarray, rows: np.ndarray) -> None:
    """Ten genuine images above their renderings."""
    from PIL import Image

    strips = [np.concatenate(list(part[rows]), axis=1) for part in (images, rendered)]
    picture = np.concatenate([strips[0], np.full((4, 640, 3), 255.0), strips[1]])
    large = Image.fromarray(picture.astype(np.uint8)).resize((1280, 264), Image.Resampling.NEAREST)
    large.save(ROOT / "docs/img/rooms3d.png", optimize=True)


if __name__ == "__main__":
    main()
