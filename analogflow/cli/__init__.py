"""The command line: each verb parses, calls one public function and prints: results to standard output, notes to error."""

from analogflow.cli.command_line import main

__all__ = ["main"]
