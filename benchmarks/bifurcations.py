"""Sweeps of constants: how long they take, and what they find, against SciPy with events and closed forms.

python benchmarks/bifurcations.py             print the tables
python benchmarks/bifurcations.py --write     write them into docs/bifurcations.md, and the figure beside it
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from tables import Section, machine, report, table

import analogflow as af
from analogflow.report import plot_bifurcation, save_figure, sweep_counts
from analogflow.studies import read_experiment

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "bifurcations.md"
TRIED = (2.0, 2.5, 3.2, 3.6, 5.3)
"""Values of c at which SciPy is asked: cycles of one, one, two, two and three turns."""

HOPF = af.Equations(
    {"x": 0.3, "y": 0.0},
    {"x": "mu * x - y - x * (x ** 2 + y ** 2)", "y": "x + mu * y - y * (x ** 2 + y ** 2)"},
    constants={"mu": 0.5}, time=60.0,
)  # fmt: skip
FORK = af.Equations({"x": 0.1}, {"x": "r * x - x ** 3"}, constants={"r": 1.0})

Array = NDArray[np.float64]


def turns(c: float, until: float) -> Array:
    """Maxima of x in the later half of Rössler's path, by DOP853 and events."""

    def rates(t: float, y: Array) -> list[float]:
        return [-y[1] - y[2], y[0] + 0.2 * y[1], 0.2 + y[2] * (y[0] - c)]

    def turning(t: float, y: Array) -> float:
        return float(-y[1] - y[2])

    turning.direction = -1.0  # pyright: ignore[reportFunctionMemberAccess]
    run = solve_ivp(rates, (0, until), [1.0, 1.0, 1.0], method="DOP853", rtol=1e-12, atol=1e-12, events=turning)
    return run.y_events[0][run.t_events[0] > 0.5 * until, 0]


def apart(one: Array, other: Array) -> float:
    """Largest distance of a value of one set from the nearest of the other, both ways."""
    away = abs(one[:, None] - other)
    return float(max(away.min(axis=0).max(), away.min(axis=1).max()))


def _bifurcations() -> Section:
    whole = read_experiment(ROOT / "examples/studies/roessler.toml")
    (problem,) = whole.problems.values()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        before, used = time.perf_counter(), sum(os.times()[:4])
        dataset = af.run_study(whole, Path(folder) / "whole")
        wall, cpu = time.perf_counter() - before, sum(os.times()[:4]) - used
        figure = plot_bifurcation(dataset, along="c")
        if "--write" in sys.argv:
            save_figure(figure, ROOT / "docs/images/bifurcation-roessler.svg", force=True)
        said = (
            f"400 values: {wall:.0f} s, {cpu:.0f} s of processor time in {os.cpu_count()} workers; against the reference "
            f"{', '.join(f'{count} {name}' for name, count in sweep_counts(dataset).items())}."
        )
        some = af.run_study(af.Study(problem, sweep={"c": TRIED}, certify=1), Path(folder) / "some").squeeze()
        for c in TRIED:
            part = some.sel(c=c)
            maxima = part["maxima"].values[np.isfinite(part["maxima"].values)]
            exact = turns(c, problem.time)
            off = f"{apart(maxima, exact):.1e}"
            rows.append((f"Rössler, c = {c:g}", str(part["motion"].item()), _number(part["returns"]), "SciPy's maxima", off))
        hopf = af.run_study(af.Study({"hopf": HOPF}, sweep={"mu": (0.25, 0.5, 1.0)}), Path(folder) / "hopf").squeeze()
        for mu in (0.25, 0.5, 1.0):
            part, exact = hopf.sel(mu=mu), np.sqrt(mu)
            off = f"{abs(part['amplitude'].item() - exact):.1e}"
            rows.append((f"Stuart–Landau, μ = {mu:g}", str(part["motion"].item()), _number(part["returns"]), "√μ", off))
        fork = af.run_study(
            af.Study({"fork": FORK}, sweep={"r": (0.25, 1.0), "x": (-0.1, 0.1)}), Path(folder) / "fork"
        ).squeeze()
        for r in (0.25, 1.0):
            off = max(abs(fork["maxima"].sel(r=r, x=x)[0].item() - np.sign(x) * np.sqrt(r)) for x in (-0.1, 0.1))
            rows.append((f"pitchfork, r = {r:g}", "rest", "", "±√r", f"{off:.1e}"))
    head = ("flow", "motion", "returns", "witness", "largest distance")
    return (said, table(head, rows), machine("analogflow", "scipy"))


def _number(value: Any) -> str:
    return "" if np.isnan(value.item()) else f"{value.item():.0f}"


if __name__ == "__main__":
    report(__doc__, DOCUMENT, {"bifurcations": _bifurcations})
