"""Rate-distortion circuits against the certified reference, and 256 symbols beside Blahut's iteration."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from tables import Section, Table, machine, report, table

from analogflow import RateDistortion, compile, flows, netlist, simulate
from analogflow.flows.rate_distortion import FORMS
from analogflow.reference import rate_distortion_certificate, rate_distortion_reference

DOCUMENT = Path(__file__).parents[1] / "docs" / "rate_distortion.md"


def problem_of(symbols: int, beta: float) -> RateDistortion:
    rng = np.random.default_rng(symbols)
    return RateDistortion(rng.dirichlet(np.ones(symbols)), rng.uniform(size=(symbols, symbols)), beta)


def circuits() -> Section:
    """Errors of both engines against the certified reference."""
    rows = []
    for symbols in (4, 16):
        problem = problem_of(symbols, 10.0)
        exact = rate_distortion_reference(problem)
        for form in FORMS:
            deck = netlist(compile(flows.rate_distortion(problem, form=form)), time_constants=5000, largest_step=1.0)
            for engine in ("ngspice", "block"):
                begun = time.perf_counter()
                run = simulate(deck, engine=engine, resting_speed=1e-9)
                spent = time.perf_counter() - begun
                error = abs(float(run.final["phi"][0]) - exact.bounds.upper)
                gap = rate_distortion_certificate(problem, np.maximum(run.final["q"], 0)).gap
                end = f"{run.time[-1]:.0f}"
                rows.append((str(symbols), form, engine, f"{error:.1e}", f"{gap:.1e}", end, f"{spent:.2f}"))
    head = ("symbols", "form", "engine", "error of R + βD (nat)", "certified gap (nat)", "τ", "s")
    return table(head, rows), machine("numpy", "scipy")


def large() -> Table:
    """256 symbols to one certified gap: the block engine, Blahut's iteration and the reference."""
    problem, end = problem_of(256, 30.0), 1000.0
    deck = netlist(compile(flows.rate_distortion(problem)), time_constants=end, largest_step=10.0)
    begun = time.perf_counter()
    run = simulate(deck, engine="block")
    spent = time.perf_counter() - begun
    reached = rate_distortion_certificate(problem, run.final["q"]).gap
    rows = [("block engine", f"{reached:.1e}", f"{end:g} τ", f"{spent:.2f}")]
    A, p, q = problem.gibbs, problem.source, np.full(256, 1 / 256)
    steps, gap, begun = 0, np.inf, time.perf_counter()
    while gap > reached and steps < 100_000:
        q = q * (A.T @ (p / (A @ q)))
        steps += 1
        gap = rate_distortion_certificate(problem, q).gap if steps % 50 == 0 else gap
    rows.append(("Blahut's iteration", f"{gap:.1e}", f"{steps} steps", f"{time.perf_counter() - begun:.2f}"))
    begun = time.perf_counter()
    exact = rate_distortion_reference(problem)
    rows.append(
        (
            "the reference",
            f"{exact.gap:.1e}",
            f"{exact.sweeps} sweeps, {exact.steps} Newton steps",
            f"{time.perf_counter() - begun:.2f}",
        )
    )
    return table(("contender", "certified gap (nat)", "work", "s"), rows)


if __name__ == "__main__":
    report(__doc__, DOCUMENT, {"circuits": circuits, "large": large})
