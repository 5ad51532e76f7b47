"""Holds a run's output against an independent reference: certificates, errors and checks."""

from analogflow.validation.certificate import Certificate, Check, certify

__all__ = ["Certificate", "Check", "certify"]
