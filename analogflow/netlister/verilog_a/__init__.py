"""From a circuit to Verilog-A: modules a chip designer can take away, and a test bench that places them."""

from analogflow.netlister.verilog_a.bench import ANALYSIS, Bench, bench
from analogflow.netlister.verilog_a.files import write_verilog_a
from analogflow.netlister.verilog_a.modules import HEADER, Module

__all__ = ["ANALYSIS", "HEADER", "Bench", "Module", "bench", "write_verilog_a"]
