"""The list that ``slicewatch check`` prints: every finding as soon as it is known, then the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from daemon.checks import actions, images, network, outputs, places, sockets
from daemon.checks.finding import Finding, Level, attempt, ok, refused
from daemon.config import Configuration, load
from daemon.errors import ConfigurationError
from daemon.project import read_project
from models.errors import ModelError
from models.session import Segmenter

_STYLES: Final = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
_WIDTH: Final = 16


def print_checks(path: Path) -> bool:
    """Print a line for each check of the configuration at ``path``; whether a run may start."""
    console = Console(highlight=False, soft_wrap=True)
    counts: Counter[Level] = Counter()
    for finding in findings(path):
        counts[finding.level] += 1
        console.print(line(finding))
    console.print(_verdict(counts))
    return not counts[Level.FAIL]


def findings(path: Path) -> Iterator[Finding]:
    """Every check in reading order; without a configuration there is nothing else to check."""
    try:
        configuration = load(path)
    except ConfigurationError as error:
        yield refused("configuration", error)
        return
    names = ", ".join(configuration.channel_names)
    yield ok("configuration", f"{path}: channels {names}, reference {configuration.reference_channel}")
    first = images.look_at_images(configuration)
    yield from _acquisition(configuration, first)
    yield from _network(configuration, first)
    yield from _surroundings(configuration, first)


def _acquisition(configuration: Configuration, first: images.FirstImages) -> Iterator[Finding]:
    yield attempt("folder", lambda: images.check_folder(configuration))
    if not configuration.run.folder.is_dir():
        return
    slices = _expected_slices(configuration)
    yield attempt("images", lambda: images.check_images(configuration, first))
    yield attempt("channels", lambda: images.check_channels(configuration, first))
    yield attempt("pixel size", lambda: images.check_pixels(configuration, first))
    yield attempt("region", lambda: places.check_region(configuration, first))
    yield attempt("fiducials", lambda: places.check_fiducials(configuration, first))
    yield attempt("ruler", lambda: places.check_ruler(configuration, first, slices))
    yield attempt("grid", lambda: places.check_grid(configuration))


def _network(configuration: Configuration, first: images.FirstImages) -> Iterator[Finding]:
    try:
        yield network.check_filling(configuration)
    except ModelError as error:
        yield refused("filling", error)
    segmenter: Segmenter | None = None
    try:
        segmenter = network.open_network(configuration)
    except ModelError as error:
        yield refused("model", error)
    if segmenter is None:
        yield attempt("provider", lambda: network.check_hardware(configuration))
        return
    yield attempt("model", lambda: network.check_model(configuration, segmenter))
    yield attempt("provider", lambda: network.check_provider(configuration, segmenter, first))


def _surroundings(configuration: Configuration, first: images.FirstImages) -> Iterator[Finding]:
    section, slices = configuration.publish, _expected_slices(configuration)
    yield attempt("output", lambda: outputs.check_output(configuration))
    yield attempt("disk", lambda: outputs.check_disk(configuration, first, slices))
    yield attempt("journal", lambda: outputs.check_journal(configuration))
    yield attempt("abort", lambda: actions.check_abort(configuration))
    yield from actions.rehearse(configuration)
    yield attempt("publish.events", lambda: sockets.check_endpoint(configuration, "events", section.events))
    yield attempt(
        "publish.control", lambda: sockets.check_endpoint(configuration, "control", section.control)
    )
    yield attempt("monitor", lambda: sockets.check_monitor(configuration))
    yield attempt("keys", lambda: sockets.check_keys(configuration))


def _expected_slices(configuration: Configuration) -> int:
    """As configured, or as the project file says; 0 when neither is known."""
    try:
        return configuration.run.expected_slices or read_project(configuration.run.folder).expected_slices
    except ConfigurationError:
        return 0


def line(finding: Finding) -> Text:
    """A finding as a line, its remedy below it."""
    text = Text.assemble(
        (f"{finding.level:<5}", _STYLES[finding.level]), (f"{finding.name:<{_WIDTH}}", "bold"), finding.text
    )
    return text.append(f"\n{'':<{_WIDTH + 5}}→ {finding.remedy}") if finding.remedy else text


def _verdict(counts: Counter[Level]) -> Text:
    failures, warnings = counts[Level.FAIL], counts[Level.WARN]
    if failures:
        return Text(f"{failures} of {counts.total()} checks FAILED: a run would not work.", "bold red")
    told = f", {warnings} with a warning" if warnings else ""
    return Text(f"All {counts.total()} checks passed{told}: ready to run.", "yellow" if warnings else "green")
