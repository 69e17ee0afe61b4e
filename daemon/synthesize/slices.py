"""``slicewatch synthesize slices``: a structure, photographed slice by slice; killed, it goes on.

Every voltage is an OME-Zarr image that grows slice by slice; its length says how far it is. Slices come from
this process's threads or from the workers of a Dask cluster, and are written here, in order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from daemon import __version__
from daemon.errors import ConfigurationError, UnreachableError
from daemon.growing_array import GrowingArray, forget_unfinished_writes, open_growing_array
from daemon.ome import Voxel, image_group
from daemon.operating_system import usable_cores
from daemon.synthesize.common import claim
from daemon.synthesize.drawing import draw_slices
from daemon.synthesize.exposure_plan import ExposurePlan
from daemon.synthesize.face_exposure import expose_face, image_shape, require_inside, signal_scale
from daemon.volume_store import write_atomically

PLAN: Final = "slices.json"
PICTURE: Final = "slices.png"
Face = tuple[int, int]
"""Slice and channel."""
Image = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Labour:
    """Who does the work: threads of this process, or the cluster at a Dask scheduler's address."""

    threads: int = usable_cores()
    scheduler: str | None = None


def synthesize_slices(plan: ExposurePlan, out: Path, labour: Labour) -> None:
    """Photograph all slices of a plan into ``out``; started again with the same plan, it goes on.

    Raises
    ------
    ConfigurationError
        The plan does not fit the structure, or ``out`` holds the slices of another plan.
    UnreachableError
        No scheduler answers.
    StoreError
        ``out`` cannot be written.
    """
    require_inside(plan)
    if claim(out / PLAN, plan.text, "slices"):
        forget_unfinished_writes(out)
    arrays = [_open(plan, out, channel) for channel in range(len(plan.names))]
    todo = [
        (index, channel)
        for index in range(len(plan.depths_nm))
        for channel, array in enumerate(arrays)
        if index >= array.length
    ]
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left:"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        rows = progress.add_task("rows", total=len(todo) * image_shape(plan)[0])
        for (index, channel), image in _exposed(plan, todo, labour, lambda n: progress.advance(rows, n)):
            arrays[channel].write(index, image[None])
    draw_slices(plan.names, [_middle(array) for array in arrays], signal_scale(plan), out / PICTURE)


def channel_path(out: Path, name: str) -> Path:
    """Where the images of a channel lie."""
    return out / f"{name}.ome.zarr"


def _open(plan: ExposurePlan, out: Path, channel: int) -> GrowingArray:
    path = channel_path(out, plan.names[channel])
    steps = np.diff(plan.depths_nm)
    thickness_nm = float(steps.mean()) if len(steps) else plan.pixel_nm
    provenance: dict[str, Any] = {
        "plan": json.loads(plan.text),
        "plan_sha256": plan.sha256,
        "signal_scale": signal_scale(plan),
        "voltage_kv": plan.voltages_kv[channel],
        "version": __version__,
    }
    voxel = Voxel((thickness_nm, plan.pixel_nm, plan.pixel_nm))
    array = open_growing_array(path / "0", image_shape(plan), "uint16")
    write_atomically(
        path / "zarr.json", json.dumps(image_group("slices", [voxel], provenance, "none"), indent=2)
    )
    return array


def _middle(array: GrowingArray) -> Image:
    return array.read(array.length // 2, array.length // 2 + 1)[0]


def _exposed(
    plan: ExposurePlan, todo: list[Face], labour: Labour, told: Callable[[int], None]
) -> Iterator[tuple[Face, Image]]:
    """The images of faces, in order."""
    if labour.scheduler is None:
        for index, channel in todo:
            yield (index, channel), expose_face(plan, index, channel, labour.threads, told)
    else:
        yield from _from_cluster(plan, todo, labour.scheduler, told)


def _from_cluster(
    plan: ExposurePlan, todo: list[Face], scheduler: str, told: Callable[[int], None]
) -> Iterator[tuple[Face, Image]]:
    """The same from a cluster; no more are under way than its threads and a reserve, for memory's sake."""
    try:
        from distributed import Client

        client: Any = Client(scheduler, timeout="20s")
    except ImportError as error:
        raise ConfigurationError(
            "Dask is not installed", where="--scheduler", remedy='Run `pip install "slicewatch[batch]"`.'
        ) from error
    except OSError as error:
        raise UnreachableError(
            f"no Dask scheduler answers: {error}",
            where=scheduler,
            remedy="Start one with `dask scheduler` and workers with `dask worker ADDRESS`.",
        ) from error
    with client:
        room = 2 * max(1, sum(client.nthreads().values()))
        futures: list[Any] = []
        for done, face in enumerate(todo):
            for index, channel in todo[len(futures) + done : done + room]:
                futures.append(client.submit(expose_face, plan, index, channel, 1, pure=False))
            image: Image = futures.pop(0).result()
            told(len(image))
            yield face, image
