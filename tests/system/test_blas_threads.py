"""One BLAS thread by default: on a busy machine several wait for each other longer than they compute."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

COUNT = """
import daemon.__main__, json, numpy, scipy.linalg, threadpoolctl
pools = threadpoolctl.threadpool_info()
print(json.dumps([pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]))
"""


@pytest.mark.parametrize(("asked", "given"), [(None, 1), ("2", 2)], ids=["default", "as the user set it"])
def test_blas_threads(asked: str | None, given: int) -> None:
    """The command line sets one thread before numpy is loaded, unless the user has decided."""
    cores = os.cpu_count() or 1
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    if asked:
        environment["OPENBLAS_NUM_THREADS"] = asked
    said = subprocess.run(
        [sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, check=True
    )
    assert set(json.loads(said.stdout)) == {min(given, cores)}
