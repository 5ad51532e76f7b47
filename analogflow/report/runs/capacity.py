"""Figures of runs."""

from __future__ import annotations

from matplotlib.figure import Figure

from analogflow.report.figure import INK, MUTED, PALETTE, new_figure, plot_lines, style
from analogflow.solution import Solution

__all__ = ["plot_capacity"]


def plot_capacity(solution: Solution) -> Figure:
    """Input distribution z(t), mutual information I(z(t)) and its distance from the capacity, against time in τ."""
    run, certificate = solution.run, solution.certificate
    z, information = run.values["z"], run.values["capacity_nats"][:, 0]
    capacity = certificate.reference["capacity_nats"]
    settling = solution.settling_time
    end = min(run.time[-1], 1.3 * settling) if settling else run.time[-1]
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
        figure.suptitle(
            f"{solution.flow.family} flow, {solution.flow.form} form, {solution.circuit.technology} technology, "
            f"{solution.engine} engine", fontsize=9)  # fmt: skip
    return figure
