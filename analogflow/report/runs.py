"""Figures of single runs, one for each kind of answer."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from analogflow.families import judging_family, problem_of
from analogflow.families.oscillation import Oscillation, spectrum_of
from analogflow.judgement.judging import judge_along
from analogflow.problems import Langevin
from analogflow.reference.langevin import boltzmann_law
from analogflow.report.bits import in_bits
from analogflow.report.figure import INK, MUTED, PALETTE, new_figure, plot_lines, style
from analogflow.solution import Solution

__all__ = ["PLOTS", "plot_attention", "plot_capacity", "plot_law", "plot_of", "plot_paths", "plot_transport"]

_SHOWN = 60.0
"""Time constants of a law's path that are drawn."""
_COLUMNS = 3
_DRAWN = 400
"""Points of a run at which it is judged for a figure, or whose speed is taken: it has far more than a page."""

_BINS = 60
"""Bins of a histogram of a law."""

_LABEL = 28
"""Characters of a label that fit beside a panel."""

_HIGHEST = 6.0
"""Highest frequency of a spectrum that is drawn, in crossings of the section per time."""

_LEAST = 1e-17
"""Error that is drawn where there is none."""


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
        name, limit = "mutual information $I(z)$ (nat)", f"C = {capacity:.6f} nat\n= {in_bits(capacity):.6f} bit"
        middle.plot(run.time, information, color=PALETTE[0], lw=1.4, label=name)
        middle.axhline(capacity, color=MUTED, lw=0.8, ls="--", label=limit)
        middle.annotate(limit, (0.98, capacity), xycoords=("axes fraction", "data"), ha="right", va="top",
                        xytext=(0, -3), textcoords="offset points", color=INK)  # fmt: skip
        middle.set(ylabel=name)
        _plot_error(right, solution, "capacity_nats")
        right.set(ylabel="$|I(z) - C|$ (nat)")
        for axis in (left, middle, right):
            axis.set(xlabel="time (τ)", xlim=(0, end))
        figure.suptitle(_title(solution), fontsize=9)
    return figure


def plot_attention(solution: Solution) -> Figure:
    """First coordinates of every token, its speed and the farthest that any was off the sphere, against time in τ."""
    run = solution.run
    path = run.values["x"].reshape(len(run.time), *solution.flow.states["x"].shape)
    drawn = _drawn(solution)
    time, path = run.time[drawn], path[drawn]
    middle_times = 0.5 * (time[1:] + time[:-1])
    speed = np.linalg.norm(np.diff(path, axis=0), axis=2) / np.diff(time)[:, None]
    with style():
        figure = new_figure(7.2, 3.1)
        left, middle, right = figure.subplots(1, 3)
        plot_lines(left, time, path[:, :, 0], "token", lw=1.2)
        plot_lines(middle, middle_times, speed, "token", lw=1.0)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=8, fontsize=8)
        left.set(ylabel="first coordinate of each token", ylim=(-1.05, 1.05))
        middle.set(ylabel="speed of each token (1/τ)", ylim=(0, None))
        _plot_error(right, solution, "sphere")
        right.set(ylabel="largest $||x_i| - 1|$ so far")
        for axis in (left, middle, right):
            axis.set(xlabel="time (τ)", xlim=(0, time[-1]))
        figure.suptitle(_title(solution), fontsize=9)
    return figure


def plot_transport(solution: Solution) -> Figure:
    """The plan, and against time in τ the violation of its marginals, and its cost with ε, if that falls."""
    run = solution.run
    end = _end(solution)
    with style():
        figure = new_figure(7.2, 2.9)
        left, middle, right = figure.subplots(1, 3)
        left.imshow(solution.certificate.answer["plan"], cmap="Blues", vmin=0, aspect="equal", interpolation="nearest")
        left.set(xlabel="column", ylabel="row", title="plan")
        left.locator_params(integer=True)
        _plot_error(middle, solution, "marginals")
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
    """States of the first chain against time in τ, histograms of all, and mean and covariance against the reference's.

    Beside the histogram of one variable is its exact density. At temperature 0 the energy stands there.
    """
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
        if certificate.law is not None:
            _plot_density(middle, solution, certificate.law.values)
        else:
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


def _plot_density(axis: Axes, solution: Solution, values: NDArray[np.float64]) -> None:
    """Histogram of each state over the points of all chains, shape (points, n), and the exact density of one variable."""
    flow, column = solution.flow, 0
    edges = np.linspace(values.min(), values.max(), _BINS + 1)
    for k, name in enumerate(flow.states):
        for label in (name, *(f"_{name}" for _ in range(flow.states[name].size - 1))):
            counted, _ = np.histogram(values[:, column], edges, density=True)
            axis.stairs(counted, edges, color=PALETTE[k % len(PALETTE)], lw=1.0, label=label)
            column += 1
    problem = problem_of(flow)
    if isinstance(problem, Langevin) and problem.size == 1:
        free = boltzmann_law(problem).free_energy
        x = np.linspace(edges[0], edges[-1], _DRAWN)
        density = np.exp((free - problem.energy_at(x[:, None])) / problem.temperature)
        axis.plot(x, density, color=INK, lw=0.9, ls="--", label="exact")
    axis.legend(fontsize=7.5)
    axis.set(xlabel=", ".join(flow.states), ylabel="density", ylim=(0, None))


