"""What is asked: each problem is validated, frozen data without a solution method."""

from analogflow.problems.attention import Attention
from analogflow.problems.channel import Channel
from analogflow.problems.equations import Equations
from analogflow.problems.hopfield import Hopfield
from analogflow.problems.langevin import Langevin
from analogflow.problems.rate_distortion import RateDistortion
from analogflow.problems.transport import Schedule, Transport

__all__ = ["Attention", "Channel", "Equations", "Hopfield", "Langevin", "RateDistortion", "Schedule", "Transport"]
