"""The live check of a run's images: silent on known ones, and told once when a run leaves them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.domain import CHANNELS, judged, shipped_domains, slices_until_noticed
from benchmarks.domain_shifts import SHIFTS, VOLTAGES_KV
from daemon.codec import pack, unpack
from daemon.config import parse
from daemon.stages.recognising import IN_A_ROW, KIND, RecognisingState, known_domains, recognise
from daemon.stages.segmenting import FaceStack
from models.domain_learning import SEEDS, known_run

SEED = SEEDS[-1]


@pytest.fixture(scope="module")
def known():
    return shipped_domains()


@pytest.fixture(scope="module")
def calm() -> list[np.ndarray]:
    """Faces of a known run, (channel, y, x) each."""
    return [np.stack(images) for images in known_run(SEED, VOLTAGES_KV, 6)]


def follow(known, faces):
    """Standings and alarms of each face in turn."""
    state, told = RecognisingState(), []
    for index, images in enumerate(faces):
        state, standings, alarms = recognise(state, known, FaceStack(index, images), CHANNELS)
        told.append((standings, alarms))
    return told


def test_a_known_run_is_not_disturbed(known, calm) -> None:
    """Every image well within its limit, small ones included."""
    for seed in (SEED, SEED - 1):
        told, beyond = judged(known, known_run(seed, VOLTAGES_KV, 4))
        assert (told, any(beyond)) == ([], False)


@pytest.mark.parametrize("shift", SHIFTS)
def test_each_change_of_the_acquisition_is_noticed_within_five_slices(known, shift: str) -> None:
    """Three times the noise, defocus, inverted contrast, charging, another material."""
    assert slices_until_noticed(known, shift, SEED) <= 5


def test_one_alarm_tells_of_all_channels_and_says_what_to_do(known, calm) -> None:
    """The kind, the worst channel's measurement and limit, the others as evidence; once."""
    noisy = [np.stack(images) for images in SHIFTS["noise"](SEED, 6)]
    alarms = [alarm for _, raised in follow(known, [*calm[:2], *noisy]) for alarm in raised]
    assert [(alarm.kind, alarm.slice_index) for alarm in alarms] == [(KIND, 2 + IN_A_ROW - 1)]
    assert alarms[0].measurement > alarms[0].limit
    assert set(alarms[0].evidence) == {f"distance {name}" for name in CHANNELS}
    assert "1kV" in alarms[0].message
    assert "slicewatch train" in alarms[0].remedy


def test_a_single_odd_image_is_no_alarm_and_a_second_excursion_is_another(known, calm) -> None:
    """Fewer than three in a row say nothing; once back among the known, the next time is told again."""
    odd = [np.invert(images) for images in calm[:IN_A_ROW]]
    told = follow(known, [calm[0], *odd[:2], calm[1], *odd, calm[2], *odd])
    assert [index for index, (_, alarms) in enumerate(told) if alarms] == [6, 10]


def test_an_image_that_says_nothing_changes_nothing(known, calm) -> None:
    """Empty ones in between: neither the count nor a told alarm is forgotten, and none is made of them."""
    odd, empty = [np.invert(images) for images in calm[:4]], np.full_like(calm[0], 7)
    told = follow(known, [odd[0], odd[1], empty, odd[2], empty, odd[3]])
    assert [index for index, (_, alarms) in enumerate(told) if alarms] == [3]
    assert all(np.isnan(one.distance) for one in told[2][0].values())
    assert not any(alarms for _, alarms in follow(known, [empty] * 4))


def test_a_state_that_was_stored_goes_on_the_same(known, calm) -> None:
    """Packed for the journal and read back between all slices, as a kill would have it."""
    faces = [calm[0], *(np.invert(images) for images in calm[:4])]
    state, alarms = RecognisingState(), []
    for index, images in enumerate(faces):
        stored = unpack(RecognisingState, pack(state))
        state, _, raised = recognise(stored, known, FaceStack(index, images), CHANNELS)
        alarms.append(raised)
    assert alarms == [raised for _, raised in follow(known, faces)]


def test_the_figures_are_those_of_the_image_and_nothing_else(known, calm) -> None:
    """The state decides on alarms; distances are the same bits whatever came before."""
    alone = recognise(RecognisingState(), known, FaceStack(5, calm[5]), CHANNELS)[1]
    assert follow(known, calm)[5][0] == alone


def test_channels_that_nobody_has_learned_are_not_judged(known, calm) -> None:
    """No standing, no alarm."""
    only = {"2kV": known["2kV"]}
    standings = recognise(RecognisingState(), only, FaceStack(0, calm[0]), CHANNELS)[1]
    assert set(standings) == {"2kV"}
    assert recognise(RecognisingState(), {}, FaceStack(0, calm[0]), CHANNELS)[1:] == ({}, ())


@pytest.mark.parametrize(
    ("voltages", "names"),
    [((1.0, 2.0, 4.0), CHANNELS), ((4.0,), ("4kV",)), ((1.0, 4.0), ("1kV", "4kV"))],
    ids=["fused", "single", "two of three"],
)
def test_every_shipped_choice_of_networks_knows_its_channels(voltages, names) -> None:
    """The domain of each channel is that of its voltage."""
    channels = [{"name": name, "voltage_kv": kv} for name, kv in zip(names, voltages, strict=True)]
    channels[0]["reference"] = True
    table = {"run": {"folder": "in", "output": "out"}, "channels": channels}
    found = known_domains(parse(table, where=Path("run.toml")))
    assert {name: domain.voltage_kv for name, domain in found.items()} == dict(
        zip(names, voltages, strict=True)
    )


def test_voltages_that_are_swapped_are_noticed(known, calm) -> None:
    """1 kV images told as 2 kV ones, and the other way round, are unlike both."""
    swapped = replace(FaceStack(0, calm[0]), images=calm[0][[1, 0, 2]])
    standings = recognise(RecognisingState(), known, swapped, CHANNELS)[1]
    assert max(standings[name].distance / standings[name].limit for name in ("1kV", "2kV")) > 1
    assert standings["4kV"].distance < standings["4kV"].limit
