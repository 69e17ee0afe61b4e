"""``slicewatch analyse``: open, measure, write, show."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from daemon.analyse.conductivity import refuse_without_solver
from daemon.analyse.effort import effort_for
from daemon.analyse.figures import draw_figures
from daemon.analyse.labels import Labels, open_labels
from daemon.analyse.measuring import analyse_labels, expected_visits
from daemon.analyse.progress import steps
from daemon.analyse.results import Analysis, Plan
from daemon.analyse.scratch import scratch_in
from daemon.analyse.site import Site
from daemon.analyse.summary import summary
from daemon.analyse.tables import write_tables
from daemon.analyse.terminal import cut_off_words, terminal_tables
from daemon.errors import StoreError
from daemon.outputs import Outputs
from daemon.tables import known


def analyse_volume(
    output: Path, plan: Plan, *, level: int, out: Path | None, scratch: Path | None, as_json: bool
) -> None:
    """Analyse a volume of labels; results go into ``out`` and onto the terminal.

    Raises
    ------
    FolderError
        There is no volume of labels.
    ConfigurationError
        What is asked for does not fit the volume, or taufactor is missing.
    StoreError
        Scratch or results cannot be written.
    """
    if plan.conductivity:
        refuse_without_solver()
    labels = open_labels(output, level)
    folder = out or default_folder(output)
    analysis = measure(labels, plan, scratch or folder)
    files = write_results(analysis, folder)
    console = Console(highlight=False)
    if as_json:
        console.print(json.dumps(known(summary(analysis))), soft_wrap=True, markup=False)
        return
    for table in terminal_tables(analysis):
        console.print(table)
    for words in cut_off_words(analysis):
        console.print(words, soft_wrap=True, markup=False)
    console.print(f"{len(files)} files in {folder}", soft_wrap=True, markup=False)


def default_folder(output: Path) -> Path:
    """Inside a run's output, beside an image."""
    if Outputs(output).volume.is_dir():
        return output / "analysis"
    return output.parent / f"{output.name.partition('.')[0]}-analysis"


def measure(labels: Labels, plan: Plan, scratch: Path) -> Analysis:
    """All results, with a bar that says how far it is. Raises as :func:`analyse_volume`."""
    z, y, x = labels.array.shape
    shape = (z, y, x)
    with scratch_in(scratch, shape, plan.memory_bytes) as made, steps(expected_visits(shape, plan)) as bar:
        return analyse_labels(labels, plan, Site(made, effort_for(shape, plan.memory_bytes), bar))


def write_results(analysis: Analysis, folder: Path) -> list[Path]:
    """Summary, tables and figures; what was written.

    Raises
    ------
    StoreError
        The folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [*write_tables(analysis, folder), *draw_figures(analysis, folder)]
    except OSError as error:
        raise StoreError(
            f"the results cannot be written: {error.strerror or error}",
            where=str(folder),
            remedy="Give a folder that this user may write to, with --out.",
        ) from error
