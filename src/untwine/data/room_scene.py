r"""Ray caster of a room with one object: where each ray ends, and how light it is there.

Every step is one operation of IEEE arithmetic on arrays of float64 (no fused ones, no library
function but the square root), so that all machines cast the same rays to the same places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..spec import Recorded

__all__ = ["FLOOR", "OBJECT", "SKY", "WALL", "Layers", "Scene", "cast"]

SKY, FLOOR, WALL, OBJECT = range(4)
"""Where a ray ends."""

SIZE = 192
"""Rays along each side: three for each of 64 pixels."""

_Vector = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Scene(Recorded):
    """What the room is like, fitted to genuine images of Shapes3D (``benchmarks/rooms3d.py``).

    The origin is on the floor under the object, z points up; lengths are in the unit in which the
    camera is 5 away. Lights are shares of the full color.

    Args:
        distance: Of the camera from the axis through the object.
        height: Of the camera.
        pitch: How far the camera looks down, in radians.
        focal: Length, in pixels of the final image of 64.
        half_room: From the axis to each wall.
        wall: Height of the walls.
        box: Half a side of the box of scale 1.
        sphere: Radius of the sphere.
        cylinder: Radius and half the height of the cylinder.
        capsule: Radius of the capsule, and half the height of its straight part.
        lamp: Where the lamp is.
        aim: The point of the floor at which it shines.
        room: Light of floor and walls: of the floor everywhere, of walls everywhere, from the
            camera, and from the lamp.
        object_light: Light of the object: everywhere, from the camera, and from the lamp.
        gloss: White that the lamp adds to the object.
    """

    distance: float = 5.0
    height: float = 1.50636
    pitch: float = 0.014555
    focal: float = 68.6025
    half_room: float = 7.0059
    wall: float = 3.99895
    box: float = 0.70299
    sphere: float = 0.8504
    cylinder: tuple[float, float] = (0.74982, 0.7521)
    capsule: tuple[float, float] = (0.64893, 0.65098)
    lamp: tuple[float, float, float] = (-3.05942, 1.0472, 15.37976)
    aim: tuple[float, float] = (-3.07941, 0.89657)
    room: tuple[float, float, float, float] = (0.32917, 0.34101, 0.58975, 0.96356)
    object_light: tuple[float, float, float] = (0.3437, 0.60676, 1.01077)
    gloss: float = 0.14206


@dataclass(frozen=True)
class Layers:
    """An image before it is colored.

    Attributes:
        region: Where each ray ends, ``(192, 192)``.
        light: What the color of that place is multiplied by.
        gloss: The white that is added.
    """

    region: np.ndarray
    light: np.ndarray
    gloss: np.ndarray


def cast(scene: Scene, shape: int, scale: float, orientation: float) -> Layers:
    """Casts all rays of an image.

    Args:
        scene: The room.
        shape: 0 to 3: box, cylinder, sphere, capsule.
        scale: Of the object.
        orientation: Of the camera around the object, in degrees.
    """
    cos, sin = _cos_sin(math.radians(orientation))
    down, below = _cos_sin(scene.pitch)
    pixel = ((np.arange(SIZE) + 0.5) * (64 / SIZE) - 32) / scene.focal
    across, v = np.meshgrid(pixel, pixel)
    ahead = down - v * below
    ray = (cos * across + sin * ahead, cos * ahead - sin * across, -(below + v * down))
    start = (-sin * scene.distance, -cos * scene.distance, scene.height)

    region, t, normal = _room(scene, start, ray)
    window = np.s_[9:180, 36:156]  # no object reaches further
    inside = (ray[0][window], ray[1][window], ray[2][window])
    t_object, normal_object = _hit(scene, shape, scale, start, inside)
    nearer = t_object < t[window]
    t[window] = np.where(nearer, t_object, t[window])
    region[window] = np.where(nearer, OBJECT, region[window])
    for axis, of_object in zip(normal, normal_object, strict=True):
        axis[window] = np.where(nearer, of_object, axis[window])

    place = tuple(o + t * d for o, d in zip(start, ray, strict=True))
    lamp, spot = _lamp(scene, place)
    toward = normal[0] * lamp[0] + normal[1] * lamp[1] + normal[2] * lamp[2]
    lit = np.maximum(toward, 0) * spot
    floor = region == FLOOR
    on_floor = (place[0][floor], place[1][floor], place[2][floor])
    to_lamp = (lamp[0][floor], lamp[1][floor], lamp[2][floor])
    shadow, _ = _hit(scene, shape, scale, on_floor, to_lamp)
    lit[floor] = np.where(np.isfinite(shadow), 0, lit[floor])

    head = -(normal[0] * (sin * down) + normal[1] * (cos * down) - normal[2] * below)
    head = np.maximum(head, 0)
    base_floor, base_wall, from_head, from_lamp = scene.room
    ambient, head_share, lamp_share = scene.object_light
    base = np.where(floor, base_floor, base_wall)
    is_object = region == OBJECT
    light = np.where(
        is_object,
        ambient + head_share * head + lamp_share * lit,
        base + from_head * head + from_lamp * lit,
    )
    gloss = np.where(is_object & (toward > 0), scene.gloss * spot, 0.0)
    return Layers(region, light, gloss)


def _cos_sin(angle: float) -> tuple[float, float]:
    """Both rounded, since libraries differ in the last digit."""
    return round(math.cos(angle), 12), round(math.sin(angle), 12)


def _room(
    scene: Scene, start: Sequence[float], ray: _Vector
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Region, distance and normal of floor, walls and sky."""
    x, y, z = ray
    far = np.full(x.shape, 1e9)
    with np.errstate(divide="ignore"):
        distances = np.stack(
            [
                np.where(z < 0, -start[2] / z, far),
                np.where(y > 0, (scene.half_room - start[1]) / y, far),
                np.where(x > 0, (scene.half_room - start[0]) / x, far),
                np.where(x < 0, (-scene.half_room - start[0]) / x, far),
            ]
        )
    surface, t = distances.argmin(axis=0), distances.min(axis=0)
    above = start[2] + t * z > scene.wall
    region = np.where(surface == 0, FLOOR, np.where(above, SKY, WALL)).astype(np.int8)
    normal = [
        np.where(surface == 3, 1.0, np.where(surface == 2, -1.0, 0.0)),
        np.where(surface == 1, -1.0, 0.0),
        np.where(surface == 0, 1.0, 0.0),
    ]
    return region, t, normal


