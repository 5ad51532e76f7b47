"""A new block: what it computes, how a circuit does and how it is drawn stand in its class; one function places it."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest

import analogflow as af
from analogflow.blocks import Array, Block, Derivative, Diagonal
from analogflow.report import draw_blocks, history_table

TARGETS = np.array([0.5, -1.2])


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Cube(Block):
    """y = x³."""

    ports: ClassVar = ("x",)
    symbol: ClassVar = "x³"

    def relation(self, *inputs: Array) -> Array:
        return inputs[0] ** 3

    def derivative(self, *inputs: Array) -> tuple[Derivative, ...]:
        return (Diagonal(3 * inputs[0] ** 2),)

    def formula(self, *operands: str) -> str:
        return f"{operands[0]}*{operands[0]}*{operands[0]}"


def cube(x):
    return x**3 if isinstance(x, np.ndarray) else x.builder.place(Cube(size=x.size), (x,), x.shape)


def cubes(x, target):
    return target - cube(x) - x


FLOW = af.Flow(cubes, {"x": np.zeros(2)}, constants={"target": TARGETS})


def held(run: af.Run) -> None:
    x = run.final["x"]
    np.testing.assert_allclose(x**3 + x, TARGETS, atol=1e-6)


def test_the_block_engine_runs_it():
    held(af.simulate(af.compile(FLOW), engine="block"))


@pytest.mark.ngspice
def test_ngspice_runs_it():
    held(af.simulate(af.compile(FLOW), engine="ngspice"))


def test_samples_with_deviations_run_it():
    run = af.ensemble(af.compile(FLOW), 3, imperfections=af.Imperfections(gain_error=1e-3), time_constants=20.0)
    assert run.ok.all()
    assert run.record["evaluator"] == "numpy"
    assert np.ptp(run.final["x"], axis=0).min() > 0


def test_a_netlist_holds_its_formula():
    assert "v(integrator0_0)*v(integrator0_0)*v(integrator0_0)" in af.netlist(af.compile(FLOW)).text


def test_explain_tells_of_it():
    circuit = af.compile(FLOW)
    assert [*history_table(circuit).columns[1].cells] == [str(step.blocks) for step in circuit.history]
    assert "cube" in str(circuit.graph)
    assert [circuit.graph.source(node).text for node in circuit.graph if node.startswith("cube")] == [
        "return target - cube(x) - x"
    ]


def test_a_flow_that_places_it_by_itself_is_where_it_comes_from():
    flow = af.Flow(lambda x: x.builder.place(Cube(size=x.size), (x,), x.shape), {"x": np.zeros(2)})
    graph = flow.graph()
    assert ["lambda x: x.builder.place" in graph.source(node).text for node in graph if node.startswith("cube")] == [True]


def test_a_diagram_shows_its_symbol():
    texts = [text.get_text() for axes in draw_blocks(FLOW.graph()).axes for text in axes.texts]
    assert "x³" in texts


def test_a_technology_without_a_cell_for_it_says_so():
    with pytest.raises(af.NoCell, match=r"no cell for the block 'cube', placed by .*test_new_block\.py"):
        af.compile(FLOW, technology="opamp")
