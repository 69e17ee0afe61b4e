"""Emulated projects and configurations for whole runs; each is rendered once per session."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from daemon.config import load
from daemon.emulator import EmulatorSettings, configuration_table, emulate, parse_fault
from daemon.outputs import Outputs
from daemon.toml_text import toml_text

SMALL = EmulatorSettings(slices=7, height=256, width=320, seed=11)


@dataclass(frozen=True)
class Acquisition:
    """A finished emulated project, with a configuration for it."""

    project: Path
    truth: Path
    config: Path

    @property
    def outputs(self) -> Outputs:
        """Where a run of the configuration writes."""
        return Outputs(load(self.config).run.output)


Acquire = Callable[..., Acquisition]
Mount = Callable[..., Path]


@pytest.fixture(scope="session")
def rendered(tmp_path_factory) -> Callable[[EmulatorSettings], Path]:
    """Renders a project once per settings; do not write into it."""
    done: dict[str, Path] = {}

    def render(settings: EmulatorSettings) -> Path:
        key = repr(settings)
        if key not in done:
            root = tmp_path_factory.mktemp("emulated")
            emulate(settings, root / "project", truth=root / "truth.npz", sleep=lambda _s: None)
            done[key] = root
        return done[key]

    return render


@pytest.fixture
def acquire(rendered, tmp_path) -> Acquire:
    """A copy of an emulated project with its configuration; keyword arguments change tables of it."""

    def make(
        settings: EmulatorSettings = SMALL, faults: tuple[str, ...] = (), **changes: dict[str, Any]
    ) -> Acquisition:
        settings = replace(settings, faults=tuple(parse_fault(fault) for fault in faults))
        root = rendered(settings)
        project = tmp_path / "project"
        shutil.copytree(root / "project", project)
        config = tmp_path / "run.toml"
        table = configuration_table(settings, project, tmp_path / "output")
        table["publish"] = {name: f"tcp://127.0.0.1:{free_port()}" for name in ("events", "control")}
        table["segmentation"] = {"providers": ["CPUExecutionProvider"], "threads": 1}
        for name, change in changes.items():
            table[name] = {**table.get(name, {}), **change}
        config.write_text(toml_text(table), encoding="utf-8")
        return Acquisition(project, root / "truth.npz", config)

    return make


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def free_ports() -> tuple[int, int]:
    """Two of them, for events and control."""
    return free_port(), free_port()


@pytest.fixture
def mount(tmp_path) -> Generator[Mount]:
    """Mounts small memory file systems; skips where this user may not."""
    mounted: list[Path] = []

    def mounted_at(size_mib: int, options: str = "") -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m{options}", "tmpfs", str(folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            pytest.skip("this user may not mount a file system")
        mounted.append(folder)
        return folder

    yield mounted_at
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
