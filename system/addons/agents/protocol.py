"""One message of the Model Context Protocol: checked, handed to its handler, answered. No Flask, no catalogue.

Two forms of the protocol are served. Since revision 2026-07-28 every request carries its version and the client's
capabilities in `params._meta`, and HTTP headers repeat what a proxy needs to see. The revisions before it begin
with the request `initialize`. The models are those of the package mcp-types.
https://modelcontextprotocol.io/specification
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mcp_types import CLIENT_CAPABILITIES_META_KEY, PROTOCOL_VERSION_META_KEY, SERVER_INFO_META_KEY
from mcp_types.jsonrpc import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    UNSUPPORTED_PROTOCOL_VERSION,
)
from mcp_types.methods import CACHEABLE_METHODS, CLIENT_REQUESTS, serialize_server_result
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json
from werkzeug.exceptions import HTTPException

log = logging.getLogger("kernkoa.agents")

HANDSHAKE_VERSIONS = ("2025-06-18", "2025-11-25")
VERSIONS = (*HANDSHAKE_VERSIONS, *MODERN_PROTOCOL_VERSIONS)

# the parameter that the header Mcp-Name repeats: revision 2026-07-28, basic/transports, standard request headers
NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
STATUS_OF = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    UNSUPPORTED_PROTOCOL_VERSION: 400,
    METHOD_NOT_FOUND: 404,
    INTERNAL_ERROR: 500,
}
# errors that answer a valid request: before revision 2026-07-28 their HTTP status is 200
ANSWERS = (METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR)
MOST_ERRORS = 20

# from the parameters of a method and the visit to its result: a dict with the keys of the protocol, or a JSON
# object that was made already and has at least one member
Handler = Callable[[Any, Any], "dict[str, Any] | bytes"]


@dataclass(eq=False)
class ProtocolError(Exception):
    """A message that breaks the protocol, as JSON-RPC answers it: `code`, `message`, `data`.

    `headers` go into the HTTP answer; `status` is its status, by default the one that the protocol gives the code.
    """

    code: int
    message: str
    data: Any = None
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one message. `body` is None for a notification, which gets none."""

    status: int
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """The server: its name, version and instructions for the model, and a handler for each method."""

    name: str
    version: str
    instructions: str
    handlers: Mapping[str, Handler]

    def answer(self, body: bytes, headers: Mapping[str, str] | None, visit: Any = None) -> Reply:
        """The reply to one message. `headers` are those of the HTTP request; None where there are none (stdio)."""
        try:
            message = read_message(body)
        except ProtocolError as error:
            return _as_reply(error, None, handshake=_is_handshake(headers))
        return self.answer_message(message, headers, visit)

    def answer_message(
        self, message: dict[str, Any], headers: Mapping[str, str] | None, visit: Any = None
    ) -> Reply:
        """The reply to a message that `read_message` returned."""
        if "id" not in message:
            return _accept_notification(headers)
        if "method" not in message:
            refusal = ProtocolError(INVALID_REQUEST, "This server sends clients no requests.")
            return Reply(202) if _is_handshake(headers) else _as_reply(refusal, None, handshake=False)
        try:
            result = self._run(message, find_version(message, headers), visit)
        except ProtocolError as error:
            return _as_reply(error, message["id"], handshake=_is_handshake(headers))
        except HTTPException as error:  # such as too many wrong keys, or no Redis to count them in
            return _as_reply(_as_protocol_error(error), message["id"], handshake=False)
        except Exception as error:
            log.exception("The message %s failed.", _cut(message["method"]))
            failed = ProtocolError(INTERNAL_ERROR, "The server failed; its log says why.", type(error).__name__)
            return _as_reply(failed, message["id"], handshake=False)
        return Reply(200, b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (_encode(message["id"]), result))

    def _run(self, message: dict[str, Any], version: str, visit: Any) -> bytes:
        method = message["method"]
        if method == "initialize":
            return self._initialize(message)
        if method == "ping" and version in HANDSHAKE_VERSIONS:
            return b"{}"
        handler = self._discover if method == "server/discover" else self.handlers.get(method)
        if handler is None:
            raise ProtocolError(METHOD_NOT_FOUND, f"There is no method {_cut(method)} here.")
        result = handler(_parse(message, version), visit)
        if isinstance(result, dict):
            return self._encode_result(method, version, result)
        if version in MODERN_PROTOCOL_VERSIONS:
            return b"%s,%s" % (_encode(self._envelope(method))[:-1], result[1:])
        return result

    def _encode_result(self, method: str, version: str, result: dict[str, Any]) -> bytes:
        """A result as JSON, in the form of a revision."""
        if version in MODERN_PROTOCOL_VERSIONS:
            result = self._envelope(method) | result
        return _encode(serialize_server_result(method, version, result))

    def _envelope(self, method: str) -> dict[str, Any]:
        """What every result has since revision 2026-07-28: its kind, who made it, how long it may be kept."""
        kept = {"ttlMs": 0, "cacheScope": "private"} if method in CACHEABLE_METHODS else {}
        return {"resultType": "complete", **kept, "_meta": {SERVER_INFO_META_KEY: self._info()}}

    def _info(self) -> dict[str, str]:
        return {"name": self.name, "version": self.version}

    def _capabilities(self) -> dict[str, Any]:
        return {name: {} for name in ("tools", "resources") if f"{name}/list" in self.handlers}

    def _discover(self, *_: Any) -> dict[str, Any]:
        return {
            "supportedVersions": list(VERSIONS),
            "capabilities": self._capabilities(),
            "instructions": self.instructions,
        }

    def _initialize(self, message: dict[str, Any]) -> bytes:
        """The handshake: the version that the client offers where it is served, else the newest of ours."""
        offered = message.get("params", {}).get("protocolVersion")
        version = offered if offered in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1]
        _parse(message, version)
        result = {
            "protocolVersion": version,
            "capabilities": self._capabilities(),
            "serverInfo": self._info(),
            "instructions": self.instructions,
        }
        return self._encode_result("initialize", version, result)


