"""Figure of a run of the transport flow."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from analogflow.problems import Transport
from analogflow.report.figure import MUTED, PALETTE, new_figure, style
from analogflow.solution import Solution

__all__ = ["plot_transport"]


def plot_transport(solution: Solution) -> Figure:
    """The plan, and against time in τ the violation of its columns, and its cost with ε, if that falls."""
    run, problem = solution.run, solution.flow.problem
    if not isinstance(problem, Transport):
        raise TypeError(f"{problem!r} is not a transport problem")
    path = run.values["plan"].reshape(-1, *problem.cost.shape)
    off = abs(path.sum(axis=1) - problem.column).sum(axis=1).clip(1e-17)
    settling = solution.settling_time
    end = min(run.time[-1], 1.3 * settling) if settling else run.time[-1]
    with style():
        figure = new_figure(7.2, 2.9)
        left, middle, right = figure.subplots(1, 3)
        left.imshow(path[-1], cmap="Blues", vmin=0, aspect="equal", interpolation="nearest")
        left.set(xlabel="column", ylabel="row", title="plan")
        left.locator_params(integer=True)
        middle.semilogy(run.time, off, color=PALETTE[1], lw=1.2)
        middle.set(ylabel=r"$\sum_j |\sum_i P_{ij} - b_j|$")
        right.plot(run.time, run.values["cost"][:, 0], color=PALETTE[0], lw=1.4, label="cost")
        right.axhline(solution.certificate.reference["cost"], color=MUTED, lw=0.8, ls="--", label="exact cost")
        shown = right.get_lines()
        right.set(ylabel="cost")
        if "epsilon" in run.values:
            twin = right.twinx()
            twin.semilogy(
                run.time, np.maximum(run.values["epsilon"][:, 0], 1e-17), color=PALETTE[2], lw=1.2, label="temperature ε"
            )
            shown = [*shown, *twin.get_lines()]
            twin.set(ylabel="temperature ε")
            twin.spines.right.set_visible(True)
        right.legend(handles=shown, fontsize=7.5)
        for axis in (middle, right):
            axis.set(xlabel="time (τ)", xlim=(0, end))
        figure.suptitle(
            f"{solution.flow.family} flow, {solution.flow.form} form, {solution.circuit.technology} technology, "
            f"{solution.engine} engine", fontsize=9)  # fmt: skip
    return figure
