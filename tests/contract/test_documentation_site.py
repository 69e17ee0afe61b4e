"""The documentation site: builds without a warning, loads nothing from elsewhere, leads nowhere in vain."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from pydantic import BaseModel

from daemon.config import Configuration

ROOT = Path(__file__).parents[2]
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "audio": "src", "video": "src"}


class Page(HTMLParser):
    """Addresses that a browser loads by itself, addresses of links, and anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs) -> None:
        told = {name: value or "" for name, value in attrs}
        self.anchors |= {told[name] for name in ("id", "name") if name in told}
        if tag == "link" and told.get("rel") != "canonical":
            self.loaded.append(told["href"])
        if tag in LOADING and LOADING[tag] in told:
            self.loaded.append(told[LOADING[tag]])
        if tag == "a" and "href" in told:
            self.links.append(told["href"])

    def handle_data(self, data) -> None:
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site as `make docs` builds it; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "true", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    """Every page by its file."""
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def test_no_page_asks_another_machine_for_anything(site, pages):
    """Microscopes have no internet: scripts, styles, fonts and pictures are all in the folder."""
    for path, page in pages.items():
        for address in page.loaded:
            assert not urlparse(address).netloc, f"{path.name} loads {address}"
            assert (path.parent / unquote(urlparse(address).path)).exists(), f"{path.name}: {address}"
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert "@import" not in styles
    assert "url(http" not in styles


def test_every_link_leads_somewhere(pages):
    """Within the site: the file is there, and the place in it."""
    for path, page in pages.items():
        for link in page.links:
            there = urlparse(link)
            if there.scheme or there.netloc:
                continue
            target = (path.parent / unquote(there.path)).resolve() if there.path else path
            assert target.exists(), f"{path.name}: {link}"
            if there.fragment and target.suffix == ".html":
                assert unquote(there.fragment) in pages[target].anchors, f"{path.name}: {link}"


def keys(model: type[BaseModel]) -> Iterator[str]:
    """Names of all keys that are values, in all tables of a configuration."""
    for name, field in model.model_fields.items():
        inner = list(tables(field.annotation))
        if not inner:
            yield name
        for table in inner:
            yield from keys(table)


def tables(annotation) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from tables(argument)


def test_the_reference_has_every_key_and_every_command(site, pages):
    """Generated from models and command line at each build; nothing of them is missing."""
    configuration = pages[site / "reference" / "configuration.html"].text
    assert [key for key in keys(Configuration) if key not in configuration] == []
    commands = pages[site / "reference" / "command-line.html"].text
    for command in ("run", "reprocess", "calibrate", "check", "report", "export", "monitor", "train"):
        assert f"slicewatch {command}" in commands
    assert "--accept-changes" in commands
