"""The protocol as a JSON Schema, made from the types.

``python -m daemon.schema > docs/protocol.schema.json`` writes it. It describes the MessagePack maps: the
header of each topic under ``$defs`` by the topic's name, ``request``, and the ``reply`` that every answer
begins with. A number may be NaN, for which MessagePack has a word and JSON has none.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import numpy as np

from daemon.messages import TYPES
from daemon.requests import AnyRequest, Reply
from daemon.wire import SCHEMA, ArrayDescription, Envelope

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def protocol_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of every header, request and reply."""
    kinds = (AnyRequest, Reply, Envelope, ArrayDescription, *TYPES.values())
    (request, reply, *_), definitions = msgspec.json.schema_components(
        kinds, schema_hook=_array_schema, ref_template="#/$defs/{name}"
    )
    headers = {topic: _header(definitions.pop(kind.__name__), definitions) for topic, kind in TYPES.items()}
    return {
        "$schema": _DRAFT,
        "title": f"slicewatch wire protocol, schema {SCHEMA}",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in (*TYPES, "request", "reply")],
        "$defs": {**headers, "request": request, "reply": reply, **_without_defaults(definitions)},
    }


def _header(message: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A topic's flat map: the envelope's fields and its own, all of which the daemon always writes."""
    envelope: dict[str, Any] = definitions["Envelope"]["properties"]
    arrays = {"type": "array", "items": {"$ref": "#/$defs/ArrayDescription"}}
    fields = _without_defaults({**envelope, **message["properties"], "arrays": arrays})
    return {**message, "properties": fields, "required": list(fields)}


def _without_defaults(value: Any) -> Any:
    """Nothing is left out on the wire, and some defaults are NaN, which would be no JSON."""
    if isinstance(value, dict):
        return {key: _without_defaults(item) for key, item in value.items() if key != "default"}
    return [_without_defaults(item) for item in value] if isinstance(value, list) else value


def _array_schema(kind: type) -> dict[str, Any]:
    """Arrays travel as payload; in the header stand their descriptions."""
    if kind is np.ndarray:
        return {"type": "object"}
    raise NotImplementedError(kind)


if __name__ == "__main__":
    print(json.dumps(protocol_schema(), indent=1, ensure_ascii=False))  # noqa: T201 - the command's result
