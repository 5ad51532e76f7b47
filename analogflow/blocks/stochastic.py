"""The noise source. Its waveform comes from the engine, which plays the same knots whichever engine it is."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from analogflow.blocks.block import Array, Block, Derivative, shown

__all__ = ["NoiseSource"]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class NoiseSource(Block):
    """y_i = d_i ξ_i(t) with independent white noises ξ_i of unit intensity per √τ.

    ``density`` d has shape (size,), flow units per √τ. Element i plays the stream numbered ``first`` + i of its sample.
    """

    ports: ClassVar = ()
    symbol: ClassVar = "noise"
    density: Array
    first: int

    def relation(self, *inputs: Array) -> Array:
        """Not defined: an engine supplies the waveform."""
        raise NotImplementedError("the waveform of a noise source comes from the engine, not from the block")

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        """Nothing: a noise source has no ports."""
        return ()

    def parameters(self) -> str:
        """First densities."""
        return shown(self.density)