def _parse(message: Mapping[str, Any], version: str) -> Any:
    """The parameters of a request, checked by the model of its revision. Raises ProtocolError."""
    method = message["method"]
    model = _model_of(method, version)
    if model is None:
        raise ProtocolError(METHOD_NOT_FOUND, f"Revision {version} has no method {method}.")
    try:
        return model.validate_python(message.get("params"), by_name=False)
    except ValidationError as error:
        raise ProtocolError(INVALID_PARAMS, f"The parameters of {method} are not valid.", _list(error)) from error


@lru_cache(100)
def _model_of(method: str, version: str) -> TypeAdapter[Any] | None:
    """The model of the parameters of a method; None for a method that the revision does not have."""
    request = CLIENT_REQUESTS.get((method, version))
    params: Any = request.model_fields["params"].annotation if request else None
    return TypeAdapter(params) if request else None


def encode_tool(described: dict[str, Any]) -> bytes:
    """A tool as JSON, as every revision lists it."""
    (tool,) = serialize_server_result("tools/list", HANDSHAKE_VERSIONS[-1], {"tools": [described]})["tools"]
    return _encode(tool)


def read_message(body: bytes) -> dict[str, Any]:
    """The message in a body: one JSON object in the form of JSON-RPC 2.0; batches are not part of the protocol."""
    try:
        message = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ProtocolError(PARSE_ERROR, "The body is not valid JSON.") from error
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise ProtocolError(INVALID_REQUEST, 'Send one JSON-RPC message: an object with "jsonrpc": "2.0".')
    if "id" in message and (isinstance(message["id"], bool) or not isinstance(message["id"], int | str)):
        del message["id"]
        raise ProtocolError(INVALID_REQUEST, "The id of a request is a string or an integer.")
    if "method" in message and not isinstance(message["method"], str):
        raise ProtocolError(INVALID_REQUEST, "The method of a request is a string.")
    if not isinstance(message.get("params", {}), dict):
        raise ProtocolError(INVALID_REQUEST, "The params of a request are an object.")
    return message


