"""A labelled time series: what every engine returns, whichever way it got there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analogflow.errors import BadInput
from analogflow.outcome import Outcome

if TYPE_CHECKING:
    import xarray

__all__ = ["Creep", "Trajectory", "usual"]

_ORDINARY = (1e-2, 1e2)
"""Sizes that count as 1: tolerances hold for them as they are."""


def usual(size: float) -> float:
    """The size itself where it is far from 1, or 1 where it is within two decades of it, or is none."""
    return size if 0 < size < np.inf and not _ORDINARY[0] <= size <= _ORDINARY[1] else 1.0


@dataclasses.dataclass(frozen=True)
class Creep:
    """How the answer of a run that did not come to rest still moves at its end.

    Parameters
    ----------
    speed : float
        Flow units per τ.
    left : float
        How far the answer still has to go, flow units; infinite where no end of it can be seen.
    rate : float
        Of an exponential approach, per τ; 0 if it is none.
    power : float
        p of an approach like t^-p; 0 if it is none.
    size : float
        Largest magnitude on the path of what has to rest, flow units.
    resting : float
        Speed at which it would have counted as resting, flow units per τ; 0 if not known.
    swings : bool
        Whether it turns back again and again, and does not die down.
    """

    speed: float
    left: float
    rate: float = 0.0
    power: float = 0.0
    size: float = 1.0
    resting: float = 0.0
    swings: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Trajectory:
    """States and observables of one run.

    Parameters
    ----------
    time : array, shape (k,)
        Ascending, in units of the time constant τ; the first entry is 0.
    values : mapping of name to array, shape (k, size of the signal)
        In flow units: states by their names, then observables.
    outcome : Outcome
        How the run ended.
    detail : str
        What a person should know beyond the outcome, such as which state ran away and when; may be empty.
    record : mapping
        Engine, versions, seed and parameters: what is needed to repeat the run.
    creep : Creep, optional
        Of a run without noise that should have come to rest and did not.
    """

    time: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]
    outcome: Outcome
    detail: str = ""
    record: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    creep: Creep | None = None

    def __post_init__(self) -> None:
        for array in (self.time, *self.values.values()):
            array.setflags(write=False)

    def __getitem__(self, name: str) -> xarray.DataArray:
        """Signal `name` as a labelled array with dimensions ``time`` (and ``component`` unless it is a scalar)."""
        import xarray

        values = self._signal(name)
        if values.shape[1] == 1:
            return xarray.DataArray(values[:, 0], dims="time", coords={"time": self.time}, name=name)
        return xarray.DataArray(values, dims=("time", "component"), coords={"time": self.time}, name=name)

    def final(self, name: str) -> NDArray[np.float64]:
        """Last value of signal `name`, shape (size,)."""
        return self._signal(name)[-1]

    def settling_time(self, names: str | Sequence[str], band: float) -> float | None:
        """Time in τ from which one or more signals stay within a band of their last values.

        Parameters
        ----------
        names : str or sequence of str
            A signal, or several that have to rest.
        band : float
            In flow units.

        Returns
        -------
        float or None
            None where the run did not end as it was asked to.

        Raises
        ------
        BadInput
            A name is none of the run's signals.
        """
        if not self.outcome.ok:
            return None
        asked = [names] if isinstance(names, str) else names
        values = np.concatenate([self._signal(name) for name in asked], axis=-1)
        outside = np.flatnonzero(abs(values - values[-1]).max(axis=1) > band)
        return float(self.time[outside[-1] + 1]) if len(outside) else 0.0

    def to_xarray(self) -> xarray.Dataset:
        """All signals as one labelled dataset; the record becomes its attributes."""
        import xarray

        arrays = {name: (("time", f"{name}_component"), value) for name, value in self.values.items()}
        return xarray.Dataset(
            arrays, coords={"time": ("time", self.time, {"units": "time constants"})}, attrs=dict(self.record)
        )

    def _signal(self, name: str) -> NDArray[np.float64]:
        if name not in self.values:
            raise BadInput(f"{name!r} is not a signal of this run; there are: {', '.join(self.values)}.")
        return self.values[name]

    def __repr__(self) -> str:
        return (
            f"Trajectory({', '.join(self.values)}; {len(self.time)} points to t = {self.time[-1]:g} τ; {self.outcome.value})"
        )
