"""What this package offers, once; each is loaded on first use."""

from analogflow.simulators.vacask.engine import refusal as refusal
from analogflow.simulators.vacask.engine import run as run
