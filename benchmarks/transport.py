"""The transport circuit against its reference, and large plans beside POT: seconds, and error against the certified plan.

Run from the project's root; ``--write`` puts the tables into docs/transport.md, between its markers.
"""

from __future__ import annotations

import runpy
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tables import Section, Table, machine, report, table
from turns import cpu_seconds, least_seconds

import analogflow as af
from analogflow.block_engine import ErrorLimits, integrate
from analogflow.digital import annealed_sinkhorn, sinkhorn
from analogflow.passes import nominal_orbit, stabilise
from analogflow.reference import transport_certificate, transport_reference

DOCUMENT = Path(__file__).parents[1] / "docs/transport.md"
EXAMPLE = Path(__file__).parents[1] / "examples/transport_tracking.py"


def random_problem(size: int, epsilon: float, schedule: object = None, seed: int = 1) -> af.Transport:
    rng = np.random.default_rng(seed)
    row, column = rng.dirichlet(np.full(size, 3.0)) + 0.02, rng.dirichlet(np.full(size, 3.0)) + 0.02
    return af.Transport(rng.random((size, size)), row / row.sum(), column / column.sum(), epsilon, schedule)


def circuits() -> Section:
    rows = []
    braked = {"kind": "adaptive", "rate": 0.5, "k_safe": 0.5}
    cases = ((3, 0.1, None), (3, 0.1, "exponential"), (3, 0.1, braked), (8, 0.1, None), (8, 0.03, None), (8, 0.1, braked))
    for size, epsilon, schedule in cases:
        for form in ("potential", "scaling"):
            problem = random_problem(size, epsilon, schedule)
            started = time.perf_counter()
            solution = af.solve(problem, form=form, engine="ngspice")
            seconds = time.perf_counter() - started
            errors = solution.certificate.errors
            kind = "fixed" if problem.schedule is None else problem.schedule.kind
            name = f"{size} × {size}, ε = {epsilon:g}, {kind}"
            measured = [f"{errors[key]:.1e}" for key in ("plan", "rows", "marginals")]
            rows.append((name, form, *measured, f"{solution.settling_time:.0f}", f"{seconds:.1f}"))
    head = ("plan, temperature", "form", "error of the plan", "rows on the way", "marginals", "settled (τ)", "s")
    return table(head, rows), machine("numpy")


def large() -> Section:
    import ot

    rng = np.random.default_rng(0)
    cost = ((rng.random((256, 1, 2)) - rng.random((1, 256, 2))) ** 2).sum(-1)
    uniform = np.full(256, 1 / 256)
    rows = []
    for epsilon in (0.05, 0.01):
        problem = af.Transport(cost, uniform, uniform, epsilon)
        exact = transport_reference(problem).plan

        def by_flow(problem: af.Transport = problem) -> np.ndarray:
            flow = af.flows.transport(problem)
            graph, _ = stabilise(flow.graph(), flow.keeps, nominal_orbit(flow.graph(), flow.keeps), gauge="", mend=True)
            return (
                integrate(graph, 5000, rests=["scaled"], tolerances=ErrorLimits(1e-9, 1e-12, settled=1e-9))
                .final["plan"]
                .reshape(cost.shape)
            )

        def by_pot(method: str, problem: af.Transport = problem) -> np.ndarray:
            return ot.sinkhorn(uniform, uniform, cost, problem.epsilon, method, stopThr=1e-9, numItermax=100_000)

        solvers: dict[str, Callable[[], np.ndarray]] = {
            "reference, dual Newton": lambda problem=problem: transport_reference(problem).plan,
            "block engine, traced, stabilised and settled": by_flow,
            "Sinkhorn": lambda problem=problem: sinkhorn(problem).plan,
            "annealed Sinkhorn": lambda problem=problem: annealed_sinkhorn(problem).plan,
            "POT sinkhorn": lambda: by_pot("sinkhorn"),
            "POT sinkhorn_log": lambda: by_pot("sinkhorn_log"),
        }
        for name, solve in solvers.items():
            started = time.perf_counter()
            plan = solve()
            seconds = time.perf_counter() - started
            bounds = transport_certificate(problem, plan)
            error = abs(plan - exact).max() * 256
            rows.append(
                (f"{epsilon:g}", name, f"{seconds:.2f}", f"{error:.0e}", f"{bounds.violation:.0e}", f"{bounds.gap:.0e}")
            )
    head = ("ε", "256 × 256, squared distances in a square", "s", "error × 256", "violation", "gap")
    return table(head, rows), machine("numpy", "pot")