def _lamp(scene: Scene, place: Sequence[np.ndarray]) -> tuple[_Vector, np.ndarray]:
    """The direction from each place to the lamp, and how much of the spotlight gets there."""
    x, y, z = (lamp - p for lamp, p in zip(scene.lamp, place, strict=True))
    length = np.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    axis = (scene.lamp[0] - scene.aim[0], scene.lamp[1] - scene.aim[1], scene.lamp[2])
    norm = math.sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2])
    cosine = np.maximum((x * axis[0] + y * axis[1] + z * axis[2]) / norm, 0)
    two = cosine * cosine
    four = two * two
    return (x, y, z), four * four * two  # the tenth power


def _hit(
    scene: Scene, shape: int, scale: float, start: Sequence[float | np.ndarray], ray: _Vector
) -> tuple[np.ndarray, _Vector]:
    """Distance (infinite for those that miss) and normal where rays meet the object."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if shape == 0:
            return _box(scene.box * scale, start, ray)
        if shape == 2:
            return _ball(scene.sphere * scale, scene.sphere * scale, start, ray)
        radius, half = scene.cylinder if shape == 1 else scene.capsule
        radius, half = radius * scale, half * scale
        middle = half if shape == 1 else half + radius
        t, normal = _tube(radius, half, middle, start, ray)
        if shape == 1:
            t_lid, lid = _lid(radius, 2 * half, start, ray)
            return _nearest((t, normal), (t_lid, lid))
        for center in (radius, 2 * half + radius):
            t_ball, ball = _ball(radius, center, start, ray)
            t, normal = _nearest((t, normal), (t_ball, ball))
        return t, normal


def _nearest(
    a: tuple[np.ndarray, _Vector], b: tuple[np.ndarray, _Vector]
) -> tuple[np.ndarray, _Vector]:
    nearer = b[0] < a[0]
    t = np.where(nearer, b[0], a[0])
    x, y, z = (np.where(nearer, v, u) for u, v in zip(a[1], b[1], strict=True))
    return t, (x, y, z)


def _box(
    half: float, start: Sequence[float | np.ndarray], ray: _Vector
) -> tuple[np.ndarray, _Vector]:
    enter = np.full(ray[0].shape, -np.inf)
    leave = np.full(ray[0].shape, np.inf)
    side = np.zeros(ray[0].shape, np.int8)
    for axis, (o, d) in enumerate(zip(start, ray, strict=True)):
        center = half if axis == 2 else 0.0
        near, far = (center - half - o) / d, (center + half - o) / d
        low, high = np.minimum(near, far), np.maximum(near, far)
        side = np.where(low > enter, axis, side)
        enter, leave = np.maximum(enter, low), np.minimum(leave, high)
    t = np.where((enter < leave) & (enter > 1e-9), enter, np.inf)
    x, y, z = (np.where(side == axis, -np.sign(d), 0.0) for axis, d in enumerate(ray))
    return t, (x, y, z)


def _ball(
    radius: float, center: float, start: Sequence[float | np.ndarray], ray: _Vector
) -> tuple[np.ndarray, _Vector]:
    x, y, z = ray
    ox, oy, oz = start[0], start[1], start[2] - center
    a = x * x + y * y + z * z
    b = ox * x + oy * y + oz * z
    c = ox * ox + oy * oy + oz * oz - radius * radius
    root = b * b - a * c
    t = (-b - np.sqrt(np.maximum(root, 0))) / a
    meets = (root > 0) & (t > 1e-9)
    at = np.where(meets, t, 0.0)
    normal = (ox + at * x) / radius, (oy + at * y) / radius, (oz + at * z) / radius
    return np.where(meets, t, np.inf), normal


def _tube(
    radius: float,
    half: float,
    middle: float,
    start: Sequence[float | np.ndarray],
    ray: _Vector,
) -> tuple[np.ndarray, _Vector]:
    x, y, z = ray
    ox, oy, oz = start[0], start[1], start[2] - middle
    a = x * x + y * y
    b = ox * x + oy * y
    root = b * b - a * (ox * ox + oy * oy - radius * radius)
    t = (-b - np.sqrt(np.maximum(root, 0))) / a
    meets = (root > 0) & (t > 1e-9) & (np.abs(oz + t * z) <= half)
    at = np.where(meets, t, 0.0)
    normal = (ox + at * x) / radius, (oy + at * y) / radius, np.zeros_like(t)
    return np.where(meets, t, np.inf), normal


def _lid(
    radius: float, top: float, start: Sequence[float | np.ndarray], ray: _Vector
) -> tuple[np.ndarray, _Vector]:
    x, y, z = ray
    t = (top - start[2]) / z
    u, v = start[0] + t * x, start[1] + t * y
    meets = (t > 1e-9) & (u * u + v * v <= radius * radius)
    zero = np.zeros_like(t)
    return np.where(meets, t, np.inf), (zero, zero, np.ones_like(t))