def find_version(message: Mapping[str, Any], headers: Mapping[str, str] | None) -> str:
    """The revision of a request.

    Raises ProtocolError for a revision that is not served, and where headers and message do not agree.
    """
    meta = message.get("params", {}).get("_meta")
    stated = meta.get(PROTOCOL_VERSION_META_KEY) if isinstance(meta, dict) else None
    sent = headers.get("mcp-protocol-version") if headers is not None else None
    if stated is None and sent not in MODERN_PROTOCOL_VERSIONS:
        return _handshake_version(message, sent)
    if stated is None or not isinstance(meta, dict) or CLIENT_CAPABILITIES_META_KEY not in meta:
        wanted = f"{PROTOCOL_VERSION_META_KEY} and {CLIENT_CAPABILITIES_META_KEY}"
        raise ProtocolError(INVALID_PARAMS, f"params._meta needs {wanted}.")
    if headers is not None:
        _check_headers(message, stated, headers)
    if stated not in MODERN_PROTOCOL_VERSIONS:
        raise _unsupported(stated)
    return str(stated)


def _handshake_version(message: Mapping[str, Any], sent: str | None) -> str:
    if message["method"] == "server/discover":
        raise ProtocolError(INVALID_PARAMS, f"params._meta needs {PROTOCOL_VERSION_META_KEY}.")
    if sent is None or message["method"] == "initialize":
        return HANDSHAKE_VERSIONS[0]
    if sent not in HANDSHAKE_VERSIONS:
        raise _unsupported(sent)
    return sent


def _unsupported(requested: object) -> ProtocolError:
    told = {"supported": list(VERSIONS), "requested": _cut(str(requested))}
    return ProtocolError(UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version", told)


def _check_headers(message: Mapping[str, Any], stated: object, headers: Mapping[str, str]) -> None:
    """Check that the headers agree with the message, because proxies may rely on them."""
    expected = {"mcp-protocol-version": stated, "mcp-method": message["method"]}
    name = NAMED_BY.get(message["method"])
    if name is not None and name in message["params"]:
        expected["mcp-name"] = message["params"][name]
    for header, value in expected.items():
        if decode_header(headers.get(header)) != value:
            raise ProtocolError(HEADER_MISMATCH, f"The header {header} does not agree with the message.")


def decode_header(value: str | None) -> str | None:
    """The text of a header that may be written as =?base64?…?=; None where that cannot be read."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None


def _is_handshake(headers: Mapping[str, str] | None) -> bool:
    return headers is None or headers.get("mcp-protocol-version") not in MODERN_PROTOCOL_VERSIONS


def _accept_notification(headers: Mapping[str, str] | None) -> Reply:
    """Accept a notification. It has no effect, because the server keeps no state between requests."""
    sent = headers.get("mcp-protocol-version") if headers is not None else None
    if sent is not None and sent not in VERSIONS:
        return _as_reply(_unsupported(sent), None, handshake=False)
    return Reply(202)


def _as_reply(error: ProtocolError, message_id: Any, handshake: bool) -> Reply:
    """An error as its HTTP answer."""
    told = {"code": error.code, "message": error.message}
    if error.data is not None:
        told["data"] = error.data
    body = _encode({"jsonrpc": "2.0", "id": message_id, "error": told})
    status = 200 if handshake and error.code in ANSWERS else STATUS_OF.get(error.code, 200)
    return Reply(error.status or status, body, error.headers)


def _as_protocol_error(error: HTTPException) -> ProtocolError:
    """What the site refuses, with its status and the time to wait."""
    status = error.code or 500
    code = INVALID_REQUEST if status < 500 else INTERNAL_ERROR
    headers = tuple(item for item in error.get_headers() if item[0] == "Retry-After")
    return ProtocolError(code, error.description or error.name, status=status, headers=headers)


def _list(error: ValidationError) -> list[dict[str, str]]:
    """What is wrong with parameters, bounded."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[:MOST_ERRORS]
    return [{"name": _cut(".".join(map(str, item["loc"]))), "message": item["msg"]} for item in found]


def _cut(text: str) -> str:
    return text if len(text) <= 100 else text[:100] + "…"


def _encode(value: Any) -> bytes:
    return to_json(value, inf_nan_mode="constants")
