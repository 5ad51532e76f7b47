"""What this package offers, once; each is loaded on first use."""

from analogflow.judgement.agreement import Agreement as Agreement
from analogflow.judgement.agreement import Parity as Parity
from analogflow.judgement.agreement import cross_check as cross_check
from analogflow.judgement.agreement import parity as parity
from analogflow.judgement.budget import Budget as Budget
from analogflow.judgement.budget import error_budget as error_budget
from analogflow.judgement.budget import predict as predict
from analogflow.judgement.certificate import Certificate as Certificate
from analogflow.judgement.certificate import certify as certify
from analogflow.judgement.certificate_file import Recheck as Recheck
from analogflow.judgement.certificate_file import check_certificate as check_certificate
from analogflow.judgement.certificate_file import refuse_certificate as refuse_certificate
from analogflow.judgement.certificate_file import write_certificate as write_certificate
from analogflow.judgement.deck_check import DeckCheck as DeckCheck
from analogflow.judgement.deck_check import check_deck as check_deck
from analogflow.judgement.device_budget import DeviceBudget as DeviceBudget
from analogflow.judgement.device_budget import noise_budget as noise_budget
from analogflow.judgement.judging import Judgement as Judgement
from analogflow.judgement.judging import judge as judge
from analogflow.judgement.levels import Level as Level
from analogflow.judgement.levels import verification_levels as verification_levels
from analogflow.judgement.modes import Rest as Rest
from analogflow.judgement.modes import modes_of as modes_of
from analogflow.judgement.restart import restart_classes as restart_classes
from analogflow.judgement.trimming import Trimmed as Trimmed
from analogflow.judgement.trimming import trim as trim
