"""Block diagrams read back from the ink of their .svg: boxes, lines and ports are the graph's, signs those of its sums."""

import io
import itertools
from xml.etree import ElementTree

import numpy as np
import pytest
from drawing_reader import SVG, comment_of, lines_of

import analogflow as af
from analogflow.blocks import Sum
from analogflow.families.files import read_problem
from analogflow.problems import Attention, Channel, Hopfield, RateDistortion, Transport
from analogflow.report.figure import style

CHANNEL = Channel([[0.7, 0.3], [0.1, 0.9]])
FLOWS = {
    "logdomain": af.flows.capacity(CHANNEL),
    "replicator": af.flows.capacity(CHANNEL, form="replicator"),
    "normalised": af.flows.capacity(CHANNEL, form="normalised"),
    "rate-distortion": af.flows.rate_distortion(RateDistortion(source=[0.6, 0.4], distortion=1 - np.eye(2), beta=2.0)),
    "transport": af.flows.transport(Transport(cost=1 - np.eye(2), row=[0.3, 0.7], column=[0.6, 0.4], epsilon=0.5)),
    "attention": af.flows.attention(Attention(tokens=np.eye(2), B=np.eye(2), V=np.eye(2), beta=1.0, time=1.0)),
    "hopfield": af.flows.hopfield(Hopfield(U=[[0.3]], I=[0.5], activation="tanh", temperature=0.0)),
    "custom": af.flows.custom(read_problem("examples/flows/lotka_volterra.toml")),
}


def box_of(lines):
    points = np.concatenate([np.array(line) for line in lines])
    return *points.min(axis=0), *points.max(axis=0)


def read_back(figure):
    """Boxes by node, ends of lines by (origin, target, port), and what stands at ports."""
    text = io.StringIO()
    with style():
        figure.savefig(text, format="svg")
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    boxes, edges, ports = {}, {}, {}
    for group in ElementTree.fromstring(text.getvalue(), parser=parser).iter(f"{SVG}g"):
        match group.get("id", "").split("."):
            case ["block", node]:
                boxes[node] = box_of(lines_of(group))
            case ["edge", origin, target, port]:
                line = lines_of(group)[0]
                edges[origin, target, int(port)] = line[0], line[-1]
            case ["rate", node]:
                line = lines_of(group)[0]
                edges["", node, 0] = line[0], line[-1]
            case ["port", node, port]:
                ports[node, int(port)] = comment_of(group)
    return boxes, edges, ports


def at_side(point, box, side, slack):
    left, low, right, high = box
    near = abs(point[0] - (left if side == "left" else right)) < slack
    return near and low - 1 < point[1] < high + 1


@pytest.mark.parametrize("name", FLOWS)
def test_a_block_diagram_read_back_is_the_graph(name):
    graph = af.compile(FLOWS[name]).graph
    boxes, edges, ports = read_back(af.draw_blocks(graph))
    assert boxes.keys() == set(graph)
    for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
        assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1]), (one, other)
    integrators = set(graph.states.values())
    wanted = {edge for edge in graph.network.edges(keys=True) if edge[1] not in integrators}
    assert {edge for edge in edges if edge[0]} == wanted
    assert {target for origin, target, _ in edges if not origin} == integrators
    heights = {}
    for (origin, target, port), (start, end) in edges.items():
        came_from = origin or graph.inputs(target)[0]
        assert at_side(start, boxes[came_from], "right", 2), (origin, target)
        # The head of an arrow, and the last piece of what leads back, are drawn apart.
        assert at_side(end, boxes[target], "left", 9 if origin else 25), (origin, target)
        heights[target, port] = end[1]
    for node in graph:
        levels = [heights[node, port] for port in range(len(graph.inputs(node)))]
        assert levels == sorted(set(levels)), node  # the first port is on top, and no two are one
        block = graph.block(node)
        if isinstance(block, Sum) and len(block.coefficients) > 1:
            signs = ["+" if c >= 0 else "−" for c in block.coefficients]
            assert [ports[node, k] for k in range(len(signs))] == signs


def test_a_signal_at_two_ports_of_a_block_has_two_lines():
    graph = af.compile(af.Flow(lambda x: -x * x, {"x": np.ones(1)})).graph
    _, edges, _ = read_back(af.draw_blocks(graph))
    square = next(node for node in graph if len(graph.inputs(node)) == 2)
    assert len([edge for edge in edges if edge[1] == square]) == 2
