"""What this package offers, once; each is loaded on first use."""

from analogflow.hardware.board_fit import RESOLUTION as RESOLUTION
from analogflow.hardware.board_fit import BoardFit as BoardFit
from analogflow.hardware.board_fit import map_flow as map_flow
from analogflow.hardware.board_fit import read_back as read_back
from analogflow.hardware.boards import BOARDS as BOARDS
from analogflow.hardware.boards import Board as Board
from analogflow.hardware.boards import Figure as Figure
from analogflow.hardware.boards import board_of as board_of
from analogflow.hardware.boards import load_board as load_board
from analogflow.hardware.configuration_file import check_configuration_file as check_configuration_file
from analogflow.hardware.configuration_file import write_configuration as write_configuration
from analogflow.hardware.equations import ScaledEquation as ScaledEquation
from analogflow.hardware.equations import SetCoefficient as SetCoefficient
from analogflow.hardware.equations import set_coefficients as set_coefficients
from analogflow.hardware.lucidac_run import PATIENCE as PATIENCE
from analogflow.hardware.lucidac_run import DeviceRun as DeviceRun
from analogflow.hardware.lucidac_run import Endpoint as Endpoint
from analogflow.hardware.lucidac_run import check_device as check_device
from analogflow.hardware.lucidac_run import run_on_device as run_on_device
