"""Nothing in the product executes data: no pickle, no eval, no shell; told from its syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = sorted(p for folder in ("daemon", "models", "algorithms") for p in (ROOT / folder).rglob("*.py"))
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle", "joblib"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput"}
FORBIDDEN_CALLS |= {"subprocess.getstatusoutput", "torch.load", "numpy.load", "np.load", "yaml.load"}


def offences(text: str) -> Iterator[str]:
    """What a module's text does that could execute data."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.partition(".")[0] in FORBIDDEN_MODULES)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in FORBIDDEN_MODULES:
            yield str(node.module)
        if isinstance(node, ast.Call):
            yield from _offences_of_call(node)


def _offences_of_call(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in FORBIDDEN_CALLS and not _is_harmless_load(name, given):
        yield name
    if "shell" in given and not _is(given["shell"], False):
        yield f"{name}(shell=…)"
    if "allow_pickle" in given and not _is(given["allow_pickle"], False):
        yield f"{name}(allow_pickle=…)"


def _is_harmless_load(name: str, given: dict[str | None, ast.expr]) -> bool:
    """numpy refuses pickles unless told; torch is to be told to load weights only."""
    if name in ("np.load", "numpy.load"):
        return True
    return name == "torch.load" and _is(given.get("weights_only"), True)


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_executes_no_data(path: Path) -> None:
    """No module imports or calls what would run what it reads."""
    assert list(offences(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from marshal import loads",
        "eval('1')",
        "import subprocess; subprocess.run('ls', shell=True)",
        "import os; os.system('ls')",
        "import torch; torch.load('x')",
        "import numpy as np; np.load('x', allow_pickle=True)",
    ],
)
def test_the_search_finds_what_it_looks_for(text: str) -> None:
    """Each way of executing data is seen."""
    assert list(offences(text))
