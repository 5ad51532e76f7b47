"""False passes of perturb and restart in noise, and its rates on planted support losses and on sound runs.

Run from the project's root; ``--write`` puts the table into docs/verify.md.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from tables import Section, Table, machine, report, table

import analogflow as af
from analogflow.families.files import read_problem
from analogflow.flows.capacity import FORMS as CAPACITY_FORMS
from analogflow.flows.rate_distortion import FORMS as RATE_DISTORTION_FORMS
from analogflow.judgement.restart import PASSES
from analogflow.studies.statistics import rate_estimate

ROOT = Path(__file__).parents[1]
DOCUMENT, DATA = ROOT / "docs/verify.md", ROOT / "examples/data"
LONG = 300.0
DEAD = 1e-300
"""Where a planted loss starts in ngspice, where a start of 0 is an input that may not be used."""


GONE = 1e-4
"""Below this an input that needs a ninth at least is lost."""

SPICED = 20

HEAD = ("set", "runs", "called lost [95 %]", "confirmed", "other optimum", "wrong answer", "not settled")

NOISY, SIGMAS, LIMIT = 200, (0.001, 0.01, 0.02, 0.05, 0.1), 0.05
"""Samples, σ (flow units per √τ), and the largest certified gap, nats, that `solve` lets pass where there is noise."""

NOISY_HEAD = ("form", "σ", "gap above limit", "passes of these", "passes", "support lost", "wrong answer", "not settled")


def channels(count: int, size: int) -> list[af.Channel]:
    """Random channels whose optimum gives every input a third of its fair share at least."""
    rng, found = np.random.default_rng(size), []
    while len(found) < count:
        channel = af.Channel(0.4 * np.eye(size) + 0.6 * rng.dirichlet(np.ones(size), size))
        if af.solve(channel, engine="block").run.final["z"].min() > 1 / (3 * size):
            found.append(channel)
    return found


def sources(count: int, size: int) -> list[af.RateDistortion]:
    """Random sources whose optimum uses every reproduction letter."""
    rng, found = np.random.default_rng(10 + size), []
    while len(found) < count:
        problem = af.RateDistortion(source=rng.dirichlet(4 * np.ones(size)), distortion=1 - np.eye(size), beta=3.0)
        if af.solve(problem, engine="block").run.final["q"].min() > 1 / (3 * size):
            found.append(problem)
    return found


def without(size: int) -> np.ndarray:
    """Starts that each lack one component."""
    return (1 - np.eye(size)) / (size - 1)


def lost(make: Any, problems: list[Any], state: str) -> np.ndarray:
    """Verdicts on runs that start without a component that they need."""
    verdicts = []
    for problem in problems:
        circuit = af.compile(make(problem))
        starts = without(circuit.flow.states[state].size)
        runs = af.ensemble(circuit, len(starts), start={state: starts}, time_constants=LONG)
        verdicts.append(af.restart_classes(circuit, runs))
    return np.concatenate(verdicts)


def sound(make: Any, problems: list[Any], noise: float) -> np.ndarray:
    """Verdicts on runs that start in the middle, four noises each."""
    verdicts = []
    for problem in problems:
        circuit, played = af.compile(make(problem)), af.Noise(noise, 3)
        runs = af.ensemble(circuit, 4, noise=played, time_constants=LONG, step_accuracy=1e-7)
        verdicts.append(af.restart_classes(circuit, runs))
    return np.concatenate(verdicts)


def spiced(problems: list[Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same in ngspice, one planted loss and one sound run for each channel.

    A planted input grows from what Newton's steps leave of it, 1e-13 or so; where the first run has ended before it is
    back, it is lost. Verdicts on those runs, on the others, and on sound runs.
    """
    lost, back, healthy = [], [], []
    for problem in problems:
        start = np.maximum(without(len(problem.transition))[0], DEAD)
        dead = af.verify(af.Channel(problem.transition, initial=start / start.sum()), form="replicator", engine="ngspice")
        (lost if abs(dead.solution.run.final["z"][0]) < GONE else back).append(dead.verdict.name)
        healthy.append(af.verify(problem, form="replicator", engine="ngspice").verdict.name)
    return np.array(lost), np.array(back), np.array(healthy)


EXAMPLES = (
    ("capacity", "paper_channel.csv"),
    ("rate-distortion", "rate_distortion_hamming.json"),
    ("transport", "transport_three.json"),
    ("transport", "transport_cooling.json"),
    ("attention", "attention_three_tokens.json"),
    ("hopfield", "hopfield_rest.json"),
    ("hopfield", "hopfield_law.json"),
    ("langevin", "langevin_double_well.json"),
    ("langevin", "langevin_coupled.json"),
)


