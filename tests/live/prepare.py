"""Run on the live machine: an emulated acquisition of seven slices, and a daemon that waits for more.

Arguments: the ports of events and control.
"""

import sys
from pathlib import Path

from daemon.emulator import EmulatorSettings, configuration_table, emulate
from daemon.toml_text import toml_text

settings = EmulatorSettings(slices=7, height=256, width=320, seed=11)
project = Path("/srv/acquisition")
table = configuration_table(settings, project, Path("/var/lib/slicewatch/gold"))
table["run"]["expected_slices"] = 99
table["publish"] = dict(
    zip(("events", "control"), map("tcp://127.0.0.1:{}".format, sys.argv[1:]), strict=True)
)
table["segmentation"] = {"providers": ["CPUExecutionProvider"], "threads": 1}
table["abort"] = {"actions": [{"kind": "file", "path": "/var/lib/slicewatch/STOP"}]}
Path("/etc/slicewatch/gold.toml").write_text(toml_text(table), encoding="utf-8")
emulate(settings, project, sleep=lambda _seconds: None)
