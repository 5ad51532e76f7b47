"""From a NumPy function to a graph of blocks: signals, the operators NumPy lacks, and the graph itself."""

from analogflow.graph.block_graph import BlockGraph
from analogflow.graph.operators import clip, comparator, log, normalise, sign, softmax, switch, waveform, where, white_noise
from analogflow.graph.signal import Signal, SourceLine
from analogflow.graph.tracing import GraphBuilder, restarted, rewritten, trace

__all__ = [
    "BlockGraph",
    "GraphBuilder",
    "Signal",
    "SourceLine",
    "clip",
    "comparator",
    "log",
    "normalise",
    "restarted",
    "rewritten",
    "sign",
    "softmax",
    "switch",
    "trace",
    "waveform",
    "where",
    "white_noise",
]
