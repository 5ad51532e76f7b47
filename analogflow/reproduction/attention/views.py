"""The unit sphere seen from one side: where tokens are, and the circle or the poles they gather at."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analogflow.reference.attention import Eigenspace
from analogflow.reproduction.result import Curve, Panel

__all__ = ["sphere"]

Array = NDArray[np.float64]

_CAMERA = np.array([0.6, -0.55, 0.58])
_RIGHT = np.cross([0.0, 0.0, 1.0], _CAMERA) / np.linalg.norm(np.cross([0.0, 0.0, 1.0], _CAMERA))
_UP = np.cross(_CAMERA, _RIGHT) / np.linalg.norm(_CAMERA)


def sphere(title: str, points: Array, spaces: dict[str, Eigenspace], *, label: str = "tokens") -> Panel:
    """Parallel projection of points on the sphere, shape (..., 3), with the unit vectors of named eigenspaces."""
    points = points.reshape(-1, 3)
    near = points @ _CAMERA >= 0
    angle = np.linspace(0, 2 * np.pi, 181)
    curves = [
        _seen(f"{label}, near side", points[near], "dots"),
        _seen(f"{label}, far side", points[~near], "haze"),
        Curve.of("sphere", np.cos(angle), np.sin(angle), "dotted"),
    ]
    for name, space in spaces.items():
        if space.dimension == 2:
            circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ space.basis.T
            curves.append(_seen(name, circle, "line"))
        elif space.dimension == 1:
            curves.append(_seen(name, np.array([space.basis[:, 0], -space.basis[:, 0]]), "points"))
    return Panel(title, "across (radii)", "up (radii)", tuple(curves), equal=True)


def _seen(label: str, points: ArrayLike, style: str) -> Curve:
    points = np.asarray(points, dtype=float)
    return Curve.of(label, points @ _RIGHT, points @ _UP, style)
