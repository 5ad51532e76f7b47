"""The catalogue of blocks: what each computes, its derivative and its ports. A docstring is the block's equation."""

from analogflow.blocks.block import Block, Dense, Diagonal
from analogflow.blocks.linear import Constant, Crossbar, Gain, Input, Integrator, Sum, Wire
from analogflow.blocks.nonlinear import Divider, Exp, Log, Multiplier, PositivePart, SquareRoot, Tanh
from analogflow.blocks.product import MatrixProduct
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
    "Input",
    "Integrator",
    "Log",
    "MatrixProduct",
    "Multiplier",
    "Normaliser",
    "PositivePart",
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
    Softmax,
    Normaliser,
    Comparator,
    Switch,
    MatrixProduct,
)
"""Every kind of block there is, in the order the documentation lists them."""
