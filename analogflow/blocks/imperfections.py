"""What is wrong with real blocks: one record of nine effects, and the stage at a block's output where most of them act."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from analogflow.blocks.block import Array, Block, Derivative, Diagonal, shown
from analogflow.checks import is_finite, is_positive, refuse_faults, refuse_unknown
from analogflow.errors import BadInput

__all__ = ["EFFECTS", "NOMINAL_KELVIN", "Imperfections", "OutputStage", "refuse_renamed"]

NOMINAL_KELVIN = 300.15
"""Kelvin: where logarithms, exponentials and softmaxes have a scale of 1."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Imperfections:
    """Imperfections of every block, in machine units (1 V in the ideal technology); the defaults are ideal.

    Parameters
    ----------
    gain_error : float
        Relative σ of the gain of every output.
    offset : float
        σ of the offset of every output, machine units; of an integrator, at its input.
    bandwidth : float
        Hz: single pole at every output but an integrator's.
    noise_density : float
        White noise of every output, machine units per √Hz, one-sided; of an integrator, at its input.
    saturation : float
        Machine units: outputs are limited to ± this; an integrator is clamped there.
    dc_gain : float
        Gain of an integrator at zero frequency; the reciprocal of its leak per τ.
    resolution : float
        Bits to which the coefficients of a block are rounded, relative to its largest.
    mismatch : float
        Relative σ of every coefficient, reference, emitter area of a softmax, and integrating capacitor.
    temperature_kelvin : float
        Junctions scale with it: ln is multiplied by T/300.15, arguments of exp, tanh and softmax by 300.15/T.

    Raises
    ------
    BadInput
        With every value that is out of range.

    Notes
    -----
    Deviations with a σ are Gaussian, drawn once for each sample, coefficient and output from the seed.
    """

    gain_error: float = 0.0
    offset: float = 0.0
    bandwidth: float = math.inf
    noise_density: float = 0.0
    saturation: float = math.inf
    dc_gain: float = math.inf
    resolution: float = math.inf
    mismatch: float = 0.0
    temperature_kelvin: float = NOMINAL_KELVIN

    def __post_init__(self) -> None:
        faults = []
        for name, (allowed, sentence) in _RANGES.items():
            value = getattr(self, name)
            if not (is_finite(value) or is_positive(value, finite=False)) or not allowed(float(value)):
                faults.append(f"{name} is {value!r}, but must be {sentence}")
        refuse_faults("imperfections", faults)

    @classmethod
    def from_mapping(cls, values: Mapping[str, float]) -> Imperfections:
        """Imperfections by name; an unknown name is refused."""
        for name in values:
            refuse_renamed(name, "imperfections")
            refuse_unknown(name, _RANGES, "imperfections:")
        return cls(**values)

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> Imperfections:
        """Imperfections as people write them, each ``name=number``; none may be given twice."""
        values: dict[str, float] = {}
        for text in texts:
            name, _, number = text.partition("=")
            name = name.strip().replace("-", "_")
            try:
                value = float(number)
            except ValueError:
                raise BadInput(f"imperfection {text!r}: give NAME=NUMBER, such as offset=1e-3.") from None
            if name in values:
                raise BadInput(f"imperfection {text!r}: {name} is given twice; give it once.")
            values[name] = value
        return cls.from_mapping(values)

    @property
    def effects(self) -> tuple[str, ...]:
        """Names of the effects that are on."""
        return tuple(field.name for field in dataclasses.fields(self) if getattr(self, field.name) != field.default)

    @property
    def deviates(self) -> bool:
        """Whether blocks have deviations of their own, drawn once for each sample."""
        return bool(self.gain_error or self.offset or self.mismatch)

    @property
    def random(self) -> bool:
        """Whether samples differ: blocks deviate, or play noise."""
        return self.deviates or self.noise_density > 0

    def only(self, *effects: str) -> Imperfections:
        """These effects as they are, and all others ideal."""
        return Imperfections.from_mapping({name: getattr(self, name) for name in effects})

    def without(self, *effects: str) -> Imperfections:
        """All effects but these."""
        return self.only(*(name for name in self.effects if name not in effects))

    def __str__(self) -> str:
        return ", ".join(f"{name} {getattr(self, name):g}" for name in self.effects) or "ideal"


_RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    "gain_error": (lambda x: 0 <= x <= 0.3, "a relative σ from 0 to 0.3"),
    "offset": (lambda x: 0 <= x < math.inf, "a σ of 0 machine units or more"),
    "bandwidth": (lambda x: x > 0, "a positive number of Hz"),
    "noise_density": (lambda x: 0 <= x <= 1e100, "from 0 to 1e100 machine units per √Hz"),
    "saturation": (lambda x: x > 0, "a positive number of machine units"),
    "dc_gain": (lambda x: x > 1, "a gain at zero frequency above 1"),
    "resolution": (lambda x: 1 <= x <= 52 or x == math.inf, "from 1 to 52 bits"),
    "mismatch": (lambda x: 0 <= x <= 0.3, "a relative σ from 0 to 0.3"),
    "temperature_kelvin": (lambda x: 100 <= x <= 1000, "from 100 to 1000 kelvin"),
}

EFFECTS: tuple[str, ...] = tuple(_RANGES)
"""Names of all effects."""

_RENAMED = {"leak": "dc_gain", "temperature": "temperature_kelvin"}


def refuse_renamed(name: str, what: str) -> None:
    """Raise `BadInput` on a name that an effect had in files and command lines of before."""
    if name in _RENAMED:
        raise BadInput(f"{what}: {name!r} is called {_RENAMED[name]!r} now; write that.")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class OutputStage(Block):
    """y_i = clip(g_i x_i + o_i + n_i, −L, L): gain error, offset, noise and saturation of the block that drives x.

    ``gain`` g and ``offset`` o have shape (size,) or (samples, size); ``limit`` is L. The noise n is a port like x.
    """

    ports: ClassVar = ("x", "noise")
    gain: Array
    offset: Array
    limit: float = np.inf

    def relation(self, *inputs: Array) -> Array:
        """Scaled, shifted, noisy and limited input."""
        x, noise = inputs
        y = self.gain * x + self.offset + noise
        return y if self.limit == np.inf else np.clip(y, -self.limit, self.limit)

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """The gain, and 1 for the noise; both 0 where the output is limited."""
        x, noise = inputs
        y = self.gain * x + self.offset + noise
        free = np.where(abs(y) < self.limit, 1.0, 0.0)
        return Diagonal(self.gain * free), Diagonal(free)

    def parameters(self) -> str:
        """Gain, offset and limit."""
        limit = f", limit {self.limit:.4g}" if self.limit < np.inf else ""
        return f"gain {shown(self.gain)}, offset {shown(self.offset)}{limit}"
