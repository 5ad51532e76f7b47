"""The motion of a run that swings, beside that of its reference: period and amplitudes are answers, too."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from analogflow.families.ends import Check
from analogflow.flows import Flow
from analogflow.run import Run

if TYPE_CHECKING:
    from analogflow.families.oscillation import Oscillation
    from analogflow.reference.cycles import Cycle

__all__ = ["Motion", "motion_of", "swing_of"]

_READ = 1e-4
"""To which period and amplitudes are read off the points of a run, relative to themselves."""

_SMALL_BESIDE = 1e-3
"""Part of the largest amplitude below which that of another state is measured against this."""


@dataclasses.dataclass(frozen=True, eq=False)
class Motion:
    """How a run swings, and how its reference does.

    Parameters
    ----------
    found : Oscillation
        The run's.
    exact : Cycle, optional
        The reference's; None where that does not repeat itself, or where the run does not.
    limit : float
        Largest error of a period or an amplitude that passes, relative to itself.
    """

    found: Oscillation
    exact: Cycle | None
    limit: float

    @property
    def errors(self) -> dict[str, float]:
        """Errors of ``period`` and ``amplitude``, the largest of all states, over themselves; none without a period."""
        found, exact = self.found, self.exact
        if found.period is None:
            return {}
        if exact is None:
            return {"period": np.nan, "amplitude": np.nan}
        largest = max(float(value.max()) for value in exact.amplitude.values())
        away = [
            float((abs(found.amplitude[name] - value) / np.maximum(value, _SMALL_BESIDE * largest)).max())
            for name, value in exact.amplitude.items()
        ]
        return {"period": abs(found.period / exact.period - 1), "amplitude": max(away)}

    @property
    def checks(self) -> tuple[Check, ...]:
        """That period and amplitudes agree with the reference; nothing is asked where the run does not repeat itself."""
        if not self.errors:
            return ()
        if self.exact is None:
            return (Check("period and amplitudes agree", False, "the reference does not repeat itself as the run does"),)
        return (Check.at_most("period and amplitudes agree", max(self.errors.values()), self.limit, "of themselves"),)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and names: what `Oscillation.to_dict` tells, with ``reference`` and ``errors``."""
        exact = self.exact
        reference = None if exact is None else {
            "period": exact.period, "amplitude": {name: value.tolist() for name, value in exact.amplitude.items()},
        }  # fmt: skip
        return {**self.found.to_dict(), "reference": reference, "errors": self.errors}


def motion_of(flow: Flow, reference: Any, run: Run, limit: float) -> Motion | None:
    """Motion of a run that ended at its time; None where it does not swing, or the reference knows no path.

    Parameters
    ----------
    flow : Flow
    reference : PathEnd
        Of the run's end.
    run : Run
    limit : float
        Largest error of states that passes.
    """
    path = getattr(reference, "path", None)
    if path is None:
        return None
    from analogflow.reference.cycles import cycle_of

    found = swing_of(flow, run, limit)
    if found is None:
        return None
    states = [name for name, _, _ in path.places if name in run.values and name != flow.clock]
    exact = None if found.period is None else cycle_of(path, found.signal, found.level, found.returns)
    if exact is not None:
        exact = exact._replace(amplitude={name: value for name, value in exact.amplitude.items() if name in states})
    return Motion(found, exact, max(limit, _READ))


def swing_of(flow: Flow, run: Run, limit: float) -> Oscillation | None:
    """How a run swings that ended at its time; None where it does not."""
    from analogflow.families.oscillation import oscillation_in

    asked = sorted((n for n in flow.states if n in run.values and n != flow.clock), key=lambda name: name != flow.answer)
    moving = {name: value for name, value in run.values.items() if name not in _kept(flow)}
    return oscillation_in(run.time, moving, asked, limit)


def _kept(flow: Flow) -> set[str]:
    """Signals that do not belong to the motion: time, and what is conserved."""
    return {flow.clock, *flow.conserved, *(["t"] if getattr(flow.problem, "timed", False) else [])}
