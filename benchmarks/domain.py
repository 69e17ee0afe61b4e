"""The live check of a run's images: false alarms on runs that the network knows, and how soon it notices five
acquisitions that it does not.

Runs are rendered as published, small faces among them (small ones scatter most); what is judged is the
daemon's own verdict, slice by slice. Time is that of comparing one face of 3072 × 2048 px at three voltages.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.table import Table

from benchmarks.domain_shifts import SHIFTS, VOLTAGES_KV
from daemon.operating_system import usable_cores
from daemon.stages.recognising import RecognisingState, recognise
from daemon.stages.segmenting import ZOO, FaceStack
from models.domain import ChannelDomain, read_domain
from models.domain_learning import SEEDS, known_run

NETWORK = ZOO / "late_fusion.onnx"
UNSEEN = SEEDS[1000:]
"""Of structures that no domain was learned from."""
KNOWN_SLICES = 3
"""Of a run before it changes."""
WITHIN_SLICES = 5
PROGRESS = 25
"""Runs between two lines of it."""
FULL_FACE = (2048, 3072)
CHANNELS = tuple(f"{kv:g}kV" for kv in VOLTAGES_KV)


@dataclass(frozen=True, slots=True)
class Effort:
    """Runs without a change and their slices; changes of each kind."""

    runs: int
    slices: int
    changes: int


QUICK = Effort(runs=12, slices=8, changes=2)
FULL = Effort(runs=300, slices=20, changes=20)


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """All figures; runs are judged side by side, one a core."""
    effort, known = QUICK if quick else FULL, shipped_domains()
    table = Table("acquisition", "noticed after slices, worst", "runs", title="images beside known ones")
    with ProcessPoolExecutor(usable_cores(), get_context("spawn")) as pool:
        unchanged = _counted(pool.map(partial(undisturbed, known, effort.slices), UNSEEN[: effort.runs]))
        alarms = sum(told for told, _ in unchanged)
        figures = {
            "runs": float(effort.runs),
            "false_alarm_share": alarms / effort.runs,
            "slices_outside_share": float(np.mean([outside for _, outside in unchanged])),
        }
        runs = f"{effort.runs} of {effort.slices} slices"
        table.add_row("as published", f"{alarms} false alarms", runs)
        for number, name in enumerate(SHIFTS):
            seeds = UNSEEN[1000 + 100 * number :][: effort.changes]
            worst = max(pool.map(partial(slices_until_noticed, known, name), seeds))
            figures[f"delay_{name}"] = worst
            table.add_row(name, f"{worst:g}", str(effort.changes))
    figures["worst_delay"] = max(figures[f"delay_{name}"] for name in SHIFTS)
    figures["seconds_per_face"] = seconds_per_face(known)
    table.add_row("time of a face of 3072×2048, s", f"{figures['seconds_per_face']:.3f}", "")
    return table, figures


def shipped_domains(network: Path = NETWORK) -> dict[str, ChannelDomain]:
    """What the shipped network knows, by channel."""
    return dict(zip(CHANNELS, read_domain(network), strict=True))


def undisturbed(known: dict[str, ChannelDomain], slices: int, seed: int) -> tuple[bool, float]:
    """Of a run that nothing happens to: whether it had an alarm, and the share of its images that were
    beyond their limit."""
    told, beyond = judged(known, known_run(seed, VOLTAGES_KV, slices))
    return bool(told), float(np.mean(beyond))


def slices_until_noticed(known: dict[str, ChannelDomain], shift: str, seed: int) -> float:
    """How many slices a change has lasted when it is told; infinity if it is not within those looked at."""
    before, after = known_run(seed, VOLTAGES_KV, KNOWN_SLICES), SHIFTS[shift](seed, WITHIN_SLICES)
    told, _ = judged(known, [*before, *after])
    noticed = [float(index - KNOWN_SLICES + 1) for index in told if index >= KNOWN_SLICES]
    return min(noticed, default=float("inf"))


def _counted(runs: Iterator[tuple[bool, float]]) -> list[tuple[bool, float]]:
    """All of them, told every ``PROGRESS``."""
    done: list[tuple[bool, float]] = []
    for run in runs:
        done.append(run)
        if len(done) % PROGRESS == 0:
            print(f"{len(done)} runs, {sum(told for told, _ in done)} with an alarm", file=sys.stderr)
    return done


def judged(
    known: dict[str, ChannelDomain], run: Iterable[Sequence[np.ndarray]]
) -> tuple[list[int], list[bool]]:
    """Slices with an alarm, counted from 0, and of every image whether it is beyond its limit."""
    state, told, beyond = RecognisingState(), list[int](), list[bool]()
    for index, images in enumerate(run):
        state, standings, alarms = recognise(state, known, FaceStack(index, np.stack(images)), CHANNELS)
        told += [index] * len(alarms)
        beyond += [one.distance > one.limit for one in standings.values()]
    return told, beyond


def seconds_per_face(known: dict[str, ChannelDomain]) -> float:
    """The quickest of three."""
    tile = np.stack(known_run(UNSEEN[1], VOLTAGES_KV)[0])
    repeats = [-(-side // part) for side, part in zip(FULL_FACE, tile.shape[1:], strict=True)]
    face = FaceStack(0, np.tile(tile, (1, *repeats))[:, : FULL_FACE[0], : FULL_FACE[1]])
    times: list[float] = []
    for _ in range(3):
        begun = perf_counter()
        recognise(RecognisingState(), known, face, CHANNELS)
        times.append(perf_counter() - begun)
    return min(times)
