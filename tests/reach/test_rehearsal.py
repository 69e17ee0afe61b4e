"""The abort rehearsed: every action looked at, nothing stopped; what is wrong is found with its remedy."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from daemon.checks.actions import check_abort, rehearse
from daemon.checks.finding import Level
from daemon.checks.rehearsal import print_rehearsal
from daemon.config import as_toml_table, load, parse
from daemon.errors import ConfigurationError
from daemon.journal import open_journal
from daemon.logs import _RotatingFile
from daemon.toml_text import toml_text


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def table(tmp_path, email_table) -> dict[str, Any]:
    """A run without abort actions."""
    (tmp_path / "project").mkdir()
    return {
        "run": {"folder": str(tmp_path / "project"), "output": str(tmp_path / "output")},
        "channels": [{"name": "1kV", "voltage_kv": 1.0}],
        "alerts": {"email": email_table},
    }


def test_all_kinds_are_rehearsed_and_nothing_is_stopped(
    table, tmp_path, mailbox, receiver, hook_table, line_peer, capsys
):
    """The peers see nothing but a connection; no secret is printed."""
    with line_peer(lambda connection, _line: connection.sendall(b"OK\n")) as peer:
        table["abort"] = {
            "armed": True,
            "grace_s": 60.0,
            "pause_actions": [{"kind": "tcp", "host": "127.0.0.1", "port": peer.port}],
            "actions": [
                {"kind": "file", "path": "STOP"},
                {"kind": "command", "argv": [sys.executable, "-c", "open('ran', 'w')"]},
                {"kind": "webhook", **hook_table},
                {"kind": "email"},
                {"kind": "autoscript", "manufacturer": "Demo"},
            ],
        }
        path = tmp_path / "run.toml"
        path.write_text(toml_text(table), encoding="utf-8")
        assert print_rehearsal(path)
    told = capsys.readouterr().out
    assert told.endswith("Nothing was stopped.\n")
    assert "60 s after the alarm" in told
    assert (peer.lines, receiver.bodies, mailbox.letters) == ([], [], [])
    assert not (tmp_path / "STOP").exists()
    assert "SECRETTOKEN" not in told
    assert "battery" not in told


UNWISE = {
    "a pause that never comes": (
        {"pause_actions": [{"kind": "file", "path": "PAUSE"}], "actions": [{"kind": "file", "path": "STOP"}]},
        "never carried out",
    ),
    "nothing but words": (
        {"armed": True, "actions": [{"kind": "tcp", "host": "a", "port": 5, "say": "THICKNESS"}]},
        "no action can confirm",
    ),
    "nothing but mail": ({"armed": True, "actions": [{"kind": "email"}]}, "no action can confirm"),
}


@pytest.mark.parametrize("case", UNWISE)
def test_an_abort_that_cannot_do_what_it_seems_to_is_warned_of(table, tmp_path, case):
    """Each on its own would look like protection."""
    section, why = UNWISE[case]
    finding = check_abort(parse(table | {"abort": section}, where=tmp_path / "run.toml"))
    assert finding.level is Level.WARN
    assert why in finding.text


WRONG = {
    "program": ({"kind": "command", "argv": ["/nowhere/at all"]}, "no such program"),
    "port": ({"kind": "tcp", "host": "127.0.0.1", "port": 1}, "refused"),
    "folder": ({"kind": "file", "path": "run.toml/STOP"}, "no right to write"),
    "hook": ({"kind": "webhook", "url_file": "nowhere"}, "cannot be read"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_could_not_be_done_is_found(table, tmp_path, case):
    """Before the night in which it is needed."""
    action, why = WRONG[case]
    (tmp_path / "run.toml").write_text("")
    configuration = parse(table | {"abort": {"actions": [action]}}, where=tmp_path / "run.toml")
    (finding,) = rehearse(configuration)
    assert finding.level is Level.FAIL
    assert why in finding.text
    assert finding.remedy


def test_autoscript_without_fibsem_says_how_to_get_it(table, tmp_path, monkeypatch):
    """A configured action whose package is missing."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    actions = {"actions": [{"kind": "autoscript"}]}
    (finding,) = rehearse(parse(table | {"abort": actions}, where=tmp_path / "run.toml"))
    assert finding.level is Level.FAIL
    assert "slicewatch[autoscript]" in finding.remedy


def test_a_misspelt_key_of_an_action_is_named(table, tmp_path):
    """With the nearest key of that kind of action."""
    actions = {"actions": [{"kind": "tcp", "host": "a", "prot": 5}]}
    with pytest.raises(ConfigurationError, match="'port'"):
        parse(table | {"abort": actions}, where=tmp_path / "run.toml")


def test_paths_of_actions_and_secrets_begin_at_the_configuration(table, tmp_path):
    """Wherever the daemon was started."""
    table["alerts"]["email"]["password_file"] = "secret"  # noqa: S105
    table["abort"] = {"actions": [{"kind": "file", "path": "STOP", "answer": "../STOPPED"}]}
    configuration = parse(table, where=tmp_path / "run.toml")
    (action,) = configuration.abort.actions
    assert (action.path, action.answer) == (tmp_path / "STOP", tmp_path / "../STOPPED")
    assert configuration.alerts.email.password_file == tmp_path / "secret"


def test_a_log_file_is_rotated(tmp_path):
    """It never grows beyond its limit, and the oldest lines go first."""
    logger = _RotatingFile(tmp_path / "log" / "slicewatch.jsonl", max_bytes=1000, kept=2)()
    for number in range(300):
        logger.info(json.dumps({"number": number}))
    files = sorted(path.name for path in (tmp_path / "log").iterdir())
    assert files == ["slicewatch.jsonl", "slicewatch.jsonl.1", "slicewatch.jsonl.2"]
    assert all(path.stat().st_size <= 1000 for path in (tmp_path / "log").iterdir())
    last = (tmp_path / "log" / "slicewatch.jsonl").read_text().splitlines()[-1]
    assert json.loads(last) == {"number": 299}
    for handler in logger.handlers:
        handler.close()


def test_the_log_option_writes_json_lines(tmp_path):
    """On the command line, before the command."""
    log = tmp_path / "slicewatch.jsonl"
    command = [sys.executable, "-m", "daemon", "--log", str(log), "watchdog", str(tmp_path / "run.toml")]
    (tmp_path / "run.toml").write_text(
        toml_text(
            {
                "run": {"folder": str(tmp_path), "output": str(tmp_path / "output")},
                "channels": [{"name": "1kV", "voltage_kv": 1.0}],
            }
        )
    )
    assert subprocess.run(command, check=False, timeout=120).returncode == 0
    (line,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert (line["event"], line["verdict"]) == ("watchdog.looked", "well")


def test_a_lost_gpu_is_told(table, tmp_path):
    """The last start had one and this one has not; a machine that never had one is left alone."""
    from types import SimpleNamespace

    from daemon.service import _lost_hardware

    path = tmp_path / "run.toml"
    path.write_text(toml_text(table), encoding="utf-8")
    configuration = load(path)
    told: list[list[str]] = []
    for provider in ("CPUExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"):
        segmenter: Any = SimpleNamespace(provider=provider, refusals={"CUDAExecutionProvider": "no driver"})
        journal = tmp_path / "journal.sqlite"
        with closing(open_journal(journal, as_toml_table(configuration), now)) as opened:
            told.append([alarm.message for alarm in _lost_hardware(opened, segmenter)])
    assert told[:2] == [[], []]
    assert "no driver" in told[2][0]