def plot_paths(solution: Solution) -> Figure:
    """One panel for each state and observable against time in τ; a dot where the reference ends.

    One more shows an error of a flow that comes to rest: the first of those that its family has words for, if it has any.
    Of a motion that swings, two show the later half of the run: its cycle, with the points of its section, and its spectrum.
    """
    run, flow, certificate = solution.run, solution.flow, solution.certificate
    names = [*(name for name in flow.states if name != flow.clock), *flow.observables]
    rests = flow.end_time is None and flow.averaging is None
    labels = judging_family(problem_of(flow)).labels
    error = next((name for name in (*labels, *certificate.errors) if rests and name in certificate.errors), "")
    motion = certificate.motion
    panels = len(names) + bool(error) + 2 * (motion is not None)
    rows = -(-panels // _COLUMNS)
    end = _end(solution)
    with style():
        figure = new_figure(7.2, 0.5 + 2.2 * rows)
        axes = figure.subplots(rows, min(panels, _COLUMNS), squeeze=False).ravel()
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
        if error:
            _plot_error(axes[len(names)], solution, error)
            axes[len(names)].set(xlabel="time (τ)", xlim=(0, end))
        if motion is not None:
            _plot_cycle(axes[panels - 2], solution, motion.found)
            _plot_spectrum(axes[panels - 1], solution, motion.found)
        if dots:
            figure.legend(handles=dots, loc="outside lower right", fontsize=7.5)
        for axis in axes[panels:]:
            axis.set_visible(False)
        figure.suptitle(_title(solution, flow.form or "as given"), fontsize=9)
    return figure


def _plot_cycle(axis: Axes, solution: Solution, found: Oscillation) -> None:
    """The later half of a run in the plane of two states, and where it crosses its section."""
    run, flow = solution.run, solution.flow
    late = run.time >= 0.5 * run.time[-1]
    others = [name for name in flow.states if name not in (found.signal, flow.clock)]
    across = others[0] if others else found.signal
    # One state of several elements is drawn by its first two.
    column = 0 if others or run.values[across].shape[1] < 2 else 1
    element = f"{across}[{column}]" if column else across
    axis.plot(run.values[found.signal][late, 0], run.values[across][late, column], color=PALETTE[0], lw=0.9,
              label=f"_{element}")  # fmt: skip
    seen = found.times >= 0.5 * run.time[-1]
    axis.plot(found.points[found.signal][seen, 0], found.points[across][seen, column], "o", color=PALETTE[1], ms=3,
              label="section")  # fmt: skip
    repeats = "does not repeat itself" if found.period is None else f"period {found.period:.5g} τ"
    axis.set(xlabel=found.signal, ylabel=element)
    axis.legend(fontsize=7)
    axis.set_title(repeats, fontsize=8)


def _plot_spectrum(axis: Axes, solution: Solution, found: Oscillation) -> None:
    """Amplitudes of the harmonics of a period, or the spectrum of a motion without one."""
    if found.period is not None:
        frequencies = np.arange(1, len(found.harmonics) + 1) / found.period
        axis.vlines(frequencies, 0.0, found.harmonics, color=PALETTE[0], lw=2)
        axis.plot(frequencies, found.harmonics, "o", color=PALETTE[0], ms=3, label="_harmonics")
        axis.set(xlim=(0, None), ylim=(0, None))
    else:
        frequencies, amplitudes = spectrum_of(solution.run.time, solution.run.values[found.signal][:, 0])
        shown = frequencies <= _HIGHEST / found.between
        axis.semilogy(frequencies[shown], np.maximum(amplitudes[shown], _LEAST), color=PALETTE[0], lw=0.9, label="_spectrum")
    axis.set(xlabel="frequency (1/τ)", ylabel=f"amplitude in {found.signal}")


def _plot_motion(solution: Solution) -> Figure:
    """The law of a motion in an energy, or at temperature 0 its path."""
    return plot_law(solution) if solution.flow.averaging is not None else plot_paths(solution)


PLOTS: Mapping[str, Callable[[Solution], Figure]] = {
    "capacity": plot_capacity,
    "attention": plot_attention,
    "transport": plot_transport,
    "hopfield": plot_law,
    "langevin": _plot_motion,
}
"""Figure of a run by the name of the flow's family; that of its path for all others."""


def plot_of(family: str) -> Callable[[Solution], Figure]:
    """What draws a run of a family."""
    return PLOTS.get(family, plot_paths)


def _drawn(solution: Solution) -> NDArray[np.intp]:
    """Some of a run's points, the first and the last among them."""
    return np.unique(np.linspace(0, len(solution.run.time) - 1, _DRAWN).astype(int))


def _plot_error(axis: Axes, solution: Solution, name: str) -> None:
    """Draw an error of the certificate as it was on the way, under its family's words."""
    problem, points = problem_of(solution.flow), _drawn(solution)
    errors = judge_along(problem, solution.run, points)[name]
    said = judging_family(problem).label(name)
    axis.semilogy(solution.run.time[points], errors.clip(_LEAST), color=PALETTE[1], lw=1.2, label=said)
    axis.set(ylabel=textwrap.fill(f"{said} (nat)" if name.endswith("nats") else said, _LABEL))


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
