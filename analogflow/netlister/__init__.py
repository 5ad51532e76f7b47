"""From a circuit to text: a SPICE deck that runs alone, a plain one for other programs, or a subcircuit."""

from analogflow.netlister.deck import Deck
from analogflow.netlister.plain import DIALECTS, plain_deck
from analogflow.netlister.spice import expecting, netlist, unwritten
from analogflow.netlister.subckt import write_subcircuit

__all__ = ["DIALECTS", "Deck", "expecting", "netlist", "plain_deck", "unwritten", "write_subcircuit"]
