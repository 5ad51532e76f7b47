"""Holds a run's output against an independent reference, engines against each other, and errors against their causes."""

from analogflow.validation.agreement import Agreement, cross_check
from analogflow.validation.budget import Budget, error_budget
from analogflow.validation.certificate import Certificate, Check, certify
from analogflow.validation.judgement import Judgement, judge
from analogflow.validation.levels import Level, verification_levels
from analogflow.validation.parity import Parity, parity
from analogflow.validation.sensitivity import Prediction, predict

__all__ = [
    "Agreement",
    "Budget",
    "Certificate",
    "Check",
    "Judgement",
    "Level",
    "Parity",
    "Prediction",
    "certify",
    "cross_check",
    "error_budget",
    "judge",
    "parity",
    "predict",
    "verification_levels",
]
