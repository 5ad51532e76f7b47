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
from tables import Section, Table, machine, report, table
from threadpoolctl import threadpool_limits

import analogflow as af
from analogflow.comparison import Comparison, prices
from analogflow.comparison.scaling import KINDS, measure_scaling
from analogflow.digital import blahut_arimoto, blahut_iteration
from analogflow.families.files import read_problem
from analogflow.report import alt_text, plot_comparison, plot_scaling
from analogflow.run import settling_times

ROOT = Path(__file__).parents[1]
DATA = ROOT / "examples/data"
DOCUMENT = ROOT / "docs/comparison.md"
PICTURE = ROOT / "docs/images/comparison-capacity.svg"
SCALING_PICTURE = ROOT / "docs/images/comparison-scaling.svg"
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


def families() -> Section:
    """Every family's example at its usual accuracy."""
    found = {name: af.compare(read_problem(name, DATA / file)) for name, file in FILES.items()}
    body = table(
        ("family", "contender", "delivers", "effective bits", "time to the accuracy", "energy (J)"),
        [row for one in found.values() for row in rows(one)],
    )
    asked = "; ".join(f"{name} {one.accuracy:g} {one.unit}".strip() for name, one in found.items())
    figure = plot_comparison(found["capacity"])
    af.save_figure(figure, PICTURE, force=True)
    return f"Asked for: {asked}.", body, f"![{alt_text(figure)}](images/{PICTURE.name})"


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


def plain_blahut(p: np.ndarray, A: np.ndarray, gap: float) -> np.ndarray:
    """Blahut's iteration for rate-distortion as anyone would write it, with his bound."""
    q = np.full(A.shape[1], 1 / A.shape[1])
    while True:
        conditional = q * A
        conditional /= conditional.sum(axis=1, keepdims=True)
        q = p @ conditional
        c = (p[:, None] * A / (A @ q)[:, None]).sum(axis=0)
        if np.log(c.max()) <= gap:
            return q


def counterparts() -> Table:
    """Blahut-Arimoto and Blahut in plain NumPy, dit, and Sinkhorn of POT; errors of both answers are the judge's."""
    import dit
    import ot

    from analogflow.comparison.solvers import solvers_of

    sinkhorn = next(solver for solver in solvers_of("transport") if solver.name == "sinkhorn")
    body = []

    def row(what: str, beside: str, problem: Any, ours: Callable[[], Any], theirs: Callable[[], Any]) -> None:
        judge = af.comparison.judge_of(problem)
        mine, other = side_by_side(ours, theirs)
        errors = [f"{judge.error(run()):.1e}" for run in (ours, theirs)]
        body.append((what, beside, f"{mine:.2e}", f"{other:.2e}", f"{other / mine:.2f}", *errors))

    with threadpool_limits(1):
        for n in (3, 16, 64, 256):
            P = np.random.default_rng(n).dirichlet(np.ones(n), n)
            channel = af.Channel(P)
            row(
                f"capacity, {n} × {n}, gap 1e-4", "NumPy", channel,
                lambda c=channel: blahut_arimoto(c, gap=1e-4, most=10**6).input_distribution,
                lambda p=P: plain_blahut_arimoto(p, 1e-4),
            )  # fmt: skip
        for n in (3, 16):
            P = np.random.default_rng(n).dirichlet(np.ones(n), n)
            channel = af.Channel(P)
            names = [str(k) for k in range(n)]
            rows = [dit.Distribution(names, row) for row in P]
            row(
                f"capacity, {n} × {n}, interior point, gap 1e-9", "dit, as it stops", channel,
                lambda c=channel: af.reference.capacity_reference(c, gap=1e-9).input_distribution,
                lambda r=rows: dits_answer(r),
            )  # fmt: skip
        for n in (4, 64):
            rng = np.random.default_rng(n)
            problem = af.RateDistortion(rng.dirichlet(np.full(n, 5.0)), 1 - np.eye(n), 3.0)
            row(
                f"rate-distortion, {n} × {n}, gap 1e-6", "NumPy", problem,
                lambda p=problem: blahut_iteration(p, gap=1e-6).reproduction,
                lambda p=problem: plain_blahut(p.source, p.gibbs, 1e-6),
            )  # fmt: skip
        for n in (8, 64, 256, 512):
            rng = np.random.default_rng(n)
            cost, a, b = rng.uniform(0, 1, (n, n)), rng.dirichlet(np.full(n, 5.0)), rng.dirichlet(np.full(n, 5.0))
            row(
                f"Sinkhorn, {n} × {n}, ε = 0.1", "POT", problem := af.Transport(cost, a, b, 0.1),
                lambda p=problem: sinkhorn.run(p, 1e-9, 30.0, 0).answer,
                lambda c=cost, x=a, y=b: (ot.sinkhorn(x, y, c, 0.1, stopThr=1e-9, numItermax=100_000), None),
            )  # fmt: skip
    head = ("problem", "beside", "ours (s)", "theirs (s)", "times as fast", "error of ours", "of theirs")
    return table(head, body)


