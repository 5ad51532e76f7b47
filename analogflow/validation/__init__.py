"""Holds a run's output against an independent reference, engines against each other, and errors against their causes."""

from analogflow.validation.agreement import Agreement, cross_check
from analogflow.validation.budget import Budget, error_budget
from analogflow.validation.certificate import Certificate, Check, certify
from analogflow.validation.levels import Level, verification_levels
from analogflow.validation.measures import measures, primary_measure
from analogflow.validation.parity import Parity, parity
from analogflow.validation.sensitivity import Prediction, predict

__all__ = [
    "Agreement",
    "Budget",
    "Certificate",
    "Check",
    "Level",
    "Parity",
    "Prediction",
    "certify",
    "cross_check",
    "error_budget",
    "measures",
    "parity",
    "predict",
    "primary_measure",
    "verification_levels",
]
