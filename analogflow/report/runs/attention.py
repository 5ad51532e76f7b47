"""Figure of a run of the attention flow."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from analogflow.report.figure import PALETTE, new_figure, plot_lines, style
from analogflow.solution import Solution

__all__ = ["plot_attention"]


def plot_attention(solution: Solution) -> Figure:
    """First coordinates of every token, its speed and its distance from the sphere, against time in τ."""
    run = solution.run
    path = run.values["x"].reshape(len(run.time), *solution.flow.states["x"].shape)
    # A run has far more points than a page; the speed is taken between those that are drawn.
    drawn = np.unique(np.linspace(0, len(run.time) - 1, 400).astype(int))
    time, path = run.time[drawn], path[drawn]
    middle_times = 0.5 * (time[1:] + time[:-1])
    speed = np.linalg.norm(np.diff(path, axis=0), axis=2) / np.diff(time)[:, None]
    off = abs(np.linalg.norm(path, axis=2) - 1).max(axis=1).clip(1e-17)
    with style():
        figure = new_figure(7.2, 3.1)
        left, middle, right = figure.subplots(1, 3)
        plot_lines(left, time, path[:, :, 0], "token", lw=1.2)
        plot_lines(middle, middle_times, speed, "token", lw=1.0)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=8, fontsize=8)
        left.set(ylabel="first coordinate of each token", ylim=(-1.05, 1.05))
        middle.set(ylabel="speed of each token (1/τ)", ylim=(0, None))
        right.semilogy(time, off, color=PALETTE[1], lw=1.2)
        right.set(ylabel="largest $||x_i| - 1|$")
        for axis in (left, middle, right):
            axis.set(xlabel="time (τ)", xlim=(0, time[-1]))
        figure.suptitle(
            f"{solution.flow.family} flow, {solution.flow.form} form, {solution.circuit.technology} technology, "
            f"{solution.engine} engine", fontsize=9)  # fmt: skip
    return figure
