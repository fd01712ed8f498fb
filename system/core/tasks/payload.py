"""What travels to a worker: the params of a task as JSON and back, and what it may know of the request."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Request
from pydantic_core import PydanticSerializationError, from_json, to_json
from werkzeug.datastructures import MultiDict

from ..dispatch.params import Params
from ..errors import TaskError

# in the WSGI environment of a request: no header of a client can have these names
REQUEST_ID, USER = "kernkoa.request_id", "kernkoa.user"


def pack_params(params: Any, name: str = "params") -> dict[str, Any]:
    """Params as JSON. Dates, Decimals, UUIDs, dataclasses and pydantic models are made so.

    Raises TaskError, naming the key, for what is no JSON: files, connections, objects.
    """
    if isinstance(params, Params):
        if params.files:
            key = next(iter(params.files))
            raise TaskError(
                f"{name}.files[{key!r}] is an upload: it cannot travel to a worker. Save it to a file that the "
                "worker can read, and pass the path."
            )
        packed: dict[str, Any] = {"values": dict(params), "json": params.json, "urlpath": params["urlpath"]}
        for part, source in (("query", params.query), ("form", params.form)):
            packed[part] = list(source.items(multi=True))
        packed = {part: value for part, value in packed.items() if value or part == "values"}
    else:
        packed = {"value": params}
    return from_json(encode(packed, name, params))  # type: ignore[no-any-return]


def encode(value: Any, name: str, shown: Any) -> bytes:
    """A value as JSON. Raises TaskError that names the place in `shown` which cannot be."""
    try:
        return to_json(value, inf_nan_mode="null")
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        place = find_fault(shown, name) or f"{name} ({error})"
        raise TaskError(
            f"{place} cannot be sent as JSON. Pass text, numbers, dates, lists and dicts; of a file its path, "
            "of a database row its values."
        ) from error


def find_fault(value: Any, place: str) -> str:
    """The place and type of the first thing in a value that is no JSON; empty where there is none."""
    children: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        children = list(value.items())
    elif isinstance(value, list | tuple):
        children = list(enumerate(value))
    try:
        for key, child in children:
            found = find_fault(child, f"{place}[{key!r}]")
            if found:
                return found
    except RecursionError:
        return f"{place}, which contains itself or is nested too deeply,"
    try:
        to_json(value)
    except (PydanticSerializationError, ValueError):
        return f"{place}, a {type(value).__name__},"
    return ""


def unpack_params(packed: Mapping[str, Any]) -> Any:
    """What pack_params packed: the value itself, or Params."""
    if "value" in packed:
        return packed["value"]
    return Params(
        packed["values"],
        query=MultiDict(packed.get("query", ())),
        form=MultiDict(packed.get("form", ())),
        json_body=packed.get("json"),
        segments=tuple(filter(None, packed.get("urlpath", "").split("/"))),
    )


def describe_origin(request: Request | None, url: str) -> dict[str, str]:
    """What a task may know of the request that started it: where the site is, the path, an id for the log, the
    name of the user. No header, no cookie and nothing of the session travels.
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
        "wsgi.version": (1, 0),
        "kernkoa.task": True,
    }


class _Nothing:
    """A body of no bytes."""

    def read(self, *_: Any) -> bytes:
        return b""

    readline = read


_NO_BODY = _Nothing()
