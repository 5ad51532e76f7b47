"""Figure of a run whose answer is a law, or a rest with an energy."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analogflow.report.figure import MUTED, PALETTE, new_figure, style
from analogflow.solution import Solution

__all__ = ["plot_law"]

_SHOWN = 60.0


def plot_law(solution: Solution) -> Figure:
    """States against time in τ, the energy, and mean and covariance of the run against the reference's."""
    run, certificate = solution.run, solution.certificate
    stationary = solution.flow.averaging is not None
    settling = solution.settling_time
    end = min(run.time[-1], _SHOWN if stationary else 1.3 * settling if settling else run.time[-1])
    shown = run.time <= end
    with style():
        figure = new_figure(7.2, 2.9)
        left, middle, right = figure.subplots(1, 3)
        for k, name in enumerate(solution.flow.states):
            way: dict[str, Any] = {"color": PALETTE[k % len(PALETTE)], "lw": 0.8}
            first, *others = run.values[name][shown].T
            left.plot(run.time[shown], first, label=name, **way)
            for path in others:
                left.plot(run.time[shown], path, label=f"_{name}", **way)
        left.legend(fontsize=7.5)
        left.set(xlabel="time (τ)", ylabel=", ".join(solution.flow.states), xlim=(0, end))
        if "energy" in run.values:
            middle.plot(run.time[shown], run.values["energy"][shown, 0], color=PALETTE[0], lw=0.8)
        middle.set(xlabel="time (τ)", ylabel="energy", xlim=(0, end))
        for k, name in enumerate(("mean", "covariance") if stationary else ("mean",)):
            exact, found = (np.ravel(part[name]) for part in (certificate.reference, certificate.answer))
            right.plot(exact, found, "o", ms=3, color=PALETTE[k], label=name)
        right.axline((0, 0), slope=1, color=MUTED, lw=0.8, ls="--", label="equal")
        right.set(xlabel="reference", ylabel="run")
        right.legend(frameon=False)
        figure.suptitle(
            f"{solution.flow.family} flow, {solution.flow.form} form, {solution.circuit.technology} technology, "
            f"{solution.engine} engine", fontsize=9)  # fmt: skip
    return figure
