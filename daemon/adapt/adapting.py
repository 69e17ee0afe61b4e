"""From the command line to ``models.adaptation_shipping``: what is read, what is kept, what is offered.

Torch, and every module that imports it, is imported only when all else is known to be there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from rich.console import Console

from daemon.adapt.faces import Faces, acquired_faces
from daemon.adapt.source import configuration_of
from daemon.config import Configuration
from daemon.errors import ConfigurationError
from daemon.operating_system import usable_cores
from daemon.outputs import prepare
from daemon.stages.segmenting import model_paths
from daemon.training import LIBRARIES, reporter, require, today
from daemon.volume_store import write_atomically
from models.acquired import Acquired, chosen_channels, keep_acquired, kept_acquired

if TYPE_CHECKING:
    from models.adaptation_effect import Effect
    from models.adapting import AdaptationSettings, Adapted
    from models.evaluation import HeldOut
    from models.spec import ModelSpec

FACES: Final = "acquired.npz"
"""Faces that were read; a later start does not read them again."""
READ_FROM: Final = "acquired.json"
"""What they were read from, and how."""
READ_BY: Final = ("channels", "sidecar", "geometry", "fiducials", "ruler")
"""Sections of a configuration that decide which faces come out, beside the folder and the names of files."""
FEWEST_OVER_WINDOW: Final = 1
"""Slices beyond a network's window, so that a style has something to be chosen by."""


def adapt_to(
    folder: Path, out: Path, config: Path | None, model: Path | None, slices: int, *, quick: bool
) -> None:
    """Adapt, and print what changed and how to use it; ``quick`` is for trying out the way.

    Raises
    ------
    FolderError
        The acquisition is missing, or has too few slices.
    ConfigurationError
        It cannot be read without a configuration, or not with this one; or several networks do its work.
    LibraryMissingError
        Torch, or what the export needs, is not installed.
    ModelError
        The network cannot be adapted to these images, or ``out`` holds an adaptation of something else.
    """
    require(*LIBRARIES, command="slicewatch adapt")
    configuration = configuration_of(folder, config)
    network = model or _network_of_a_run(configuration)
    spec = _tunable_spec(network)
    prepare(out, configuration.run.folder)
    console = Console(highlight=False, soft_wrap=True)
    with console.status("adapting") as status:
        report = reporter(console, status.update)
        faces = Faces(slices, spec.adjacent_slices + FEWEST_OVER_WINDOW)
        acquired = faces_of(configuration, faces, out, report)
        chosen = chosen_channels(acquired, spec.voltages_kv, str(network))
        options = f"{f' --config {config}' if config else ''}{f' --model {model}' if model else ''}"
        options += f" --slices {slices}{' --quick' if quick else ''}"
        command = f"slicewatch adapt {folder} --out {out}{options}"
        adapted, effect = _adapted(network, chosen, command, out, report, quick=quick)
    _offer(console, adapted, effect, out)


def _network_of_a_run(configuration: Configuration) -> Path:
    """The configured network, or the shipped one for the channels.

    Raises
    ------
    ConfigurationError
        A run would use one for each channel.
    """
    first, *others = model_paths(configuration)
    if others:
        raise ConfigurationError(
            f"a run over these channels uses {1 + len(others)} networks together",
            where="[segmentation] model",
            remedy=f"Adapt one of them with --model, e.g. {first}.",
        )
    return first


def _tunable_spec(network: Path) -> ModelSpec:
    """What a network's file says about itself, if a copy of it can learn."""
    from models.fine_tuning import tunable

    _, spec = tunable(network)
    return spec


def faces_of(
    configuration: Configuration, faces: Faces, out: Path, report: Callable[[str], None]
) -> Acquired:
    """Read now, or by an earlier start of the same adaptation."""
    path, read_from = out / FACES, _read_from(configuration, faces)
    if path.is_file():
        _refuse_others(out / READ_FROM, read_from)
        acquired = kept_acquired(path)
        report(f"{len(acquired.images)} faces were read before: {path}")
        return acquired
    acquired = acquired_faces(configuration, faces, report)
    write_atomically(out / READ_FROM, json.dumps(read_from, indent=1))
    keep_acquired(acquired, path)
    height, width = acquired.images.shape[-2:]
    report(f"{len(acquired.images)} faces of {height} × {width} px")
    return acquired


