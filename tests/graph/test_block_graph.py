"""A graph of blocks against NetworkX, which draws it and finds its loops: order, readers, and what a node comes from."""

import networkx as nx
import pytest
from zoo import PAPER

import analogflow as af
from analogflow.block_engine import VectorField
from analogflow.graph import BlockGraph

GRAPHS = {
    "capacity": lambda: af.compile(af.flows.capacity(PAPER)).graph,
    "oscillator": lambda: (
        af.compile(
            af.flows.custom(
                af.Equations({"x": 1.0, "y": 0.0}, {"x": "y", "y": "4*(1 - x*x)*y - x"}, observables={"r": "x*x + y*y"})
            )
        ).graph
    ),
}


@pytest.fixture(params=GRAPHS)
def graph(request):
    return GRAPHS[request.param]()


def test_the_order_is_that_of_networkx(graph):
    integrators, rank = set(graph.states.values()), {node: k for k, node in enumerate(graph)}
    open_loop = nx.MultiDiGraph()
    open_loop.add_nodes_from(graph.network)
    open_loop.add_edges_from((a, b) for a, b in graph.network.edges() if b not in integrators)
    assert graph.order() == list(nx.lexicographical_topological_sort(open_loop, key=rank.__getitem__))


def test_readers_and_inputs_are_the_edges(graph):
    for node in graph:
        assert sorted(graph.readers(node)) == sorted(b for _, b, _ in graph.network.out_edges(node, keys=True))
        assert list(graph.inputs(node)) == [
            a for a, _, _ in sorted(graph.network.in_edges(node, keys=True), key=lambda e: e[2])
        ]


def test_what_a_node_needs_are_its_ancestors(graph):
    for node in graph:
        assert graph.needed_by([node]) == {node, *nx.ancestors(graph.network, node)}
    assert graph.needed_by([]) == set()


def test_the_part_behind_states_moves_them_as_the_whole_does(graph):
    part, whole = (VectorField(each) for each in (graph.behind(graph.states), graph))
    y = graph.initial() + 0.1
    assert part(0.0, y) == pytest.approx(whole(0.0, y), abs=0)
    assert not part.graph.observables
    assert set(part.graph) <= set(graph.needed_by(graph.states.values()))


def test_a_loop_without_an_integrator_is_left_out_of_the_order():
    graph = GRAPHS["oscillator"]()
    node = next(node for node in graph if graph.readers(node) and node not in graph.states.values() and graph.inputs(node))
    looped = BlockGraph(
        graph.blocks, graph.sources, (*graph.wires, (node, node, 9)), graph.states, graph.observables, graph.shapes
    )
    assert node not in looped.order()
    assert len(graph.order()) == len(graph)
