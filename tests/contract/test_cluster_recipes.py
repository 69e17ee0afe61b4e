"""The recipes for clusters are whole: their shell and YAML parse, and Dask knows every option in them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "reprocess-on-a-cluster.md").read_text(
    encoding="utf-8"
)
SHELL = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
YAML = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("script", SHELL, ids=range(len(SHELL)))
def test_a_shell_takes_each_script(script):
    """Read, not run."""
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_manifests_are_a_cluster_and_a_job():
    """The command goes to the service that the scheduler gets, on the port that it has."""
    (manifests,) = YAML
    cluster, job = yaml.safe_load_all(manifests)
    assert (cluster["kind"], job["kind"]) == ("DaskCluster", "Job")
    (port,) = cluster["spec"]["scheduler"]["spec"]["containers"][0]["ports"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert (
        f"tcp://{cluster['metadata']['name']}-scheduler:{port['containerPort']}" in container["command"][-1]
    )


@pytest.mark.parametrize("program", ["scheduler", "worker"])
def test_dask_knows_every_option(program):
    """Of both its programs, wherever the page calls them."""
    manual = subprocess.run(
        [sys.executable, "-m", "dask", program, "--help"], text=True, capture_output=True, check=True
    ).stdout
    calls = re.findall(rf"dask,? {program}(.*)", PAGE)
    options = {option for call in calls for option in re.findall(r"--[a-z-]+", call)}
    assert options
    assert [option for option in sorted(options) if not re.search(rf"{option}\b", manual)] == []
