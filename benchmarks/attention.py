"""The block engine beside the paper's algorithm in plain NumPy: seconds, and error against the certified reference.

Run from the project's root; ``--write`` puts the tables into docs/attention.md, between its markers.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from tables import Table, report, table

import analogflow as af
from analogflow.block_engine import integrate
from analogflow.digital import attention_steps
from analogflow.passes import nominal_orbit, stabilise
from analogflow.problems.attention import uniform_tokens
from analogflow.reference import attention_reference

DOCUMENT = Path(__file__).parents[1] / "docs/attention.md"


def problem(count: int, dimension: int, beta: float, seed: int = 0) -> af.Attention:
    B, V = np.random.default_rng(seed).normal(size=(2, dimension, dimension))
    return af.Attention(uniform_tokens(count, dimension, seed=seed), B, V, beta)


def large() -> Table:
    asked = problem(500, 10, 5.0)
    started = time.perf_counter()
    reference = attention_reference(asked)
    rows = [("reference, two integrations", f"{time.perf_counter() - started:.2f}", f"{reference.gap:.1e} (gap)")]
    started = time.perf_counter()
    flow = af.flows.attention(asked)
    orbit = nominal_orbit(flow.graph(), flow.keeps, flow.end_time)
    graph, _ = stabilise(flow.graph(), flow.keeps, orbit, gauge="", mend=True)
    traced = time.perf_counter()
    found = integrate(graph, asked.time).final["x"].reshape(asked.tokens.shape)
    seconds = time.perf_counter() - traced
    rows.append(("tracing and stabilising the graph", f"{traced - started:.2f}", ""))
    rows.append(("block engine", f"{seconds:.2f}", f"{abs(found - reference.tokens).max():.1e}"))
    for order in ("simultaneous", "in place"):
        for step in (0.01, 0.001):
            started = time.perf_counter()
            run = attention_steps(asked, step, order=order)
            seconds = time.perf_counter() - started
            rows.append(
                (f"Euler, {order}, step {step:g}", f"{seconds:.2f}", f"{abs(run.tokens - reference.tokens).max():.1e}")
            )
    return table(("500 tokens in 10-D to t = 1", "s", "largest error of a coordinate"), rows)


def circuits() -> Table:
    rows = []
    for count, dimension, beta in ((3, 2, 1.0), (4, 3, 2.0), (4, 3, 10.0), (16, 3, 4.0)):
        for form in ("softmax", "zero-temperature"):
            asked = problem(count, dimension, beta, seed=1)
            started = time.perf_counter()
            solution = af.solve(asked, form=form, engine="ngspice")
            seconds = time.perf_counter() - started
            errors = solution.certificate.errors
            rows.append(
                (
                    f"{count} × {dimension}, β = {beta:g}",
                    form,
                    f"{errors['tokens']:.1e}",
                    f"{errors['sphere']:.1e}",
                    f"{solution.certificate.reference_gap:.1e}",
                    f"{seconds:.1f}",
                )
            )
    return table(
        ("tokens × dimensions", "form", "error at t = 1", "length − 1 on the way", "gap of the reference", "s"), rows
    )


if __name__ == "__main__":
    report(__doc__, DOCUMENT, {"circuits": circuits, "large": large})
