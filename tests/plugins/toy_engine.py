"""An engine of another package, in one file: SciPy's LSODA on the graph of a circuit."""

from __future__ import annotations

from collections.abc import Callable

import scipy
from scipy.integrate import solve_ivp

import analogflow as af
from analogflow.block_engine import VectorField
from analogflow.simulators import Engine
from analogflow.simulators.flow_units import in_flow_units

__all__ = ["LSODA"]


def run(
    deck: af.Deck, *, resting_speed: float, time_limit: float, on_progress: Callable[[float], None] | None = None
) -> af.Run:
    circuit = deck.circuit
    if circuit.noisy:
        raise af.BadInput("the engine 'lsoda' plays no noise; take the engine block.")
    field = VectorField(circuit.graph)
    solved = solve_ivp(field, (0.0, deck.end_time), circuit.graph.initial(), "LSODA", rtol=1e-9, atol=1e-12)
    rests = abs(field(0.0, solved.y[:, -1])).max() <= resting_speed
    outcome = af.Outcome.SETTLED if rests else af.Outcome.NOT_SETTLED if resting_speed else af.Outcome.COMPLETED
    values = in_flow_units(circuit, field.observables(solved.y.T))
    return af.Run(solved.t, values, outcome, "", {"engine": "lsoda", "versions": versions()})


def versions() -> dict[str, str]:
    return {"scipy": scipy.__version__}


LSODA = Engine("lsoda", run, versions, netlists=False)
