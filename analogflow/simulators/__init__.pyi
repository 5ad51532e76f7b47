"""What this package offers, once; each is loaded on first use."""

from analogflow.simulators.engines import ENGINES as ENGINES
from analogflow.simulators.engines import SPICE as SPICE
from analogflow.simulators.engines import Engine as Engine
from analogflow.simulators.engines import deck_for as deck_for
from analogflow.simulators.engines import engine_choice as engine_choice
from analogflow.simulators.engines import engine_for as engine_for
from analogflow.simulators.engines import engine_versions as engine_versions
from analogflow.simulators.engines import ensemble as ensemble
from analogflow.simulators.engines import ensemble_chunks as ensemble_chunks
from analogflow.simulators.engines import named_engine as named_engine
from analogflow.simulators.engines import simulate as simulate
from analogflow.simulators.ngspice.session import TIME_LIMIT as TIME_LIMIT
