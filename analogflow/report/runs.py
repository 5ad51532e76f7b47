"""Figures of single runs, one for each kind of answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analogflow.problems import Transport
from analogflow.report.figure import INK, MUTED, PALETTE, new_figure, plot_lines, style
from analogflow.solution import Solution

__all__ = ["PLOTS", "plot_attention", "plot_capacity", "plot_law", "plot_of", "plot_paths", "plot_transport"]

_SHOWN = 60.0
"""Time constants of a law's path that are drawn."""
_COLUMNS = 3


def plot_capacity(solution: Solution) -> Figure:
    """Input distribution z(t), mutual information I(z(t)) and its distance from the capacity, against time in τ."""
    run, certificate = solution.run, solution.certificate
    z, information = run.values["z"], run.values["capacity_nats"][:, 0]
    capacity = certificate.reference["capacity_nats"]
    end = _end(solution)
    with style():
        figure = new_figure(7.2, 2.9)
        left, middle, right = figure.subplots(1, 3)
        plot_lines(left, run.time, z, "input", lw=1.4)
        left.legend(fontsize=7.5)
        left.set(ylabel="input distribution $z$", ylim=(min(0, z.min()), None))
        name, limit = "mutual information $I(z)$ (nat)", f"C = {capacity:.6f}"
        middle.plot(run.time, information, color=PALETTE[0], lw=1.4, label=name)
        middle.axhline(capacity, color=MUTED, lw=0.8, ls="--", label=limit)
        middle.annotate(limit, (0.98, capacity), xycoords=("axes fraction", "data"), ha="right", va="top",
                        xytext=(0, -3), textcoords="offset points", color=INK)  # fmt: skip
        middle.set(ylabel=name)
        right.semilogy(run.time, abs(information - capacity).clip(1e-17), color=PALETTE[1], lw=1.2)
        right.set(ylabel="$|I(z) - C|$ (nat)")
        for axis in (left, middle, right):
            axis.set(xlabel="time (τ)", xlim=(0, end))
        figure.suptitle(_title(solution), fontsize=9)
    return figure


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
        figure.suptitle(_title(solution), fontsize=9)
    return figure


def plot_transport(solution: Solution) -> Figure:
    """The plan, and against time in τ the violation of its columns, and its cost with ε, if that falls."""
    run, problem = solution.run, solution.flow.problem
    if not isinstance(problem, Transport):
        raise TypeError(f"{problem!r} is not a transport problem")
    path = run.values["plan"].reshape(-1, *problem.cost.shape)
    off = abs(path.sum(axis=1) - problem.column).sum(axis=1).clip(1e-17)
    end = _end(solution)
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
        figure.suptitle(_title(solution), fontsize=9)
    return figure


def plot_law(solution: Solution) -> Figure:
    """States against time in τ, the energy, and mean and covariance of the run against the reference's."""
    run, certificate = solution.run, solution.certificate
    stationary = solution.flow.averaging is not None
    end = min(run.time[-1], _SHOWN) if stationary else _end(solution)
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
        figure.suptitle(_title(solution), fontsize=9)
    return figure


def plot_paths(solution: Solution) -> Figure:
    """One panel for each state and observable against time in τ; a dot where the reference ends."""
    run, flow, certificate = solution.run, solution.flow, solution.certificate
    names = [*flow.states, *flow.observables]
    rows = -(-len(names) // _COLUMNS)
    end = _end(solution)
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
        figure.suptitle(_title(solution, flow.form or "as given"), fontsize=9)
    return figure


PLOTS: Mapping[str, Callable[[Solution], Figure]] = {
    "capacity": plot_capacity,
    "attention": plot_attention,
    "transport": plot_transport,
    "hopfield": plot_law,
}
"""Figure of a run by the name of the flow's family; that of its path for all others."""


def plot_of(family: str) -> Callable[[Solution], Figure]:
    """What draws a run of a family."""
    return PLOTS.get(family, plot_paths)


def _end(solution: Solution) -> float:
    """Where the axis of time ends: soon after it has settled, if it has."""
    last, settling = solution.run.time[-1], solution.settling_time
    return min(last, 1.3 * settling) if settling else last


def _title(solution: Solution, form: str = "") -> str:
    flow = solution.flow
    return (
        f"{flow.family} flow, {form or f'{flow.form} form'}, {solution.circuit.technology} technology, "
        f"{solution.engine} engine"
    )