def families() -> Table:
    """The examples of every family, in both engines."""
    rows = []
    for family, name in EXAMPLES:
        problem, said = read_problem(family, DATA / name), []
        for engine in ("block", "ngspice"):
            verdict = af.verify(problem, engine=engine).verdict
            said += [verdict.name, f"{verdict.distance:.1e}"]
        rows.append((family, f"`{name}`", *said))
    return table(("family", "example", "block engine", "apart", "ngspice", "apart"), rows)


def row(what: str, verdicts: np.ndarray) -> tuple[str, ...]:
    """Counts of a set, and how often a loss was called."""
    called = rate_estimate(int((verdicts == "support lost").sum()), len(verdicts))
    counts = (str(int((verdicts == name).sum())) for name in HEAD[3:])
    share = f"{called.value:.3f} [{called.low:.3f}, {called.high:.3f}]"
    return what, str(len(verdicts)), share, *counts


def rates() -> Table:
    """All sets."""
    small, large, letters = channels(100, 3), channels(40, 5), sources(40, 4)
    capacity, gibbs = af.flows.capacity, af.flows.rate_distortion
    rows = [
        row("planted: capacity, replicator, 3 inputs", lost(lambda c: capacity(c, form="replicator"), small, "z")),
        row("planted: capacity, replicator, 5 inputs", lost(lambda c: capacity(c, form="replicator"), large, "z")),
        row("planted: rate-distortion, gibbs, 4 letters", lost(lambda p: gibbs(p, form="gibbs"), letters, "q")),
    ]
    for noise in (0.0, 0.003):
        for form in ("logdomain", "replicator", "normalised"):
            verdicts = sound(lambda c, f=form: capacity(c, form=f), small, noise)
            rows.append(row(f"sound: capacity, {form}, σ = {noise:g}", verdicts))
        rows.append(
            row(f"sound: rate-distortion, gibbs, σ = {noise:g}", sound(lambda p: gibbs(p, form="gibbs"), letters, noise))
        )
    return table(HEAD, rows)


def spice() -> Section:
    """The sets in ngspice."""
    lost, back, healthy = spiced(channels(SPICED, 3))
    rows = [row("lost at the end of the first run", lost), row("sound", healthy)]
    said = f"Of {len(lost) + len(back)} planted inputs {len(back)} had come back or, below 0, run away by then."
    return table(HEAD, rows), said


def gaps(problem: Any, answers: np.ndarray) -> np.ndarray:
    """Certified gap of each answer, nats, written out again here: what the package says of itself is what is judged."""
    shares = np.maximum(answers, 0) / np.maximum(answers, 0).sum(axis=1, keepdims=True)
    found = []
    for share in shares:
        if isinstance(problem, af.Channel):
            P = np.asarray(problem.transition)
            divergences = [sum(p * np.log(p / q) for p, q in zip(row, share @ P, strict=True) if p > 0) for row in P]
            found.append(max(divergences) - float(np.dot(share, divergences)))
        else:
            kernel = np.exp(-problem.beta * np.asarray(problem.distortion))
            found.append(float(np.log((problem.source / (kernel @ share) @ kernel).max())))
    return np.array(found)


def noisy_sets() -> dict[str, tuple[Any, Any]]:
    """Circuits of every form, and the problems they solve."""
    channel = read_problem("capacity", DATA / "paper_channel.csv")
    source = read_problem("rate-distortion", DATA / "rate_distortion_hamming.json")
    made = {f"capacity, {form}": (channel, af.flows.capacity(channel, form=form)) for form in CAPACITY_FORMS}
    made |= {
        f"rate-distortion, {form}": (source, af.flows.rate_distortion(source, form=form)) for form in RATE_DISTORTION_FORMS
    }
    return {name: (problem, af.compile(flow)) for name, (problem, flow) in made.items()}


def noisy() -> Table:
    """Verdicts on noisy runs of every form: passes while the certified gap is above the limit are false."""
    rows = []
    for name, (problem, circuit) in noisy_sets().items():
        for sigma in SIGMAS:
            noise = af.Noise(sigma, 1)
            runs = af.ensemble(circuit, NOISY, noise=noise, time_constants=60.0, step_accuracy=1e-5)
            verdicts = af.restart_classes(circuit, runs)
            with np.errstate(all="ignore"):
                wrong = ~(gaps(problem, runs.final[circuit.flow.answer]) <= LIMIT)
            passes = np.isin(verdicts, PASSES)
            counts = (int((verdicts == verdict).sum()) for verdict in NOISY_HEAD[5:])
            rows.append((name, f"{sigma:g}", *map(str, (wrong.sum(), (wrong & passes).sum(), passes.sum(), *counts))))
            print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    return table(NOISY_HEAD, rows)


if __name__ == "__main__":
    sections = {
        "noisy": noisy,
        "machine": lambda: machine("numpy", "scipy"),
        "families": families,
        "rates": rates,
        "spice": spice,
    }
    report(__doc__, DOCUMENT, sections)