def peers() -> Section:
    """The reference beside POT, whose threshold is the largest at which our certificate finds its plan as good as asked."""
    rows = []
    for kind, made in (("squared distances", squared_distances), ("random costs", random_problem)):
        for size in (3, 16, 64, 256, 512):
            for epsilon in (1e-1, 1e-2):
                problem = made(size, epsilon)
                found = {method: least_that_passes(problem, method) for method in METHODS}
                quickest = {method: run for method, run in found.items() if run is not None}

                def certified(problem: af.Transport = problem) -> np.ndarray:
                    return transport_reference(problem, violation=LIMIT, gap=LIMIT).plan

                seconds = least_seconds({"ours": certified, **quickest})
                ours = seconds.pop("ours")
                case = (f"{size} × {size} {kind}", f"{epsilon:g}", f"{1e3 * ours:.2f}")
                if not seconds:
                    rows.append((*case, "none of them", "", "", "", ""))
                    continue
                name = min(seconds, key=seconds.__getitem__)
                plan, potential = quickest[name](), transport_reference(problem).potential

                def judge(
                    problem: af.Transport = problem, given: tuple[np.ndarray, np.ndarray] = (plan, potential)
                ) -> object:
                    return transport_certificate(problem, *given)

                judging = cpu_seconds(judge)
                times = (f"{seconds[name] / ours:.2g}", f"{(seconds[name] + judging) / ours:.2g}")
                rows.append((*case, name, f"{1e3 * seconds[name]:.2f}", f"{1e3 * judging:.2f}", *times))
                print(*rows[-1], sep="  ", flush=True)
    head = ("problem", "ε", "ours, ms", "quickest of POT", "its ms", "certificate, ms", "times as fast", "with certificate")
    return table(head, rows), machine("numpy", "scipy", "pot")


LIMIT, METHODS, SWEEPS = 1e-9, ("sinkhorn", "sinkhorn_stabilized", "sinkhorn_log"), 10_000
"""Violation and relative gap asked of all, POT's solvers, and their sweeps at most."""


def squared_distances(size: int, epsilon: float) -> af.Transport:
    rng = np.random.default_rng(0)
    even = np.full(size, 1 / size)
    return af.Transport(((rng.random((size, 1, 2)) - rng.random((1, size, 2))) ** 2).sum(-1), even, even, epsilon)


def least_that_passes(problem: af.Transport, method: str) -> Callable[[], np.ndarray] | None:
    """POT's solver at the loosest of its thresholds, half a decade apart, that is enough; None where none is."""
    import ot

    for threshold in 10.0 ** -np.arange(9.0, 13.0, 0.5):

        def run(threshold: float = threshold) -> np.ndarray:
            a, b, cost = problem.row, problem.column, problem.cost
            return ot.sinkhorn(a, b, cost, problem.epsilon, method, stopThr=threshold, numItermax=SWEEPS)

        plan = run()
        if not np.isfinite(plan).all():
            return None
        bounds, mass = transport_certificate(problem, plan), problem.mass
        if bounds.violation <= LIMIT * mass and bounds.gap <= LIMIT * mass * max(problem.span, problem.epsilon):
            return run
        if bounds.violation > 1e-5 * problem.mass:  # it ran out of sweeps
            return None
    return None


def tracking() -> Table:
    study = runpy.run_path(str(EXAMPLE))["tracking_study"](100)
    names = list(dict.fromkeys(name for _, _, name in study))
    keys = dict.fromkeys((carry, alpha) for carry, alpha, _ in study)
    rows = [(carry, f"{alpha:g}", *(f"{study[carry, alpha, name].rate:.2f}" for name in names)) for carry, alpha in keys]
    return table(("carried", "α", *names), rows)


if __name__ == "__main__":
    report(__doc__, DOCUMENT, {"circuits": circuits, "large": large, "peers": peers, "tracking": tracking})
