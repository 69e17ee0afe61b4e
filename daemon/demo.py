"""``slicewatch demo``: emulator, daemon and monitor as three real processes, and what came of it.

Nothing is staged: the daemon gets a configuration and a folder, as it would beside a microscope, and only
when it has finished is its output compared with the emulator's truth.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from rich.console import Console
from rich.table import Table

from daemon.config import load
from daemon.emulator import FAULTS, EmulatorSettings, configuration_table, emulate, parse_fault
from daemon.emulator.settings import RecordingDesign, settings_of
from daemon.errors import FolderError, SlicewatchError
from daemon.evaluation import evaluate
from daemon.outputs import Outputs
from daemon.picture import Picture
from daemon.report import write_report
from daemon.sample_kind import SampleKind, Vendor
from daemon.toml_text import toml_text
from daemon.volume_store import write_atomically

_PORTS: Final = (5555, 5556, 8050)
_UNITS: Final = {
    "thickness_rmse_nm": ("thickness RMSE", "nm"),
    "registration_rmse_px": ("registration RMSE", "px"),
    "mp_percent": ("misplaced pixels", "%"),
    "mgp_percent": ("misplaced gold pixels", "%"),
    "mean_dice": ("mean Dice", ""),
    "awe_percent": ("weighted error of the phases", "%"),
    "solid_fraction": ("solid fraction", ""),
    "true_solid_fraction": ("solid fraction, truth", ""),
    "e_tpcf": ("e TPCF", ""),
    "e_lpf": ("e LPF", ""),
    "e_d": ("e D", ""),
    "seconds_per_slice": ("time per slice", "s"),
    "peak_rss_mib": ("peak memory", "MiB"),
}


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """Where a demo keeps everything."""

    root: Path

    @property
    def project(self) -> Path:
        """The emulated acquisition."""
        return self.root / "project"

    @property
    def output(self) -> Path:
        """What the daemon makes of it."""
        return self.root / "output"

    @property
    def truth(self) -> Path:
        """What really happened; the daemon does not know it."""
        return self.root / "truth.npz"

    @property
    def config(self) -> Path:
        """The daemon's configuration."""
        return self.root / "run.toml"

    @property
    def log(self) -> Path:
        """The daemon's log where it is not shown."""
        return self.root / "daemon.log"


def fault_lines() -> list[str]:
    """A line for each fault that the emulated microscope can have."""
    return [f"{kind:<12} {fault.description}" for kind, fault in FAULTS.items()]


def emulate_project(
    folder: Path,
    *,
    slices: int,
    size: tuple[int, int],
    seed: int,
    interval_s: float,
    faults: Sequence[str],
    truth: Path | None,
    config: Path | None,
    picture: Picture = Picture.NETWORK,
    sample: SampleKind = SampleKind.GOLD,
    vendor: Vendor = Vendor.FEI,
) -> None:
    """Write an emulated project, its truth, and a configuration for it if asked.

    Raises
    ------
    ConfigurationError, FolderError
        A setting is impossible, or something cannot be written.
    """
    settings = settings_of(
        sample,
        slices=slices,
        height=size[0],
        width=size[1],
        seed=seed,
        interval_s=interval_s,
        faults=tuple(parse_fault(fault) for fault in faults),
        picture=picture,
        recording=RecordingDesign(vendor=vendor),
    )
    if config is not None:
        output = folder.parent / f"{folder.name}-slicewatch"
        table = configuration_table(settings, folder.absolute(), output.absolute())
        write_atomically(config, toml_text(table))
    console = Console(stderr=True)
    emulate(
        settings,
        folder,
        truth=truth,
        progress=lambda done, total: console.print(f"milled slice {done} of {total}", highlight=False),
    )


def run_demo(
    *,
    slices: int,
    size: tuple[int, int],
    workdir: Path | None,
    seed: int,
    headless: bool,
    quiet: bool,
    picture: Picture = Picture.NETWORK,
    sample: SampleKind = SampleKind.GOLD,
) -> dict[str, Any]:
    """Run the whole job on an emulated microscope; the summary against its truth.

    Raises
    ------
    SlicewatchError
        One of the processes failed.
    """
    folder = DemoFolder((workdir or Path(tempfile.mkdtemp(prefix="slicewatch-demo-"))).resolve())
    _claim(folder)
    console = Console(stderr=True, highlight=False)
    settings = settings_of(sample, slices=slices, height=size[0], width=size[1], seed=seed)
    ports = _free_ports()
    _configure(folder, settings, ports)
    is_terminal = sys.stdout.isatty() and not headless
    with ExitStack() as stack:
        if not headless:
            _start(stack, _monitor_command(ports), folder.root / "monitor.log")
            console.print(f"monitor: [bold]http://127.0.0.1:{ports[2]}[/]")
        interval_s = 2.0 if is_terminal else 0.0
        command = _emulator_command(folder, slices, size, seed, interval_s)
        command += ["--picture", picture.value, "--sample", sample.value]
        microscope = _start(stack, command, folder.root / "emulator.log")
        _await_project(folder, microscope)
        daemon = _start(stack, ["run", str(folder.config)], folder.log if quiet else None)
        if daemon.wait() != 0:
            raise _failed("the daemon", folder.log if quiet else folder.root, daemon.returncode)
        summary = evaluate(Outputs(folder.output), folder.truth, load(folder.config))
        write_report(folder.output)
        _print_summary(console, summary, folder)
        if is_terminal:
            _stay(console, ports[2])
    return summary


