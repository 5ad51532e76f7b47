"""Writes what must be the same bytes on every machine into a folder: netlists, parts lists and settings of boards.

Run by itself, in a process of its own, since a library of linear algebra chooses its kernels when it is loaded:
``python tests/processors/products.py FOLDER committed|quick|all [SEED]``. With a seed, what runs and sums hand on is off in
its last bits, another way for each seed, as it would be on a processor that nobody here has.
"""

from __future__ import annotations

import dataclasses
import json
import runpy
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import analogflow as af
from analogflow.errors import AnalogflowError
from analogflow.families import FAMILIES
from analogflow.families.files import read_problem
from analogflow.flows import Flow
from analogflow.flows.attention import FORMS as ATTENTION
from analogflow.flows.capacity import FORMS as CAPACITY
from analogflow.flows.rate_distortion import FORMS as RATE_DISTORTION
from analogflow.flows.transport import FORMS as TRANSPORT
from analogflow.hardware.board_fit import map_flow
from analogflow.hardware.parts_list import parts_list
from analogflow.netlister.deck import table_text
from analogflow.problems import Channel

ROOT = Path(__file__).parents[2]
DATA = ROOT / "examples/data"


def lorenz(x, y, z):
    return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z


def ring(x, A):
    return A @ x - x * x * x


def examples() -> Iterator[tuple[str, Flow]]:
    """Every family in every form, as it ships; and channels whose symmetry makes ties."""
    for family, file, forms in (
        ("capacity", "paper_channel.csv", CAPACITY),
        ("rate-distortion", "rate_distortion_hamming.json", RATE_DISTORTION),
        ("transport", "transport_three.json", TRANSPORT),
        ("attention", "attention_three_tokens.json", ATTENTION),
        ("hopfield", "hopfield_rest.json", ("",)),
        ("langevin", "langevin_double_well.json", ("",)),
    ):
        problem = read_problem(family, DATA / file)
        for form in forms:
            yield f"{family}-{form}", FAMILIES[family].flow(problem, **({"form": form} if form else {}))
    for file in sorted((ROOT / "examples/flows").glob("*.toml")):
        yield file.stem, FAMILIES["custom"].flow(read_problem(str(file)))
    rng = np.random.default_rng(5)
    for name, channel in (
        ("symmetric", Channel([[0.89, 0.11], [0.11, 0.89]])),
        ("cyclic", Channel([[0.6, 0.3, 0.1], [0.1, 0.6, 0.3], [0.3, 0.1, 0.6]])),
        ("z", Channel([[1, 0], [0.5, 0.5]])),
        ("five", Channel(rng.dirichlet(np.ones(5), 5))),
    ):
        yield f"capacity-{name}", FAMILIES["capacity"].flow(channel)
    one = np.ones(1)
    yield "lorenz", Flow(lorenz, {"x": one, "y": one, "z": 20 * one}, end_time=1.0)
    around = 0.1 * (np.roll(np.eye(3), 1, axis=0) - np.eye(3))
    yield "ring", Flow(ring, {"x": np.array([0.3, 0.1, 0.7])}, constants={"A": around})


def products(amount: str) -> Iterator[tuple[str, str]]:
    """Name and text of every product; a refusal is one too."""
    if amount == "committed":
        for name, deck in runpy.run_path(str(ROOT / "scripts/generate.py"))["decks"]():
            yield name, deck.text
            yield from ((file, table_text(table)) for file, table in deck.tables.items())
        return
    chosen = [(name, flow) for name, flow in examples() if amount == "all" or name in QUICK]
    for name, flow in chosen:
        for technology in ("ideal", "opamp", "translinear"):
            try:
                exact = af.compile(flow, technology=technology)
                for series in ("",) if technology == "ideal" else ("", "E24", "E96"):
                    circuit = af.choose_values(exact, series) if series else exact
                    yield f"{name}-{technology}-{series}.cir", af.netlist(circuit, time_constants=50.0).text
                    if series:
                        yield f"{name}-{technology}-{series}.csv", parts_list(circuit).to_csv()
            except AnalogflowError as refusal:
                yield f"{name}-{technology}-refused.txt", type(refusal).__name__
        for board in ("lucidac", "that"):
            mapping = map_flow(flow, board).to_dict()
            yield f"{name}-{board}.json", json.dumps({key: mapping[key] for key in ("needs", "configuration")}, indent=1)


QUICK = {"capacity-cyclic", "transport-potential", "ring", "lorenz"}


_SUM, _RUN = 2.0**-52, 1e-12
"""Relative errors, of sums and of the ends of runs, of which a few are added."""


class Shaken:
    """Functions of the package, replaced by ones whose numbers are off in their last bits."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def off(self, value: Any, by: float = _SUM) -> Any:
        return value * (1 + by * self.rng.integers(-2, 3, np.shape(value)))

    def element(self, element: Any) -> Any:
        named = {f.name: getattr(element, f.name) for f in dataclasses.fields(element)}
        return dataclasses.replace(element, **{k: float(self.off(v)) for k, v in named.items() if isinstance(v, float)})

    def circuit(self, circuit: Any) -> Any:
        groups = tuple(dataclasses.replace(g, elements=tuple(map(self.element, g.elements))) for g in circuit.groups)
        start = {node: float(self.off(volts)) for node, volts in circuit.start.items()}
        return dataclasses.replace(circuit, groups=groups, start=start)

    def install(self) -> None:
        scale: Any = import_module("analogflow.passes.scaling")
        values: Any = import_module("analogflow.passes.preferred")
        mapping: Any = import_module("analogflow.hardware.board_fit")
        reach, integrate, nominal = scale.reach, values.integrate, mapping.nominal_run
        netlist, choose_values = af.netlist, values.choose_values

        def shaken_reach(*given: Any) -> Any:
            found = reach(*given)
            sizes = {name: float(self.off(size, _RUN)) for name, size in found.largest.items()}
            return dataclasses.replace(found, largest=sizes, fastest=float(self.off(found.fastest, _RUN)))

        def shaken_integrate(*given: Any, **named: Any) -> Any:
            run = integrate(*given, **named)
            return dataclasses.replace(run, values={k: self.off(v, _RUN) for k, v in run.values.items()})

        def shaken_nominal(*given: Any, **named: Any) -> Any:
            run = nominal(*given, **named)
            return dataclasses.replace(run, states=self.off(run.states, _RUN))

        scale.reach, values.integrate, mapping.nominal_run = shaken_reach, shaken_integrate, shaken_nominal
        af.choose_values = lambda circuit, *given: choose_values(self.circuit(circuit), *given)
        af.netlist = lambda circuit, **named: netlist(self.circuit(circuit), **named)


def main() -> None:
    folder, amount = Path(sys.argv[1]), sys.argv[2]
    if len(sys.argv) > 3:
        Shaken(int(sys.argv[3])).install()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in products(amount):
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
