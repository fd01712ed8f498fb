"""What is sent to a worker: the params of a task as JSON text, and some facts about the request."""

from __future__ import annotations

import secrets
import sys
import zlib
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Request
from pydantic_core import from_json, to_json
from werkzeug.datastructures import MultiDict

from ..dispatch.json_body import decode_exactly
from ..dispatch.params import Params
from ..errors import TaskError
from .json_text import NotJson, encode_value

# in the WSGI environment of a request: no header of a client can have these names
REQUEST_ID, USER = "kernkoa.request_id", "kernkoa.user"
# texts from this size on are compressed
_COMPRESSED = 1_024


@dataclass(frozen=True, slots=True)
class Packed:
    """Encoded params: their JSON text, and the value that the task will get."""

    text: bytes
    value: Any


def pack_params(params: Any, name: str = "params") -> Packed:
    """Params as JSON. Dates, Decimals, UUIDs, dataclasses and pydantic models are converted.

    Raises TaskError, naming the place, for what JSON cannot hold: files, connections, objects, NaN.
    """
    try:
        text = encode_value(_parts(params, name), name)
    except NotJson as error:
        place = str(error).replace(f"{name}['value']", name, 1)
        raise TaskError(
            f"{place}, which cannot be sent as JSON. Pass text, numbers, dates, lists and dicts; of a file its "
            "path, of a database row its values."
        ) from error
    return Packed(text, unpack_params(from_json(text)))


def _parts(params: Any, name: str) -> dict[str, Any]:
    if not isinstance(params, Params):
        return {"value": params}
    if params.files:
        key = next(iter(params.files))
        raise TaskError(
            f"{name}.files[{key!r}] is an upload: it cannot travel to a worker. Save it to a file that the "
            "worker can read, and pass the path."
        )
    sent = {"query": params.query, "form": params.form, "json": params.json}
    first = _make_params(sent)
    changed = {key for key, value in first.items() if not _is_same(params.get(key), value)}
    parts: dict[str, Any] = {part: _without(value, changed) for part, value in sent.items()}
    if params.raw_json and not changed and decode_exactly(params.raw_json) == params.json:
        parts["raw"] = params.raw_json.decode("utf-8-sig")  # its numbers have all their digits
        del parts["json"]
    parts["segments"] = list(params.segments)
    parts = {part: value for part, value in parts.items() if value}
    # only what the others do not tell: each value is stored once
    parts["values"] = {key: value for key, value in params.items() if key in changed or key not in first}
    return parts


def _is_same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)


def _without(sent: Any, changed: Set[str]) -> Any:
    """The values that were sent, without those that the method changed or removed from its params."""
    if isinstance(sent, MultiDict):
        return [(name, value) for name, value in sent.items(multi=True) if name not in changed]
    if isinstance(sent, dict) and not changed.isdisjoint(sent):
        return {name: value for name, value in sent.items() if name not in changed}
    return sent


def unpack_params(packed: Mapping[str, Any]) -> Any:
    """The value that was packed, or Params."""
    return packed["value"] if "value" in packed else _make_params(packed)


def _make_params(packed: Mapping[str, Any]) -> Params:
    raw = packed.get("raw", "")
    made = Params(
        query=MultiDict(packed.get("query", ())),
        form=MultiDict(packed.get("form", ())),
        json_body=from_json(raw) if raw else packed.get("json"),
        raw_json=raw.encode(),
        segments=tuple(packed.get("segments", ())),
    )
    made.update(packed.get("values", {}))
    return made


def encode_message(packed: Packed, origin: Mapping[str, str], answer: bool) -> bytes:
    """The part of a task record that is for the worker, as text."""
    text = to_json({"origin": origin, "answer": answer})[:-1] + b',"params":' + packed.text + b"}"
    return zlib.compress(text, 1) if len(text) >= _COMPRESSED else text


def decode_message(raw: bytes) -> dict[str, Any]:
    """What encode_message encoded. Raises TaskError if it is something else."""
    try:
        found = from_json(raw if raw[:1] == b"{" else zlib.decompress(raw))
        told = [found["origin"][name] for name in ("path", "root", "id")]
        if set(found) == {"origin", "answer", "params"} and all(isinstance(text, str) for text in told):
            return dict(found)
    except (ValueError, TypeError, LookupError, zlib.error):
        pass
    raise TaskError(
        "The message of this task cannot be read: it was changed in Redis, or sent by another version."
    )


def describe_origin(request: Request | None, url: str) -> dict[str, str]:
    """What a task may know of the request that started it: where the site is, the path, an id for the log, the
    name of the user. Headers, cookies and the session are not sent.
    """
    if request is None:
        return {"root": url, "path": "/", "id": secrets.token_hex(8)}
    name = request.environ.get(REQUEST_ID) or secrets.token_hex(8)
    user = {"user": request.environ[USER]} if USER in request.environ else {}
    return {"root": request.url_root, "path": request.path, "id": name} | user


def make_environ(origin: Mapping[str, str]) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of a request to the same site and path: config.url and url_for are right."""
    root = urlsplit(origin["root"])
    default = "443" if root.scheme == "https" else "80"
    user = {USER: origin["user"]} if "user" in origin else {}
    return user | {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": root.path.rstrip("/"),
        "PATH_INFO": origin["path"].encode().decode("latin-1"),
        "QUERY_STRING": "",
        "HTTP_HOST": root.netloc,
        "SERVER_NAME": root.hostname or "localhost",
        "SERVER_PORT": str(root.port or default),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_X_REQUEST_ID": origin["id"],
        REQUEST_ID: origin["id"],
        "REMOTE_ADDR": "",
        "wsgi.url_scheme": root.scheme,
        "wsgi.input": _NO_BODY,
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "kernkoa.task": True,
    }


class _Nothing:
    """A body of no bytes."""

    def read(self, *_: Any) -> bytes:
        return b""

    readline = read


_NO_BODY = _Nothing()
