"""``slicewatch reprocess`` and ``compare``: what is done with runs that are over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.command_options import Json, leave
from daemon.errors import ConfigurationError


def reprocess(
    configs: Annotated[
        list[Path], typer.Argument(metavar="CONFIG...", help="Configuration files (TOML), one for each run.")
    ],
    jobs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Runs at once; default: as many as have a core and memory."),
    ] = None,
    cores: Annotated[
        int, typer.Option(min=0, metavar="N", help="Cores for each run; 0: an equal share of what is there.")
    ] = 0,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A Dask cluster that works on them; default: this machine."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Process finished runs at full speed: same stages, same outputs, no waiting for more files."""
    if len(configs) == 1 and jobs is None and scheduler is None and not as_json:
        from daemon.service import run_daemon

        leave(run_daemon(configs[0], follow=False, cores=cores))
    from daemon.reprocess.command import reprocess_many

    if jobs is not None and scheduler is not None:
        raise ConfigurationError(
            "how many runs go at once is up to the workers of the cluster",
            where=f"--jobs {jobs}",
            remedy="Leave out --jobs or --scheduler; a cluster has as many as `dask worker --nworkers`.",
        )
    leave(reprocess_many(configs, workers=jobs or 0, cores=cores, scheduler=scheduler, as_json=as_json))


def compare(
    first: Annotated[Path, typer.Argument(metavar="OUTPUT_A", help="run.output of a run.")],
    second: Annotated[
        Path, typer.Argument(metavar="OUTPUT_B", help="run.output of another run of the same acquisition.")
    ],
    as_json: Json = False,
) -> None:
    """Compare two runs over one acquisition: other network, other settings, what came out otherwise."""
    from daemon.compare.command import print_comparison

    print_comparison(first, second, as_json=as_json)
