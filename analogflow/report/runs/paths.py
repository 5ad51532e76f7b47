"""Figure of a run of any flow: every state and observable against time."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analogflow.report.figure import PALETTE, new_figure, plot_lines, style
from analogflow.solution import Solution

__all__ = ["plot_paths"]

_COLUMNS = 3


def plot_paths(solution: Solution) -> Figure:
    """One panel for each state and observable against time in τ; a dot where the reference ends."""
    run, flow, certificate = solution.run, solution.flow, solution.certificate
    names = [*flow.states, *flow.observables]
    rows = -(-len(names) // _COLUMNS)
    settling = solution.settling_time
    end = min(run.time[-1], 1.3 * settling) if settling else run.time[-1]
    with style():
        figure = new_figure(7.2, 0.5 + 2.2 * rows)
        axes = figure.subplots(rows, min(len(names), _COLUMNS), squeeze=False).ravel()
        dots: list[Line2D] = []
        for axis, name in zip(axes, names, strict=False):
            path = run.values[name]
            plot_lines(axis, run.time, path, name, lw=1.2)
            exact = certificate.reference.get(name)
            if path.shape[1] > 1:
                axis.legend(fontsize=7.5)
            if exact is not None and name in certificate.errors and path.shape[1] == 1:
                value = exact[0] if isinstance(exact, list) else exact
                dots = axis.plot(min(end, run.time[-1]), value, "o", color=PALETTE[0], ms=4, mfc="none", clip_on=False,
                                 label="reference")  # fmt: skip
            axis.set(xlabel="time (τ)", ylabel=name, xlim=(0, end))
        if dots:
            figure.legend(handles=dots, loc="outside lower right", fontsize=7.5)
        for axis in axes[len(names) :]:
            axis.set_visible(False)
        figure.suptitle(
            f"{flow.family} flow, {flow.form or 'as given'}, {solution.circuit.technology} technology, "
            f"{solution.engine} engine", fontsize=9)  # fmt: skip
    return figure
