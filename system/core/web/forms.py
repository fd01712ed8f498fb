"""The page of a form again, after the signature refused its values: `@allow("POST", form="new")`."""

from __future__ import annotations

from typing import Any

from flask import Response, has_request_context
from flask import request as flask_request
from werkzeug.datastructures import MultiDict

from ..catalog.tree import Catalog
from ..dispatch.calling import call, read_hooks, run
from ..dispatch.params import NO_VALUES, Params
from ..dispatch.request import KernelRequest
from ..dispatch.routing import match
from ..dispatch.walk import Resolved, resolve
from ..errors import InvalidParameters, NotFound, SetupError


class Form:
    """`form` in templates: what a form sent, and what is wrong with it. Empty unless its values were refused."""

    def __init__(
        self, values: MultiDict[str, str] = NO_VALUES, errors: list[dict[str, Any]] | None = None
    ) -> None:
        self.values = values
        self.faults: dict[str, str] = {}
        for error in errors or ():
            text = str(error.get("message") or _advise(str(error["expected"])))
            self.faults.setdefault(self._field_of(str(error["name"])), text)

    def __bool__(self) -> bool:
        return bool(self.faults)

    def _field_of(self, name: str) -> str:
        """The field that sent a faulty value: `tags` for its second item, `tags.1`."""
        whole = name
        while whole not in self.values and "." in whole:
            whole = whole.rpartition(".")[0]
        return whole if whole in self.values else name

    def value(self, name: str, default: Any = "") -> Any:
        """What was typed, or `default` where nothing was refused."""
        return self.values.get(name, "") if self else default

    def checked(self, name: str, value: Any = "true", default: bool = False) -> bool:
        """Whether a box or an option of this value was chosen, or `default` where nothing was refused."""
        return str(value) in self.values.getlist(name) if self else default


def _advise(expected: str) -> str:
    """What to do about a fault, for people: choices are chosen, all else is entered."""
    if expected.startswith("one of "):
        return f"Choose {expected}."
    choices = expected.removeprefix("a list, each one of ")
    return f"Choose from {choices}." if choices != expected else f"Enter {expected}."


def current_form() -> Form:
    """The refused form of this request; an empty one without."""
    return (has_request_context() and getattr(flask_request, "refused_form", None)) or Form()


def page_of(catalog: Catalog, request: KernelRequest) -> Resolved | None:
    """The method that shows the form of a request, with the same positional arguments.

    None without one, and for programs. Raises SetupError for a name that leads to no method.
    """
    own = request.resolved.endpoint
    name = getattr(own.function, "koa_form", "")
    if not name or not request.wants_html:
        return None
    try:
        page = find_form(catalog, f"{own.library.place}/{own.controller.__name__}", name)
    except NotFound as error:
        raise SetupError(f"{own.name}: @allow(form={name!r}) names no method. Write one of its class.") from error
    taken = sum(parameter.takes_segment for parameter in page.endpoint.signature.parameters)
    return Resolved(page.endpoint, page.arguments + request.resolved.arguments[: taken - len(page.arguments)])


def find_form(catalog: Catalog, own_class: str, name: str) -> Resolved:
    """The method that `@allow(form=name)` names: one of the class with the path `own_class`, or that of a path.

    Raises NotFound.
    """
    path = name if "/" in name else f"{own_class}/{name}"
    return resolve(catalog, match(f"/{path.strip('/')}"), catalog.now())


def answer_again(request: KernelRequest, page: Resolved, error: InvalidParameters) -> Response:
    """The page of a form with what was typed and its faults, as a 422."""
    request.refused_form = Form(request.form, error.errors)
    try:
        response = _show(request, request.resolved, page)
    except InvalidParameters:  # the page wants values of its own, which only its URL has
        raise error from None
    if response.status_code == 200:
        response.status_code = error.status
    return response


def _show(request: KernelRequest, sender: Resolved, page: Resolved) -> Response:
    """Run the page's method; the guards that let the form pass are not asked again."""
    hooks = read_hooks(page.endpoint)
    controller = request.controller
    if page.endpoint.controller is not sender.endpoint.controller or controller is None:
        controller = page.endpoint.controller()
    passed = read_hooks(sender.endpoint)
    params = Params(query=request.args, segments=page.endpoint.name.split("/"))
    return call(page, controller, [hook for hook in hooks if hook not in passed], lambda: params, run)
