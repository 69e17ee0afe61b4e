"""``slicewatch synthesize backscatter``: runs of bulk material under epoxy, and a network trained on them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from daemon.synthesize.drawing import Numbers, draw_shine_through
from daemon.synthesize.structure import require_new
from daemon.training import require
from models.backscatter import BackscatterNetwork, network_response

if TYPE_CHECKING:
    from models.backscatter_training import Fit


def train_backscatter(out: Path, *, electrons: int, threads: int, seed: int) -> Fit:
    """Simulate, train, and write ``backscatter.npz``, its card and the runs into the new folder ``out``.

    Raises
    ------
    FolderError
        The folder is in use.
    LibraryMissingError
        Torch or Warp is not installed.
    """
    require_new(out)
    require("torch", "warp")
    from models.backscatter_runs import run_all
    from models.backscatter_training import fit_network, write_network

    console = Console(stderr=True, highlight=False)
    with console.status("simulating") as status:
        runs = run_all(
            electrons=electrons,
            seed=seed,
            threads=threads,
            told=lambda done, total: status.update(f"run {done} of {total}"),
        )
        status.update("training")
        fit = fit_network(runs, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    command = f"slicewatch synthesize backscatter OUT --electrons {electrons} --seed {seed}"
    write_network(fit, runs, out, command, datetime.now(UTC).date().isoformat())
    draw_shine_through(runs.inputs, runs.eta, partial(_contrast, fit.network), out / "shine_through.png")
    return fit


def _contrast(network: BackscatterNetwork, voltage_kv: float, depths_nm: Numbers) -> Numbers:
    response = network_response(voltage_kv, network)
    return response.below(depths_nm.astype(np.float32)).astype(np.float64)
