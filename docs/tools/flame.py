"""Where a slice's time goes, as a table and a picture: ``python docs/tools/flame.py`` (it needs py-spy).

A daemon works off a finished acquisition with the shipped network while its stacks are sampled from outside.
Counted are the samples of the loop's thread and of the two that work ahead of it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from daemon.emulator import EmulatorSettings, configuration_table, emulate  # noqa: E402
from daemon.emulator.settings import RecordingDesign  # noqa: E402
from daemon.report.style import BLUE, GREEN, ORANGE, RC, RED  # noqa: E402
from daemon.toml_text import toml_text  # noqa: E402

PER_SECOND: Final = 100
THREADS: Final = {
    "the loop": "Runner.run (",
    "the network, ahead": "NetworkAhead._work (",
    "looking ahead": "LookAhead._look (",
}
"""The function in which each thread's work begins; a thread that waits is not sampled."""
STAGE: Final = re.compile(r"\(daemon/stages/(\w+)\.py")
STEP: Final = re.compile(r"(\w+) \(daemon/(?:runner|face_work)\.py")
COLOURS: Final = {"onnxruntime/": RED, "numpy/": ORANGE, "scipy/": ORANGE, "algorithms/": GREEN}
SMALLEST: Final = 0.002
"""Share of all samples below which a box is too narrow to be seen."""
DEEPEST: Final = 18

Stack = tuple[str, ...]


def main() -> None:
    """Sample, print the shares, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--slices", type=int, default=16, help="of the acquisition (default 16)")
    parser.add_argument("--size", type=int, nargs=2, default=(768, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "flame.png")
    asked, console = parser.parse_args(), Console(highlight=False)
    height, width = asked.size
    stacks = sampled(
        EmulatorSettings(
            slices=asked.slices, height=height, width=width, recording=RecordingDesign(fib_every=0)
        )
    )
    threads = {name: below(stacks, begins) for name, begins in THREADS.items()}
    for name, found in threads.items():
        console.print(f"{name}: {found.total() / PER_SECOND:.1f} s")
        for stage, count in shares(found).most_common():
            console.print(f"  {count / found.total():6.1%}  {count / PER_SECOND:7.2f} s  {stage}")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    drawing(threads).savefig(asked.out, dpi=150)
    console.print(str(asked.out))


def sampled(settings: EmulatorSettings) -> Counter[Stack]:
    """How often each stack was met, outermost function first."""
    with tempfile.TemporaryDirectory(prefix="slicewatch-flame-") as folder:
        root = Path(folder)
        emulate(settings, root / "project", sleep=lambda _s: None)
        table = configuration_table(settings, root / "project", root / "output")
        table["publish"] = dict.fromkeys(("events", "control"), "tcp://127.0.0.1:0")
        (root / "run.toml").write_text(toml_text(table), encoding="utf-8")
        command = [sys.executable, "-m", "daemon", "run", str(root / "run.toml")]
        spy = ["py-spy", "record", "--rate", str(PER_SECOND), "--function", "--format", "raw"]
        places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        subprocess.run(
            [*spy, "--output", str(root / "raw"), "--", *command],
            check=True, cwd=ROOT, env=os.environ | {"PATH": places}, capture_output=True,
        )  # fmt: skip
        return Counter(dict(read((root / "raw").read_text(encoding="utf-8"))))


def read(raw: str) -> Iterator[tuple[Stack, int]]:
    """Stacks and counts, as py-spy writes them: ``frame;frame;frame count``."""
    for line in raw.splitlines():
        frames, _, count = line.rpartition(" ")
        yield tuple(frames.split(";")), int(count)


def below(stacks: Mapping[Stack, int], begins: str) -> Counter[Stack]:
    """The stacks in which a function occurs, from there on."""
    found: Counter[Stack] = Counter()
    for stack, count in stacks.items():
        at = next((number for number, frame in enumerate(stack) if frame.startswith(begins)), None)
        if at is not None:
            found[stack[at:]] += count
    return found


def shares(stacks: Mapping[Stack, int]) -> Counter[str]:
    """Samples by stage: the first module of ``daemon/stages``, else the innermost step of the loop."""
    found: Counter[str] = Counter()
    for stack, count in stacks.items():
        stages = [match.group(1) for frame in stack if (match := STAGE.search(frame))]
        steps = [match.group(1) for frame in stack if (match := STEP.search(frame))]
        found[stages[0] if stages else (steps or ["other"])[-1]] += count
    return found


def drawing(threads: Mapping[str, Counter[Stack]]) -> Figure:
    """A box per function, as wide as its share of the samples, the functions that it calls below it."""
    from matplotlib import rc_context

    with rc_context(RC):
        figure = Figure(figsize=(12.0, 10.0), layout="constrained")
        heights = [1.0 if found else 0.01 for found in threads.values()]
        panels = figure.subplots(len(threads), 1, height_ratios=heights)
        for panel, (name, found) in zip(panels, threads.items(), strict=True):
            boxes(panel, found)
            panel.set(title=f"{name}: {found.total() / PER_SECOND:.1f} s", yticks=[], xlim=(0.0, 1.0))
            panel.set(ylim=(DEEPEST, 0), xlabel="share of the thread's samples")
            panel.grid(visible=False)
    return figure


def boxes(panel: Axes, stacks: Counter[Stack], left: float = 0.0, depth: int = 0, total: int = 0) -> None:
    """Draw the functions that begin these stacks side by side, the widest first, and what they call."""
    total = total or stacks.total()
    called: dict[str, Counter[Stack]] = {}
    for (first, *rest), count in ((stack, count) for stack, count in stacks.items() if stack):
        called.setdefault(first, Counter())[tuple(rest)] += count
    for frame, found in sorted(called.items(), key=lambda item: -item[1].total()):
        share = found.total() / total
        if share < SMALLEST or depth >= DEEPEST:
            return
        colour = next((colour for part, colour in COLOURS.items() if part in frame), BLUE)
        panel.broken_barh([(left, share)], (depth, 0.95), facecolor=colour, alpha=0.55, edgecolor="white")
        words = frame.partition(" (")[0][: int(share * 150)]
        if share > 0.015:
            panel.text(left + 0.002, depth + 0.5, words, va="center", fontsize=7, clip_on=True)
        boxes(panel, found, left, depth + 1, total)
        left += share


if __name__ == "__main__":
    main()
