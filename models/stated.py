"""Reads what a network's file says about itself into a record, and refuses what no file of ours would say.

Each field is one ``metadata_props`` entry ``slicewatch.<field>`` whose value is JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from models.errors import ModelMetadataInvalidError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PREFIX: Final = "slicewatch."
STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)
"""Of a record: no text for a number, no unknown fields."""

Record = TypeVar("Record")


def stated(record: "DataclassInstance", expected: Mapping[str, Any]) -> dict[str, str]:
    """The ``metadata_props`` of a file that says what the record says, and what is expected of its kind."""
    fields = {**asdict(record), **expected}
    del fields["sha256"]  # a file cannot state its own checksum
    return {PREFIX + key: json.dumps(value) for key, value in fields.items()}


def read_stated(
    record: type[Record],
    metadata: Mapping[str, str],
    expected: Mapping[str, Any],
    sha256: str,
    where: str,
    remedy: str,
) -> Record:
    """The record that a file states, each field of the type and within the limits that the record gives it.

    Args:
        record: a dataclass with the configuration ``STRICT``; its field ``sha256`` is the file's checksum.
        metadata: of the file; what other programs noted there is ignored.
        expected: values that the file must state, of fields that the record leaves out.
        sha256: of the file.
        where: the file, for messages.
        remedy: against a file that states something else.

    Raises:
        ModelMetadataInvalidError: a field is absent, unknown, unreadable, or impossible.
    """
    try:
        fields = _parsed(metadata)
        for key, value in expected.items():
            if fields.pop(key, None) != value:
                raise ValueError(f"its {key} is not {value!r}")
        text = json.dumps(fields | {"sha256": sha256})
        return TypeAdapter(record).validate_json(text)
    except ValidationError as problem:
        raise _invalid(_first(problem), where, remedy) from problem
    except ValueError as problem:
        raise _invalid(str(problem), where, remedy) from problem


def _parsed(metadata: Mapping[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in metadata.items():
        if key.startswith(PREFIX):
            try:
                fields[key.removeprefix(PREFIX)] = json.loads(value)
            except (ValueError, RecursionError) as problem:
                raise ValueError(f"{key} is not JSON: {value[:40]!r}") from problem
    return fields


def _invalid(problem: str, where: str, remedy: str) -> ModelMetadataInvalidError:
    return ModelMetadataInvalidError(f"this network does not say how to feed it: {problem}", where, remedy)


def _first(problem: ValidationError) -> str:
    """Of all complaints the first: the field, what is wrong with it, what it says."""
    complaint = problem.errors(include_url=False)[0]
    field = ".".join(str(part) for part in complaint["loc"])
    given, words = complaint["input"], complaint["msg"].removeprefix("Value error, ")
    shown = f" (it says {given!r})" if isinstance(given, str | int | float | list) else ""
    return f"{field}: {words}{shown}" if field else words
