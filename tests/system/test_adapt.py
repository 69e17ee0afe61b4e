"""``slicewatch adapt``: from an acquisition's folder to a network that is offered, through a kill as well."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.config import load
from daemon.emulator.settings import RecordingDesign
from daemon.service import run_daemon
from models.adaptation_card import PAGES
from models.domain import read_domain
from models.errors import CheckpointMismatchError, ModelMismatchError
from models.session import open_segmenter
from tests.system.conftest import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(500)]

SETTINGS = replace(
    SMALL, slices=9, height=288, width=400, voltages_kv=(2.0,), recording=RecordingDesign(fib_every=0)
)
NETWORK = "unet_2kv_adapted.onnx"
KILL_WITHIN_S = 300.0


@pytest.fixture
def acquisition(acquire):
    """Nine slices of 2 kV and their configuration."""
    return acquire(SETTINGS)


def adapt(folder: Path, out: Path, *options: str):
    return CliRunner().invoke(app, ["adapt", str(folder), "--out", str(out), "--quick", *options])


def test_a_network_is_adapted_and_offered(acquisition, tmp_path) -> None:
    """It opens, knows its domain, is told of in a card and shown; the configuration stays as it was."""
    before = acquisition.config.read_bytes()
    out = tmp_path / "adapted"
    done = adapt(acquisition.project, out, "--config", str(acquisition.config))
    assert done.exit_code == 0, done.output
    assert f'model = "{out / NETWORK}"' in done.output
    assert "min left" in done.output
    assert acquisition.config.read_bytes() == before
    network = open_segmenter(out / NETWORK)
    assert network.spec.name == "unet_2kv_adapted"
    (known,) = read_domain(out / NETWORK)
    assert known.limit > 0
    card = (out / NETWORK).with_suffix(".md").read_text(encoding="utf-8")
    assert network.spec.sha256 in card
    assert "slicewatch adapt" in card
    for page in PAGES:
        assert page in card
        assert (out / page).is_file()

    again = adapt(acquisition.project, out, "--config", str(acquisition.config))
    assert "were read before" in again.output
    assert open_segmenter(out / NETWORK).spec.sha256 == network.spec.sha256
    common = ["adapt", str(acquisition.project), "--out", str(out), "--config", str(acquisition.config)]
    other = CliRunner().invoke(app, [*common, "--quick", "--model", "models/zoo/unet_1kv.onnx"])
    assert isinstance(other.exception, ModelMismatchError)
    in_earnest = CliRunner().invoke(app, common)
    assert isinstance(in_earnest.exception, CheckpointMismatchError)


def test_killed_it_goes_on_and_ends_in_the_same_network(acquisition, tmp_path) -> None:
    """Kill -9 after the first picture of a style; of a run's outputs nothing but the folder is given."""
    assert run_daemon(acquisition.config, follow=False) == 0
    outputs = load(acquisition.config).run.output
    assert adapt(outputs, tmp_path / "whole").exit_code == 0
    command = [sys.executable, "-m", "daemon", "adapt", str(outputs), "--quick"]
    command += ["--out", str(tmp_path / "cut")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        begun_s = monotonic()
        for line in process.stdout:
            if "style_2kv: epoch 1/2" in line or monotonic() - begun_s > KILL_WITHIN_S:
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "cut" / NETWORK).exists()
    assert adapt(outputs, tmp_path / "cut").exit_code == 0
    whole, cut = ((tmp_path / name / NETWORK).read_bytes() for name in ("whole", "cut"))
    assert cut == whole
