"""Finished runs processed again, here and on a cluster: the bytes of the run that watched, killed or not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import psutil
import pytest
from typer.testing import CliRunner

from benchmarks.restart import evidence
from benchmarks.scaling import Cluster
from benchmarks.scaling import cluster as dask_cluster
from daemon.cli import app
from daemon.config import load
from daemon.errors import SlicewatchError
from daemon.reprocess.cluster import process_on_cluster
from daemon.reprocess.jobs import Job, News, Outcome, read_jobs
from daemon.service import run_daemon
from daemon.toml_text import toml_text
from tests.system.conftest import SMALL, Acquisition

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SMALL_REGION = {"roi": {"x": 30, "y": 80, "width": 96, "height": 96}}
FAULTS = ("corrupt@3", "late-1@4", "duplicate@5")
_KILLED = -9


def into(acquisition: Acquisition, output: Path, **run: str) -> Path:
    """A configuration of the same acquisition that writes to ``output``."""
    table = load(acquisition.config).model_dump(mode="json", exclude_defaults=True)
    table["run"] |= {"output": str(output), **run}
    config = output.with_suffix(".toml")
    config.write_text(toml_text(table), encoding="utf-8")
    return config


def slicewatch(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "daemon", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def worker_of(parent: psutil.Process, config: Path) -> psutil.Process:
    """The process below ``parent`` that works on a run."""
    (found,) = (child for child in parent.children(recursive=True) if str(config) in child.cmdline())
    return found


def killing_at_slice(wanted: int, kill: Callable[[], object]) -> Callable[[News], None]:
    """Kills once, when a run has got so far."""
    left = [kill]

    def hear(news: News) -> None:
        if news.done >= wanted and left:
            left.pop()()

    return hear


@pytest.mark.long
def test_a_killed_process_and_a_hopeless_run_change_nothing_for_the_others(acquire, tmp_path):
    """One process is killed with -9 in the middle of its run, another one's acquisition is not there: one
    failure, and the bytes of the run that watched, which had twice as much work for the network."""
    acquisition = acquire(faults=FAULTS, geometry=SMALL_REGION, run={"missing_after_s": 0.5})
    assert run_daemon(acquisition.config, follow=True) == 0
    again, hopeless = (
        into(acquisition, tmp_path / "again"),
        into(acquisition, tmp_path / "hopeless", folder="no"),
    )
    log = tmp_path / "again" / "reprocess.log"
    with slicewatch("reprocess", again, hopeless, "--jobs", 2, "--json") as batch:
        lines = followed(log, batch)
        next(line for line in lines if '"slice": 4' in line and "slice.done" in line)
        worker_of(psutil.Process(batch.pid), again).kill()
        out, err = batch.communicate()
    told = json.loads(out.splitlines()[-1])
    first, second = (Outcome(**run) for run in told["runs"])
    assert (first.reason, first.exit_code, first.starts) == ("COMPLETED", 0, 2), err
    assert (second.reason, second.exit_code) == ("failed", 2)
    assert "the acquisition folder does not exist" in second.why
    assert batch.returncode == 1
    done = [json.loads(line) for line in log.read_text().splitlines() if '"slice.done"' in line]
    assert "segment" not in done[0]["stages_s"]  # nobody waits to see the first face
    assert evidence(again) == evidence(acquisition.config)


def followed(log: Path, process: subprocess.Popen[str]) -> Iterator[str]:
    """Lines of a file as they are written, while the process lives."""
    a_moment = Event()
    while not log.exists() and process.poll() is None:
        a_moment.wait(0.05)
    with log.open(encoding="utf-8") as file:
        while process.poll() is None:
            yield from iter(file.readline, "")
            a_moment.wait(0.05)


def test_a_run_that_fails_on_a_worker_is_its_own_outcome(tmp_path, cluster):
    """The worker lives on, and says where it was."""
    job = Job(tmp_path / "no.toml", tmp_path / "nowhere", tmp_path / "output", 0, 3)
    (outcome,) = process_on_cluster(cluster.address, [job], 1, lambda _news: None)
    assert (outcome.exit_code, outcome.reason, outcome.starts) == (2, "failed", 1)
    assert "cannot be read" in outcome.why


@pytest.mark.long
def test_a_worker_that_dies_loses_nothing(acquire, tmp_path, cluster):
    """SIGKILL for the Dask worker in the middle of a run: its process goes with it, the other one goes on."""
    acquisition = acquire(faults=FAULTS, geometry=SMALL_REGION, run={"missing_after_s": 0.5})
    assert run_daemon(acquisition.config, follow=True) == 0
    again = into(acquisition, tmp_path / "again")
    orphans: list[psutil.Process] = []

    def kill_its_worker() -> None:
        for worker in cluster.workers:
            for child in psutil.Process(worker.pid).children(recursive=True):
                if str(again) in child.cmdline():
                    orphans.append(child)
                    worker.kill()

    hear = killing_at_slice(3, kill_its_worker)
    (outcome,) = process_on_cluster(cluster.address, read_jobs([again]), 1, hear)
    assert (outcome.reason, outcome.starts) == ("COMPLETED", 1)
    assert sorted(worker.poll() or 0 for worker in cluster.workers) == [_KILLED, 0]
    assert [orphan.is_running() for orphan in orphans] == [False]
    assert evidence(again) == evidence(acquisition.config)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--scheduler", "blah blah"], "no address of a Dask scheduler"),
        (["--scheduler", "tcp://127.0.0.1:9", "--jobs", "2"], "up to the workers of the cluster"),
    ],
    ids=["address", "jobs"],
)
def test_what_means_nothing_to_a_cluster_is_refused(acquire, options, says):
    """At once, with what to do, and nothing is begun."""
    config = acquire(SMALL).config
    refused = CliRunner().invoke(app, ["reprocess", str(config), *options])
    assert isinstance(refused.exception, SlicewatchError)
    assert says in refused.exception.what
    assert not load(config).run.output.exists()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """On this machine, on any port."""
    with dask_cluster() as started:
        yield started
