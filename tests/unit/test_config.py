"""A wrong configuration is refused with the key, the reason and the remedy."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from daemon.config import Configuration, MarkSection, RulerSection, load, parse
from daemon.errors import ConfigurationError

MINIMAL = """
[run]
folder = "in"
output = "out"
[[channels]]
name = "2kV"
voltage_kv = 2.0
"""

WRONG = {
    "misspelt key": ('[run]\nfolder="a"\noutput="b"\nexpected_slice=3', "Did you mean 'expected_slices'"),
    "misspelt table": (MINIMAL + "[geometri]\n", "Did you mean 'geometry'"),
    "no channels": ('[run]\nfolder="a"\noutput="b"', "channels"),
    "not TOML": ("[run\n", "not TOML"),
    "pattern without slice": (MINIMAL.replace('"out"', '"out"\nfile_pattern="x"'), "named group"),
    "pattern no regex": (MINIMAL.replace('"out"', '"out"\nfile_pattern="("'), "regular expression"),
    "two references": (
        MINIMAL + 'reference=true\n[[channels]]\nname="b"\nvoltage_kv=1.0\nreference=true',
        "exactly one channel",
    ),
    "repeated name": (MINIMAL + 'reference=true\n[[channels]]\nname="2kV"\nvoltage_kv=1.0', "repeat"),
    "ruler without inclined mark": (
        MINIMAL + '[ruler]\n[[ruler.marks]]\nkind="parallel"\nx=1\ny=1\nheight=5',
        "at least one inclined",
    ),
    "inclined without direction": (
        MINIMAL + '[ruler]\n[[ruler.marks]]\nkind="inclined"\nx=1\ny=1\nheight=5',
        "direction 1 or -1",
    ),
    "negative voltage": (MINIMAL.replace("2.0", "-2.0"), "greater than or equal to 0"),
    "a channel of any voltage and any detector": (
        MINIMAL.replace("voltage_kv = 2.0", "").replace("voltage_kv=2.0", ""),
        "needs voltage_kv, or detector",
    ),
    "limits upside down": (MINIMAL + "[drift]\nlimits_nm=[25.0, 2.0]", "lower limit"),
    "change too large to test for": (MINIMAL + "[drift]\nshift_sigma=10.0", "less than or equal to 5"),
    "baseline wider than its mean": (MINIMAL + "[drift]\nbaseline_nm=[3.0, 10.0]", "0 < σ < mean"),
    "text for a number": (MINIMAL + '[volume]\ngrid_nm="fine"', "number"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_each_mistake_has_its_own_message(tmp_path, text, expected):
    """The message names the mistake and the file; the exit code is that of a usage error."""
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert expected in str(caught.value)
    assert str(path) in caught.value.where
    assert caught.value.exit_code == 2


EVERYWHERE = "0.0.0.0"  # noqa: S104 - to be refused


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.0.7", "microscope-pc"])
def test_the_health_endpoint_stays_on_this_machine_unless_told(tmp_path, host):
    """Nobody is asked for a key there, so that an address which others reach has to be meant."""
    table = f'[health]\nhost = "{host}"\nport = 9100\n'
    path = tmp_path / "run.toml"
    path.write_text(MINIMAL + table)
    with pytest.raises(ConfigurationError, match="open_to_network = true"):
        load(path)
    path.write_text(MINIMAL + table + "open_to_network = true\n")
    assert load(path).health.host == host


def test_a_missing_file_is_one_clear_error(tmp_path):
    """No traceback for a wrong path."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_paths_are_relative_to_the_file(tmp_path):
    """The daemon can be started from anywhere."""
    path = tmp_path / "run.toml"
    path.write_text(MINIMAL)
    assert load(path).run.folder == tmp_path / "in"


def test_the_environment_overrides_a_key(tmp_path, monkeypatch):
    """A service unit changes a port without touching the file; the type is still checked."""
    path = tmp_path / "run.toml"
    path.write_text(MINIMAL)
    monkeypatch.setenv("SLICEWATCH_VOLUME__GRID_NM", "5.0")
    monkeypatch.setenv("SLICEWATCH_PUBLISH__EVENTS", "tcp://127.0.0.1:7000")
    configuration = load(path)
    assert configuration.volume.grid_nm == 5.0
    assert configuration.publish.events == "tcp://127.0.0.1:7000"
    monkeypatch.setenv("SLICEWATCH_VOLUME__GRIDNM", "5.0")
    with pytest.raises(ConfigurationError, match="Did you mean 'grid_nm'"):
        load(path)


def test_the_shipped_file_states_the_real_defaults(tmp_path):
    """config.toml documents every default; a key left out gives the same configuration."""
    shipped = load(Path(__file__).parents[2] / "config.toml")
    minimal = parse(
        {
            "run": {"folder": shipped.run.folder, "output": shipped.run.output},
            "channels": [channel.model_dump() for channel in shipped.channels],
        },
        where=tmp_path / "x.toml",
    )
    assert minimal == shipped
    assert set(Configuration.model_fields) - {"fiducials", "ruler"} <= shipped.model_fields_set


def test_marks_that_hand_over_end_below_their_beginning() -> None:
    """A mark that ends before it begins is refused; one that begins deeper is not in the first slice."""
    mark = {"kind": "inclined", "x": 10.0, "y": 5, "height": 40, "direction": 1}
    parallel = {"kind": "parallel", "x": 30.0, "y": 5, "height": 40}
    assert MarkSection(**mark, begins_nm=900.0, ends_nm=2000.0).ends_nm == 2000.0
    with pytest.raises(ValueError, match="begins_nm"):
        MarkSection(**mark, begins_nm=900.0, ends_nm=800.0)
    with pytest.raises(ValueError, match="first slice"):
        RulerSection(marks=(parallel, {**mark, "begins_nm": 900.0}))


def test_the_example_of_an_electrode_is_whole():
    """Two channels told apart by detector alone."""
    configuration = load(Path(__file__).parents[2] / "examples" / "electrode.toml")
    assert [(c.detector, c.voltage_kv) for c in configuration.channels] == [("SE2", 0.0), ("InLens", 0.0)]
    assert configuration.reference_channel == "SE2"


def test_channels_that_look_alike_are_refused():
    """Same voltage, same detector in another case: no image could be told."""
    more = 'reference=true\ndetector="TLD"\n[[channels]]\nname="b"\nvoltage_kv=2.0\ndetector="tld"'
    with pytest.raises(ConfigurationError, match="same voltage and detector"):
        parse(tomllib.loads(MINIMAL + more), where=Path("run.toml"))
