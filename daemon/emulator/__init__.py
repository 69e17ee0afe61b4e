"""The emulated microscope: an Auto Slice & View 4 project with known truth, written as it would grow.

``emulate`` writes it, ``configuration_table`` says what a user would configure for it, ``load_truth`` what
really happened. Nothing in the daemon depends on this package.
"""

from daemon.emulator.configuration import configuration_table
from daemon.emulator.faults import FAULTS, parse_fault
from daemon.emulator.microscope import emulate, seeded_clock
from daemon.emulator.settings import EmulatorSettings, FaultOrder
from daemon.emulator.truth import Truth, load_truth

__all__ = [
    "FAULTS",
    "EmulatorSettings",
    "FaultOrder",
    "Truth",
    "configuration_table",
    "emulate",
    "load_truth",
    "parse_fault",
    "seeded_clock",
]
