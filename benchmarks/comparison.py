"""Analog against digital for every family, our solvers against their public counterparts, and all of it against size.

Run from the project's root; ``--write`` puts the tables into docs/comparison.md.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tables import machine, report, table
from threadpoolctl import threadpool_limits

import analogflow as af
from analogflow.comparison import Comparison, prices
from analogflow.comparison.scaling import KINDS, exponent, measure_scaling
from analogflow.digital import blahut_arimoto
from analogflow.problems.files import read_problem
from analogflow.report import alt_text, plot_comparison

ROOT = Path(__file__).parents[1]
DATA = ROOT / "examples/data"
DOCUMENT = ROOT / "docs/comparison.md"
PICTURE = ROOT / "docs/images/comparison-capacity.svg"
FILES = {
    "capacity": "paper_channel.csv",
    "rate-distortion": "rate_distortion_hamming.json",
    "transport": "transport_three.json",
    "attention": "attention_three_tokens.json",
    "hopfield": "hopfield_rest.json",
    "langevin": "langevin_coupled.json",
}


def rows(found: Comparison) -> list[tuple[str, ...]]:
    """A row for each contender that took part."""
    cells = []
    for c in found.contenders:
        if not math.isfinite(c.delivered):
            continue
        at = c.at
        mark = "†" if c.batch > 1 else ""
        when = (
            "missed" if at is None else f"{at.time_constants:.1f} τ" if at.seconds is None else f"{at.seconds:.1e} s{mark}"
        )
        joules = "" if at is None or at.joules is None else f"{at.joules:.1e}"
        cells.append(
            (found.family, c.name, f"{c.delivered:.1e}", "∞" if math.isinf(c.bits) else f"{c.bits:.0f}", when, joules)
        )
    return cells


def families() -> str:
    """Every family's example at its usual accuracy."""
    found = {name: af.compare(read_problem(name, DATA / file)) for name, file in FILES.items()}
    body = table(
        ("family", "contender", "delivers", "effective bits", "time to the accuracy", "energy (J)"),
        [row for one in found.values() for row in rows(one)],
    )
    asked = "; ".join(f"{name} {one.accuracy:g} {one.unit}".strip() for name, one in found.items())
    figure = plot_comparison(found["capacity"])
    af.save_figure(figure, PICTURE, force=True)
    return f"Asked for: {asked}.\n\n{body}\n\n![{alt_text(figure)}](images/{PICTURE.name})"


def plain_blahut_arimoto(P: np.ndarray, gap: float) -> np.ndarray:
    """What anyone would write in NumPy."""
    z = np.full(len(P), 1 / len(P))
    while True:
        q = z @ P
        with np.errstate(divide="ignore", invalid="ignore"):
            w = np.where(P > 0, P * np.log(P / q), 0.0).sum(axis=1)
        if w.max() - z @ w <= gap:
            return z
        z = z * np.exp(w)
        z /= z.sum()


def side_by_side(ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int = 15) -> tuple[float, float]:
    """Least seconds of both, taken in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for taken, run in zip(times, (ours, theirs), strict=True):
            started = time.perf_counter()
            run()
            taken.append(time.perf_counter() - started)
    return min(times[0]), min(times[1])


def counterparts() -> str:
    """Blahut-Arimoto in plain NumPy, and Sinkhorn of POT, to the same certified accuracy."""
    import ot

    from analogflow.comparison.solvers import SOLVERS

    sinkhorn = next(solver for solver in SOLVERS["transport"] if solver.name == "sinkhorn")
    body = []
    with threadpool_limits(1):
        for n in (3, 16, 64, 256):
            P = np.random.default_rng(n).dirichlet(np.ones(n), n)
            channel = af.Channel(P)
            ours, theirs = side_by_side(
                lambda c=channel: blahut_arimoto(c, gap=1e-4, most=10**6), lambda p=P: plain_blahut_arimoto(p, 1e-4)
            )
            body.append(
                (f"Blahut-Arimoto, {n} × {n}, gap 1e-4", "NumPy", f"{ours:.2e}", f"{theirs:.2e}", f"{theirs / ours:.2f}")
            )
        for n in (8, 64, 256):
            rng = np.random.default_rng(n)
            cost, a, b = rng.uniform(0, 1, (n, n)), rng.dirichlet(np.full(n, 5.0)), rng.dirichlet(np.full(n, 5.0))
            problem = af.Transport(cost, a, b, 0.1)
            ours, theirs = side_by_side(
                lambda p=problem: sinkhorn.run(p, 1e-9, 30.0, 0),
                lambda c=cost, x=a, y=b: ot.sinkhorn(x, y, c, 0.1, stopThr=1e-9, numItermax=100_000),
            )
            body.append((f"Sinkhorn, {n} × {n}, ε = 0.1", "POT", f"{ours:.2e}", f"{theirs:.2e}", f"{theirs / ours:.2f}"))
    return table(("problem", "beside", "ours (s)", "theirs (s)", "times as fast"), body)


def scaling() -> str:
    """Settling, parts and digital work of channels against their size."""
    measured = {kind: measure_scaling(kind) for kind in KINDS}
    body = [
        (kind, str(p.inputs), f"{p.settling:.1f}", str(p.elements), f"{p.digital_seconds:.1e}", f"{p.digital_joules:.1e}",
         f"{p.chip_seconds:.1e}", f"{p.chip_joules:.1e}")
        for kind, points in measured.items() for p in points
    ]  # fmt: skip
    fitted = []
    for kind, points in measured.items():
        names = ("settling", "elements", "digital_seconds", "digital_joules", "chip_seconds", "chip_joules")
        cells = [exponent([p.inputs for p in points], [getattr(p, name) for p in points]) for name in names]
        dearer = [p.inputs for p in points if p.chip_joules >= p.digital_joules]
        cheaper = [p.inputs for p in points if not dearer or p.inputs > max(dearer)]
        crossing = str(cheaper[0]) if cheaper else "none up to here"
        fitted.append((kind, *(f"{value:.2f} ± {error:.2f}" for value, error in cells), crossing))
    head = ("channels", "n", "settling (τ)", "elements", "digital (s)", "digital (J)", "a chip (s)", "a chip (J)")
    tail = ("exponent of n", *head[2:], "a chip takes less energy from n =")
    return f"{table(head, body)}\n\n{table(tail, fitted)}"


def assumed() -> str:
    """Prices with their sources."""
    listed = prices(None).table.items()
    return table(("price", "value", "source"), [(name, f"{p.value:g} {p.unit}", p.source) for name, p in listed])


if __name__ == "__main__":
    sections = {
        "machine": lambda: machine("numpy", "scipy", "POT"),
        "families": families,
        "counterparts": counterparts,
        "scaling": scaling,
        "assumed": assumed,
    }
    report(__doc__, DOCUMENT, sections)
