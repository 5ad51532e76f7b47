r"""The optimal plan of costs that drift, followed by a circuit that goes on running.

.. math:: \dot g_j = \epsilon\,\Bigl(1 - \frac1{b_j}\sum_i P_{ij}\Bigr), \quad
          P_{i\cdot} = a_i \operatorname{softmax}_j\bigl((g_j - C_{ij}(t))/\epsilon\bigr)

What is asked, the flow, its path by two integrations, and at instants the optimum of the costs as they are then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from analogflow.checks import is_positive, refuse_faults, refuse_unknown
from analogflow.errors import BadInput
from analogflow.families.ends import Held, RunEnds, largest
from analogflow.families.family import Family
from analogflow.families.tracking import Tracked, instants_until, read_saved, tracking_errors, tracking_held
from analogflow.flows import Flow
from analogflow.flows.invariants import WeightedMean
from analogflow.flows.timed import timed
from analogflow.graph import softmax
from analogflow.problems import Transport
from analogflow.problems.timed import TimedMatrix, instants_of, read_timed
from analogflow.reference.equations import path_to
from analogflow.reference.transport import transport_reference
from analogflow.rest import usual
from analogflow.run import Run

__all__ = ["DRIFTING_TRANSPORT", "DriftingTransport"]

Array = NDArray[np.float64]

FORMS = ("potential",)


@dataclasses.dataclass(frozen=True, eq=False)
class DriftingTransport:
    """Entropic transport whose costs are functions of time, and until when its plan is followed.

    Parameters
    ----------
    cost : rows of numbers and expressions, n by m, optional
        C_ij; expressions are of t, in τ, and of the inputs. Given unless `costs` are.
    inputs : mapping of name to function of time, optional
        An expression of t, or ``{times, values}``, points that straight lines join.
    costs : sequence of arrays, shape (n, m), optional
        The costs at each of `times`, with straight lines between.
    times : array, shape (k,), optional
        In τ, ascending.
    row, column : array, shape (n,) and (m,), optional
        Masses, all above 0; all the same if not given.
    epsilon : float
        Temperature, in units of the cost.
    time : float
        End of the run, in τ.
    saved : array, shape (l,), optional
        Instants at which the circuit is held against the optimum; nine from half of the time to its end if not given.

    Raises
    ------
    BadInput
        With everything that is wrong, in one message.
    """

    epsilon: float
    time: float
    cost: tuple[tuple[Any, ...], ...] | None
    inputs: Mapping[str, Any] | None
    costs: tuple[Array, ...] | None
    times: Array | None
    row: Array
    column: Array
    saved: Array | None
    matrix: TimedMatrix = dataclasses.field(init=False)

    def __init__(
        self,
        cost: Sequence[Sequence[Any]] | None = None,
        inputs: Mapping[str, Any] | None = None,
        costs: Sequence[ArrayLike] | None = None,
        times: ArrayLike | None = None,
        row: ArrayLike | None = None,
        column: ArrayLike | None = None,
        epsilon: float | None = None,
        time: float = 0.0,
        saved: ArrayLike | None = None,
    ) -> None:
        faults: list[str] = []
        if not is_positive(time):
            faults.append(f"time is {time!r}; give the end of the run, a positive number of time constants")
        refuse_faults("DriftingTransport", faults)
        kept: dict[str, Any] = {"time": float(time), "saved": read_saved(saved, float(time), faults)}
        found = read_timed(cost, inputs, costs, times, ("cost", "costs"), faults)
        refuse_faults("DriftingTransport", faults)
        assert found is not None
        matrix, read = found
        largest_at = (0.0, -1.0)
        for t in instants_of(matrix, float(time)):
            with np.errstate(all="ignore"):
                C = matrix.at(t)
            if not np.isfinite(C).all():
                i, j = np.argwhere(~np.isfinite(C))[0]
                fault = (
                    f"row {i + 1}, column {j + 1} is {C[i, j]} at t = {t:.4g}; give functions that are finite until the end"
                )
                refuse_faults("DriftingTransport", [fault])
            largest_at = max(largest_at, (t, float(abs(C).max())), key=lambda at: at[1])
        for t in (0.0, largest_at[0]):
            try:
                asked = Transport(matrix.at(t), row, column, epsilon)
            except BadInput as fault:
                raise BadInput(f"DriftingTransport: at t = {t:.4g}: {fault}", words=fault.words) from fault
            if asked.cost.shape != matrix.base.shape:
                refuse_faults("DriftingTransport", ["a row or column has no mass; leave it out of the costs too"])
        kept |= {**read, "row": asked.row, "column": asked.column, "epsilon": asked.epsilon, "matrix": matrix}
        for name, value in kept.items():
            object.__setattr__(self, name, value)

    @property
    def mass(self) -> float:
        """Σ a_i."""
        return float(self.row.sum())

    def at(self, time: float) -> Transport:
        """The transport as it is at a time in τ."""
        return Transport(self.matrix.at(time), self.row, self.column, self.epsilon)

    def __repr__(self) -> str:
        n, m = self.matrix.base.shape
        return f"DriftingTransport({n} rows, {m} columns, epsilon {self.epsilon:g}, time {self.time:g})"


def rates(g: Any, t: Any, problem: DriftingTransport) -> tuple[Any, Any]:
    """ġ_j = ε (1 − Σ_i P_ij/b_j); and the clock."""
    return problem.epsilon * (1.0 - _plan(g, t, problem).sum(axis=0) / problem.column), 1.0


def _plan(g: Any, t: Any, problem: DriftingTransport) -> Any:
    C = timed(problem.matrix, t, "c")
    spread = g[np.broadcast_to(np.arange(len(problem.column)), problem.matrix.base.shape)]
    return softmax((spread - C) * (1 / problem.epsilon), tail=problem.row)


def _cost(g: Any, t: Any, problem: DriftingTransport) -> Any:
    return (_plan(g, t, problem) * timed(problem.matrix, t, "c")).sum().reshape(1)


def flow(problem: DriftingTransport, form: str = "potential") -> Flow:
    """The transport flow of potentials, whose costs are functions of time; observables "plan" and "cost".

    Raises
    ------
    BadInput
        There is no such form.
    """
    refuse_unknown(form, FORMS, "form", "the drifting-transport flow")
    return Flow(
        rates,
        states={"g": np.zeros(len(problem.column)), "t": np.zeros(1)},
        keeps=(WeightedMean("g", tuple(problem.column.tolist())),),
        constants={"problem": problem},
        observables={"plan": _plan, "cost": _cost},
        answer="plan",
        size=problem.mass,
        scale=usual(max(float(np.ptp(problem.matrix.at(0.0))), problem.epsilon)),
        equations="dg_j/dt = eps (1 - sum_i P_ij/b_j);  P_ij = a_i softmax_j((g_j - C_ij(t))/eps)",
        problem=problem,
        end_time=problem.time,
        path_matters=True,
        clock="t",
    )


def plan_of(problem: DriftingTransport, h: Array, C: Array) -> Array:
    """P_ij = a_i softmax_j(h_j − C_ij/ε), shape (n, m)."""
    return problem.row[:, None] * scipy.special.softmax(h - C / problem.epsilon, axis=1)


def lag_of(problem: DriftingTransport, P: Array, moving: Array) -> Array:
    r"""Lag of the plan behind the optimal one, P, while the costs move at the rate Ċ; shape (n, m).

    Of the semi-dual's Hessian J = (diag(Σ_i P_ij) − Pᵀ diag(1/a) P)/ε: the potentials of the optimum move by J ġ* =
    −Σ_i ∂P_ij/∂C·Ċ, and S = ε diag(1/b) J takes a lag back.
    """
    a, b, epsilon = problem.row, problem.column, problem.epsilon
    J = (np.diag(P.sum(axis=0)) - (P.T / a) @ P) / epsilon
    fixed = J + np.outer(b, b)  # J does not see a common potential, which is held at Σ_j b_j g_j = 0
    pushed = _answered(P, -moving, a, epsilon).sum(axis=0)
    motion = np.linalg.solve(fixed, -pushed)
    behind = np.linalg.solve(fixed, -(b * (motion - b @ motion / b.sum())) / epsilon)
    return _answered(P, np.broadcast_to(behind, P.shape), a, epsilon)


def _answered(P: Array, exponents: Array, a: Array, epsilon: float) -> Array:
    """Change of P where its exponents change by so much over ε."""
    mean = (P * exponents).sum(axis=1, keepdims=True) / a[:, None]
    return P * (exponents - mean) / epsilon


def reference(problem: DriftingTransport, time: float) -> Tracked:
    """The path of the plan by two integrations, and at instants the optimal plan and the lag behind it.

    Raises
    ------
    SimulationFailed
        An integration or an optimum was not found.
    """
    end = time or problem.time

    # Carried is 1 + g/ε, so that absolute errors are of a size that counts even where the start is an optimum.
    def moved(at: Mapping[str, Array], t: float) -> dict[str, Array]:
        return {"h": 1 - plan_of(problem, at["h"], problem.matrix.at(t)).sum(axis=0) / problem.column}

    def plans(times: Array) -> Array:
        both = zip(path.states_at(times), np.asarray(times).tolist(), strict=True)
        return np.array([plan_of(problem, h, problem.matrix.at(t)).ravel() for h, t in both])

    path = path_to(moved, {"h": np.ones(len(problem.column))}, end, problem.matrix.corners or (end,))
    times = instants_until(problem.saved, end)
    best = [transport_reference(problem.at(t)) for t in times.tolist()]
    lags = [lag_of(problem, each.plan, problem.matrix.rate(t)).ravel() for each, t in zip(best, times.tolist(), strict=True)]
    on_path = plans(times)
    values = {"plan": on_path[-1], "cost": np.array([on_path[-1] @ problem.matrix.at(end).ravel()])}
    gap = max(path.gap, *(each.violation for each in best))
    optima = np.array([each.plan.ravel() for each in best])
    return Tracked(values, gap, times, on_path, optima, np.array(lags), np.array([each.cost for each in best]), plans)


def _errors(problem: DriftingTransport, found: Tracked, ends: RunEnds) -> dict[str, Array]:
    errors = tracking_errors("plan", found, ends)
    plan = ends.finals["plan"].reshape(-1, *problem.matrix.base.shape)
    if "cost" in ends.finals:
        errors["cost"] = abs(ends.finals["cost"][:, 0] - found.values["cost"][0])
    off = abs(plan.sum(axis=2) - problem.row).sum(axis=1) + abs(plan.sum(axis=1) - problem.column).sum(axis=1)
    errors["certified"] = off / problem.mass
    rows = ends.paths["plan"].reshape(*ends.paths["plan"].shape[:2], *problem.matrix.base.shape).sum(axis=3)
    return {**errors, "rows": largest(rows - problem.row) / problem.mass}


def _held(
    problem: DriftingTransport, found: Tracked, errors: Mapping[str, Array], ends: RunEnds, limit: float
) -> list[Held]:
    held = tracking_held("plan", found, errors, limit * problem.mass, "the plan")
    if "cost" in errors:
        size = problem.mass * max(float(np.ptp(problem.matrix.at(float(found.times[-1])))), problem.epsilon)
        held.append(Held("the cost is that of the path", errors["cost"], limit * size))
    return [*held, Held("row sums stay right along the path", errors["rows"], limit)]


def _told(plan: Array, cost: float, lag: Array, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"plan": plan.reshape(shape).tolist(), "cost": cost, "lag": lag.reshape(shape).tolist()}


def _answer(problem: DriftingTransport, found: Tracked, run: Run) -> dict[str, Any]:
    plan = np.ravel(run.final["plan"])
    return _told(plan, float(np.ravel(run.final["cost"])[0]), plan - found.optima[-1], problem.matrix.base.shape)


def _exact(problem: DriftingTransport, found: Tracked) -> dict[str, Any]:
    last = _told(found.optima[-1], float(found.worths[-1]), found.lags[-1], problem.matrix.base.shape)
    return {**last, "instants": found.times.tolist(), "costs": found.worths.tolist()}


def _notes(problem: DriftingTransport, found: Tracked) -> list[str]:
    worst = float(found.times[abs(found.lags).max(axis=1).argmax()])
    return [
        f"The optimum drifts, so that the circuit is behind it: to first order by up to {found.predicted:.3g} in an entry "
        f"of the plan, at t = {worst:.4g}; the optimal cost is {found.worths.min():.6g} to {found.worths.max():.6g}."
    ]


def _expected(problem: DriftingTransport, found: Tracked) -> dict[str, Any]:
    return {name: np.ravel(value).tolist() for name, value in found.values.items()}


DRIFTING_TRANSPORT = Family(
    name="drifting-transport",
    problem=DriftingTransport,
    noun="a drifting transport",
    keys=("cost", "inputs", "costs", "times", "row", "column", "epsilon", "time", "saved"),
    needed={"epsilon": "the temperature in units of the cost", "time": "the end of the run in time constants"},
    example={
        "cost": [["d", 1.0], [1.0, 0.0]],
        "inputs": {"d": {"times": [0.0, 30.0], "values": [0.0, 0.6]}},
        "row": [0.5, 0.5],
        "column": [0.25, 0.75],
        "epsilon": 0.5,
        "time": 60.0,
    },
    flow=flow,
    forms=FORMS,
    reference=reference,
    errors=_errors,
    held=_held,
    primary="plan",
    labels={
        "plan": "largest departure from the path",
        "lag": "largest lag behind the optimal plan",
        "beyond": "largest departure of the lag from the predicted one",
        "cost": "error of the cost",
        "certified": "sum of the last marginals' errors, over the mass",
        "rows": "largest error of a row's sum on the way",
    },
    answer=_answer,
    exact=_exact,
    expected=_expected,
    notes=_notes,
    contest=None,
)
"""The family of transports whose costs drift."""
