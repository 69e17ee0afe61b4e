"""Two consecutive real slices of a Helios, laid out as an Auto Slice & View project."""

from __future__ import annotations

import shutil
import threading

import pytest
import zarr

from daemon.client import Client
from daemon.journal_bodies import read_records
from daemon.service import run_daemon
from daemon.tables import read_table

pytestmark = [pytest.mark.real_data, pytest.mark.slow, pytest.mark.timeout(300)]

CONFIG = """
[run]
folder = "project"
output = "output"
expected_slices = 2
[[channels]]
name = "2kV"
voltage_kv = 2.0
detector = "TLD"
[volume]
grid_nm = 10.0
[publish]
events = "tcp://127.0.0.1:{}"
control = "tcp://127.0.0.1:{}"
"""


def test_real_slices_go_all_the_way(real_data, tmp_path, free_ports):
    """The face registers them as three other methods do; thickness is assumed and said to be; all comes out.

    The content moves by about (dy, dx) = (+2…+3, −26) px from 001 to 002, so the shift to be added is minus
    that, within a pixel.
    """
    images = tmp_path / "project" / "Images" / "SEM Image"
    images.mkdir(parents=True)
    shutil.copy(real_data / "asv4-EMProject.emxml", tmp_path / "project" / "EMproject.emxml")
    for number in ("001", "002"):
        source = real_data / f"asv4-helios-g4-2kv-slice-{number}.tif"
        shutil.copy(source, images / f"SEM Image - SliceImage - {number}.tif")
    config = tmp_path / "run.toml"
    config.write_text(CONFIG.format(*free_ports))
    topics: set[str] = set()
    listener = threading.Thread(target=listen, args=(free_ports, topics))
    listener.start()
    assert run_daemon(config, follow=True) == 0
    listener.join()

    first, second = read_table(tmp_path / "output" / "slices.csv")
    assert float(second["shift_y_px_2kV"]) == pytest.approx(-2.5, abs=1.5)
    assert float(second["shift_x_px_2kV"]) == pytest.approx(26.0, abs=1.0)
    assert {first["shift_source"], second["shift_source"]} == {"face"}
    assert {first["thickness_source"], second["thickness_source"]} == {"target"}
    assert float(second["depth_nm"]) == 10.0
    volume = zarr.open_array(str(tmp_path / "output" / "volume.ome.zarr" / "0"), mode="r")
    assert volume.shape[0] == 2
    assert 0.02 < float((volume[:] == 1).mean()) < 0.98
    assert {"run", "slice", "thickness", "planes", "metrics", "preview"} <= topics
    assert read_records(tmp_path / "output" / "journal.sqlite", "alarm")[1] == []


def listen(ports: tuple[int, int], topics: set[str]) -> None:
    """Collect the topics of a run until it says that it is finished."""
    events, control = (f"tcp://127.0.0.1:{port}" for port in ports)
    with Client(events, control) as client:
        for update in client.follow():
            told = update.events if hasattr(update, "events") else [update]
            for event in told:
                message = getattr(event, "message", None)
                if message is None:
                    continue
                topics.add(message.topic)
                if message.topic == "run" and message.finish_reason is not None:
                    return