def _read_from(configuration: Configuration, faces: Faces) -> dict[str, Any]:
    """All that decides which faces come out."""
    everything = configuration.model_dump(mode="json")
    return {
        "folder": str(configuration.run.folder.resolve()),
        "file_pattern": configuration.run.file_pattern,
        "slices": faces.wanted,
        **{section: everything[section] for section in READ_BY},
    }


def _refuse_others(path: Path, read_from: dict[str, Any]) -> None:
    """Faces of another acquisition, or read in another way, are not those that were asked for.

    Raises
    ------
    ConfigurationError
        They are not, or nobody knows.
    """
    before = _stated(path)
    different = [name for name, value in read_from.items() if before.get(name) != value]
    if different:
        raise ConfigurationError(
            f"the faces that were read here before are of another {', '.join(different)}",
            where=str(path),
            remedy="Give another --out, or the folder, the configuration and the --slices of before.",
        )


def _stated(path: Path) -> dict[str, Any]:
    """What a file of it says; nothing if it is missing or damaged."""
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast(dict[str, Any], stated) if isinstance(stated, dict) else {}


def _adapted(
    network: Path, acquired: Acquired, command: str, out: Path, report: Callable[[str], None], *, quick: bool
) -> tuple[Adapted, Effect]:
    from models.adaptation_shipping import ship_adaptation
    from models.evaluation import HeldOut
    from models.origin import Origin

    held_out = HeldOut(runs=2, height=192, width=256, slices=8, voltages_kv=acquired.voltages_kv)
    settings = _settings()
    if quick:
        settings, held_out = _quicker(settings, held_out)
    return ship_adaptation(network, acquired, settings, held_out, out, Origin(command, today()), report)


def _settings() -> AdaptationSettings:
    from models.adapting import AdaptationSettings

    return AdaptationSettings(threads=usable_cores())


def _quicker(settings: AdaptationSettings, held_out: HeldOut) -> tuple[AdaptationSettings, HeldOut]:
    """Few scenes, few steps: a copy that has hardly learned."""
    from models.cycle_fitting import CycleRecipe

    style = replace(
        settings.style,
        patch_px=64,
        filters=4,
        discriminator_filters=4,
        validation_images=1,
        recipe=CycleRecipe(steps=4, epochs=2),
    )
    return (
        replace(
            settings,
            scenes=2,
            validation_scenes=1,
            size=replace(settings.size, blocks=1, block_px=96, slices=7),
            style=style,
            recipe=replace(settings.recipe, batch=4, steps=3, epochs=2),
            known_images=96,
        ),
        replace(held_out, runs=1, height=64, width=96, slices=3),
    )


def _offer(console: Console, adapted: Adapted, effect: Effect, out: Path) -> None:
    """What changed, where to look, and the line that would use it."""
    for what, (before, after) in (
        ("synthetic, in the acquired style", effect.in_style),
        ("synthetic, as it is", effect.synthetic),
    ):
        console.print(f"{what}: misplaced {before.mp_percent:.2f} → {after.mp_percent:.2f} %")
    for name, far in zip(adapted.spec.channels, effect.distances, strict=True):
        console.print(f"{name}: distance from known images over its limit {far.before:.2f} → {far.after:.2f}")
    console.print(f"{100 * effect.changed_share:.1f} % of the acquisition's pixels got another label")
    console.print(f"Card and pages to look at first: {out}")
    before, after = effect.in_style
    if after.mp_percent >= before.mp_percent:
        console.print(
            "[yellow]It labels the acquired style no better than the network it was copied from.[/]"
        )
    console.print("Nothing uses it yet. To do so, set in the configuration:")
    console.print(f'\n[segmentation]\nmodel = "{adapted.path}"\n', markup=False)