def dits_answer(rows: list[Any]) -> np.ndarray:
    """Input distribution of dit's Blahut-Arimoto, which stops where the capacity changes little."""
    import dit

    _, found = dit.algorithms.channelcapacity.channel_capacity(rows)
    return np.asarray(found)


def hardware() -> Table:
    """The paper's channel at 1e-3 nat: where time and energy of its circuits come from."""
    from analogflow.hardware.parts_list import parts_list

    channel = read_problem("capacity", DATA / FILES["capacity"])
    body = []
    for name in ("translinear", "opamp"):
        for delay in (0.05, 0.005) if name == "opamp" else (0.05,):
            heeded: dict[str, Any] = {"delay_fraction": delay} if name == "opamp" else {}
            circuit = af.compile(af.flows.capacity(channel), technology=name, **heeded)
            solution = af.solve(channel, technology=name, **heeded)
            judge = af.comparison.judge_of(channel)
            run, z = solution.run, np.asarray(solution.certificate.reference["input_distribution"])
            errors = np.array([judge.error(one) for one in run.values["z"]])
            off = abs(run.values["z"] - z).max(axis=1)
            bill = parts_list(circuit)
            parts = circuit.parts
            assert parts is not None  # both technologies are built of parts
            amplifiers = 2 * parts.supply * sum(e.current for e in bill.entries if e.part == parts.op_amp.name)
            cells = []
            for measured in (errors, off):
                seconds = float(settling_times(run.time, measured, 1e-3)) * circuit.units.time_constant
                cells += (
                    ["missed"] * 2 if math.isnan(seconds) else [f"{1e3 * seconds:.1f}", f"{1e3 * seconds * bill.power:.2g}"]
                )
            label = f"{name}, delays {100 * delay:g} %" if name == "opamp" else name
            body.append((label, f"{1e6 * circuit.units.time_constant:.0f}", f"{1e3 * bill.power:.0f}",
                         f"{100 * amplifiers / bill.power:.0f}", *cells))  # fmt: skip
    head = ("circuit", "τ (µs)", "static power (mW)", "of it op-amps (%)", "gap 1e-3 nat: ms", "mJ", "z to 1e-3: ms", "mJ")
    return table(head, body)


def scaling() -> Section:
    """Settling, parts and digital work of channels against their size."""
    measured = [measure_scaling(kind) for kind in KINDS]
    af.save_figure(plot_scaling(measured), SCALING_PICTURE, force=True)
    body = [
        (one.kind, str(p.inputs), f"{p.settling:.1f}", str(p.parts), f"{p.board_seconds:.1e}", f"{p.board_joules:.1e}",
         f"{p.digital_seconds:.1e} ({p.faster})", f"{p.operations:.1e}", f"{p.digital_joules:.1e} ({p.cheaper})",
         f"{p.chip_seconds:.1e}", f"{p.chip_joules:.1e}")
        for one in measured for p in one.points
    ]  # fmt: skip
    names = ("settling", "parts", "board_seconds", "board_joules", "digital_seconds", "operations", "digital_joules",
             "chip_seconds", "chip_joules")  # fmt: skip
    fitted = [(one.kind, *(f"{value:.2f} ± {error:.2f}" for value, error in map(one.exponent, names))) for one in measured]
    crossing = [
        (one.kind, *(str(one.crossover(f"{side}_{unit}", f"digital_{unit}") or "none up to here")
                     for side in ("board", "chip") for unit in ("seconds", "joules")))
        for one in measured
    ]  # fmt: skip
    columns = ("settling (τ)", "parts", "board (s)", "board (J)", "digital (s)", "digital work", "digital (J)", "a chip (s)",
               "a chip (J)")  # fmt: skip
    return (
        table(("channels", "n", *columns), body),
        table(("exponent of n", *columns), fitted),
        table(
            ("less than the best solver from n =", "board, time", "board, energy", "a chip, time", "a chip, energy"),
            crossing,
        ),
        f"![{alt_text(plot_scaling(measured))}](images/{SCALING_PICTURE.name})",
    )


def assumed() -> Table:
    """Prices with their sources."""
    listed = prices(None).table.items()
    return table(("price", "value", "source"), [(name, f"{p.value:g} {p.unit}", p.source) for name, p in listed])


if __name__ == "__main__":
    sections = {
        "machine": lambda: machine("numpy", "scipy", "POT", "dit"),
        "families": families,
        "hardware": hardware,
        "counterparts": counterparts,
        "scaling": scaling,
        "assumed": assumed,
    }
    report(__doc__, DOCUMENT, sections)
