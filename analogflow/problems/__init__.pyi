"""What this package offers, once; each is loaded on first use."""

from analogflow.problems.attention import Attention as Attention
from analogflow.problems.channel import Channel as Channel
from analogflow.problems.equations import Equations as Equations
from analogflow.problems.hopfield import Hopfield as Hopfield
from analogflow.problems.langevin import Langevin as Langevin
from analogflow.problems.rate_distortion import RateDistortion as RateDistortion
from analogflow.problems.transport import Schedule as Schedule
from analogflow.problems.transport import Transport as Transport
