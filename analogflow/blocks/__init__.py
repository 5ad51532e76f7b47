"""The catalogue of blocks: what each computes, its derivative and its ports. A docstring is the block's equation."""

from analogflow.blocks.block import Block, Dense, Diagonal, LinearMap, Scaled
from analogflow.blocks.imperfections import Imperfections, OutputStage
from analogflow.blocks.integrator import Integrator
from analogflow.blocks.linear import Constant, Crossbar, Gain, Input, Sum, Wire
from analogflow.blocks.nonlinear import Divider, Exp, Log, Multiplier, PositivePart, Sine, SquareRoot, Tanh
from analogflow.blocks.product import MatrixProduct
from analogflow.blocks.stochastic import NoiseSource
from analogflow.blocks.switching import Comparator, Switch
from analogflow.blocks.vector import Normaliser, Softmax

__all__ = [
    "CATALOGUE",
    "Block",
    "Comparator",
    "Constant",
    "Crossbar",
    "Dense",
    "Diagonal",
    "Divider",
    "Exp",
    "Gain",
    "Imperfections",
    "Input",
    "Integrator",
    "LinearMap",
    "Log",
    "MatrixProduct",
    "Multiplier",
    "NoiseSource",
    "Normaliser",
    "OutputStage",
    "PositivePart",
    "Scaled",
    "Sine",
    "Softmax",
    "SquareRoot",
    "Sum",
    "Switch",
    "Tanh",
    "Wire",
]

CATALOGUE: tuple[type[Block], ...] = (
    Constant,
    Input,
    Integrator,
    Crossbar,
    Sum,
    Gain,
    Wire,
    Multiplier,
    Divider,
    Log,
    Exp,
    SquareRoot,
    PositivePart,
    Tanh,
    Sine,
    Softmax,
    Normaliser,
    Comparator,
    Switch,
    NoiseSource,
    OutputStage,
    MatrixProduct,
    Scaled,
)
"""Every kind of block there is, in the order the documentation lists them."""