def _claim(folder: DemoFolder) -> None:
    """Make the folder; one that was used for a demo is not used for another."""
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
        is_used = any(folder.root.iterdir())
    except OSError as error:
        raise FolderError(
            f"the demo's folder cannot be made: {error.strerror or error}",
            where=str(folder.root),
            remedy="Give --workdir a new folder, or leave it out.",
        ) from error
    if is_used:
        raise FolderError(
            "the demo's folder is not empty",
            where=str(folder.root),
            remedy="Give --workdir a new folder, or leave it out.",
        )


def _configure(folder: DemoFolder, settings: EmulatorSettings, ports: Sequence[int]) -> None:
    table = configuration_table(settings, folder.project, folder.output)
    endpoints = [f"tcp://127.0.0.1:{port}" for port in ports]
    table["publish"] = {"events": endpoints[0], "control": endpoints[1]}
    write_atomically(folder.config, toml_text(table))


def _emulator_command(
    folder: DemoFolder, slices: int, size: tuple[int, int], seed: int, interval_s: float
) -> list[str]:
    return [
        "emulate", str(folder.project), "--slices", str(slices), "--size", str(size[0]), str(size[1]),
        "--seed", str(seed), "--interval", str(interval_s), "--truth", str(folder.truth),
    ]  # fmt: skip


def _monitor_command(ports: Sequence[int]) -> list[str]:
    events, control = (f"tcp://127.0.0.1:{port}" for port in ports[:2])
    return ["monitor", "--connect", control, "--events", events, "--port", str(ports[2])]


def _start(stack: ExitStack, arguments: Sequence[str], log: Path | None) -> subprocess.Popen[bytes]:
    """A process of ours that ends with the demo; its output goes to a file, or is shown."""
    sink: IO[bytes] | None = stack.enter_context(log.open("wb")) if log else None
    process = subprocess.Popen([sys.executable, "-m", "daemon", *arguments], stdout=sink, stderr=sink)
    stack.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_project(folder: DemoFolder, microscope: subprocess.Popen[bytes]) -> None:
    """The daemon needs a folder to watch; the microscope makes it first thing."""
    while not folder.project.is_dir():
        if microscope.poll() not in (None, 0):
            raise _failed("the emulated microscope", folder.root / "emulator.log", microscope.returncode)
        time.sleep(0.05)


def _free_ports() -> list[int]:
    """The usual ports where they are free, others where not, so that two demos can run at once."""
    ports: list[int] = []
    with ExitStack() as stack:
        for usual in _PORTS:
            probe = stack.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", usual))
            except OSError:
                probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    return ports


def _print_summary(console: Console, summary: dict[str, Any], folder: DemoFolder) -> None:
    outputs = Outputs(folder.output)
    table = Table(title=f"{summary['slices']} slices, {summary['finish_reason']}", title_justify="left")
    table.add_column("against the emulator's truth")
    table.add_column("value", justify="right")
    for key, (name, unit) in _UNITS.items():
        if key not in summary:  # the weighted error is told of more than two phases only
            continue
        value = summary[key]
        table.add_row(name, "not known" if value is None else f"{value:.4g} {unit}")
    console.print(table)
    places = {"volume": outputs.volume, "table": outputs.slices, "report": outputs.report}
    for name, path in places.items():
        console.print(f"{name:>7}: {path}", soft_wrap=True)


def _stay(console: Console, port: int) -> None:
    console.print(f"The monitor stays at [bold]http://127.0.0.1:{port}[/] until you press Ctrl-C.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("Goodbye.")


def _failed(who: str, log: Path, code: int) -> SlicewatchError:
    return SlicewatchError(
        f"{who} ended with exit code {code}", where=str(log), remedy="Its last lines say why."
    )
