"""From an error to its response: a page for a browser, problem+json for other clients."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from flask import Response, render_template
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from ..errors import KernKoaError
from .json_text import encode_any
from .lean_response import LeanResponse
from .request import KernelRequest
from .responses import PROBLEM_TYPE, json_response

UNEXPECTED = "The server failed to answer this request. The fault is in the site, not in what you sent."

UNTYPED_JSON = "The body looks like JSON: send it with the header Content-Type: application/json."
_STATUS_LINES = {code: f"{code} {name.upper()}" for code, name in HTTP_STATUS_CODES.items()}
_VARY = (("Vary", "Accept"),)


@dataclass(slots=True)
class Problem:
    """An error as clients see it: the record behind the page and the JSON answer."""

    status: int
    title: str
    detail: str
    members: dict[str, Any] = field(default_factory=dict)
    headers: Headers | dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The members of RFC 9457, section 3.1. The type is about:blank: the status is enough."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        } | self.members


def describe(error: BaseException) -> Problem:
    """The facts about an error that a client may see. For an error of the site only that it happened."""
    if isinstance(error, KernKoaError) and error.status != 500:
        return Problem(error.status, error.title, error.detail, error.members, error.headers)
    if isinstance(error, HTTPException) and error.code:
        headers = Headers(error.get_headers())
        headers.remove("Content-Type")
        return Problem(error.code, error.name, error.description or error.name, headers=headers)
    if type(error).__module__ == "gunicorn.http.errors":  # it raises these while the body is read
        return Problem(400, "Bad Request", "The chunks of the body cannot be read.")
    return Problem(500, "Internal Server Error", UNEXPECTED)


def is_fault(error: BaseException, problem: Problem) -> bool:
    """Whether an error is a fault of the site or of a service; `abort(503)` is the author's choice."""
    is_chosen = isinstance(error, HTTPException) and not isinstance(error, KernKoaError)
    return problem.status >= 500 and not is_chosen


def render(problem: Problem, request: KernelRequest) -> Response:
    """The response for a problem, in the format that the client accepts."""
    if problem.status in (400, 415, 422) and request.looks_like_json:
        problem = replace(problem, detail=f"{problem.detail} {UNTYPED_JSON}")
    if request.wants_html:
        page = render_template("kernkoa/error.html", problem=problem)
        response = Response(page.encode("utf-8", "backslashreplace"))
    elif problem.headers:
        response = json_response(problem.document(), mimetype=PROBLEM_TYPE)
    else:
        status = _STATUS_LINES.get(problem.status) or f"{problem.status} UNKNOWN"
        return LeanResponse(encode_any(problem.document()), PROBLEM_TYPE, status, _VARY)
    response.status_code = problem.status
    response.headers.update(problem.headers)
    response.vary.add("Accept")
    return response
