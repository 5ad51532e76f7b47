"""Holds a run's output against an independent reference, engines against each other, and errors against their causes."""

from analogflow.judgement.agreement import Agreement, Parity, cross_check, parity
from analogflow.judgement.budget import Budget, error_budget, predict
from analogflow.judgement.certificate import Certificate, certify
from analogflow.judgement.judging import Judgement, judge
from analogflow.judgement.levels import Level, verification_levels
from analogflow.judgement.restart import restart_classes

__all__ = [
    "Agreement",
    "Budget",
    "Certificate",
    "Judgement",
    "Level",
    "Parity",
    "certify",
    "cross_check",
    "error_budget",
    "judge",
    "parity",
    "predict",
    "restart_classes",
    "verification_levels",
]
