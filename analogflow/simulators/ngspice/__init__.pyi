"""What this package offers, once; each is loaded on first use."""

from analogflow.simulators.ngspice.engine import run as run
