"""Every error that the kernel raises.

KernKoaError
├── SettingsError            a setting has a value that cannot be used
├── LoadError                load.… was asked for something that is not in the catalogue
├── UnknownRoute             url_for or redirect was given the path of no method
├── LibraryError             a file of the catalogue does not compile, or raised when it was loaded
├── SetupError               a set-up method of Flask was called outside of start-up
├── TaskError                exeTask was called with something that cannot be a task
├── TaskFailed               a task could not end as its author meant
│   ├── OutOfMemory          it raised MemoryError
│   ├── TaskExited           it called sys.exit()
│   ├── TaskTimeout          it ran longer than taskSeconds
│   ├── ResultRefused        what it returned is not JSON, or too big
│   └── WorkerKilled         it ended its worker every time it was tried
├── DatabaseError            the database refused a statement
│   ├── DatabaseConflict     409  a unique or foreign key refused it
│   └── UnknownDatabase      dbs["name"] and config.databases has no such name
├── AnswerError              a method returned something that HTTP cannot carry
├── PrintError               a print format cannot be drawn with its data
├── ServiceUnavailable       503  a service that the site depends on is down
│   ├── FolderClosed         its guard _folder.py cannot be read
│   ├── DatabaseUnavailable
│   ├── BrokerUnavailable
│   └── QueueFull
└── RequestError             4xx  the client's fault
    ├── MissingParameter     400  params["name"] and the client sent no such name
    ├── MalformedBody        400  the body is not what its content type says
    ├── CrossSiteRequest     403  another site's page sent a request with an unsafe verb
    ├── NotFound             404  the path leads to no method
    ├── MethodNotAllowed     405  the method does not take this verb
    ├── TooLarge             413  more than the settings allow
    ├── UnsupportedMediaType 415  a body of a type that the method cannot read
    ├── UnknownHost          421  a Host that this site does not answer for
    ├── InvalidParameters    422  values that the signature refuses
    └── IdempotencyReused    422  an Idempotency-Key that came with another request before

TaskCancelled is not a KernKoaError, nor even an Exception: it ends a task that was cancelled, and no
`except Exception` of the task's author is meant to stop it.

`status` is the HTTP status that an error answers with when it is not caught. `detail` is the sentence
for people: what happened, with the value, and what to do next. `members` become further members of the
problem document (RFC 9457, section 3.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from werkzeug import exceptions
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

# the names of RFC 9110, which are newer than Werkzeug's
_TITLES = {**HTTP_STATUS_CODES, 413: "Content Too Large", 422: "Unprocessable Content"}


class KernKoaError(Exception):
    """Any error of the kernel: what happened, with the value, and what to do next."""

    status = 500

    def __init__(self, detail: str = "", **members: Any) -> None:
        Exception.__init__(self, detail)
        self.detail = detail
        self.members = members

    @property
    def title(self) -> str:
        """The name of the status."""
        return _TITLES.get(self.status, "Error")

    @property
    def headers(self) -> dict[str, str]:
        """The response headers that belong to this error."""
        return {}

    def __str__(self) -> str:
        return self.detail


class StatusError(KernKoaError, HTTPException):
    """An error with an HTTP status. It is an HTTPException too, so `@app.errorhandler(404)` gets it."""

    def __init__(self, detail: str = "", **members: Any) -> None:
        super().__init__(detail, **members)
        self.description = detail
        self.response = None

    def __init_subclass__(cls, status: int = 0) -> None:
        cls.status = cls.code = status or cls.status


class SettingsError(KernKoaError):
    """A setting has a value that cannot be used; the message quotes it and says what it should be."""


class LoadError(KernKoaError, LookupError):
    """load.… was asked for something that is not in the catalogue."""


class UnknownRoute(KernKoaError, LookupError):
    """url_for or redirect was given the path of no method."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"No method answers {path!r}. List the paths with: python kernkoa.py routes {path.split('/')[0]}"
        )


class LibraryError(KernKoaError):
    """A file of the catalogue does not compile, or raised when it was loaded.

    `path` is the file, `line` the number of the faulty line (0 where unknown), `text` that line's text.
    The error of Python itself is the `__cause__`.
    """

    def __init__(
        self, detail: str, path: str = "", line: int = 0, text: str = "", cause: BaseException | None = None
    ) -> None:
        super().__init__(detail)
        if cause is not None:
            self.__cause__ = cause
        self.path = path
        self.line = line
        self.text = text


class SetupError(KernKoaError, AssertionError):
    """A set-up method of Flask, such as app.route, was called outside of start-up."""


class TaskError(KernKoaError, ValueError):
    """exeTask was called with something that cannot be a task."""


class TaskFailed(KernKoaError):
    """A task could not end as its author meant; /status tells the name of the class and the message."""


class OutOfMemory(TaskFailed):
    """A task raised MemoryError."""


class TaskExited(TaskFailed):
    """A task called sys.exit()."""


class TaskTimeout(TaskFailed):
    """A task ran longer than the setting taskSeconds."""


class ResultRefused(TaskFailed):
    """What a task returned cannot be sent as JSON, or is bigger than the setting maxResultBytes."""


class WorkerKilled(TaskFailed):
    """A task ended its worker every time it was tried."""


class TaskCancelled(BaseException):
    """Ends a task that was cancelled; raised by its reports."""


class DatabaseError(KernKoaError):
    """The database refused a statement; the error of its driver is the `__cause__`."""


class DatabaseConflict(DatabaseError):
    """A statement broke a unique or a foreign key: `key` is "unique" or "foreign".

    Clients get `detail`, which names no table; `str(error)` is the database's message.
    """

    status = 409

    def __init__(self, key: Literal["unique", "foreign"], message: str) -> None:
        super().__init__(
            "This is stored already: a value that must be unique is taken."
            if key == "unique"
            else "This refers to something that does not exist, or something else still refers to it."
        )
        self.key = key
        self.message = message

    def __str__(self) -> str:
        return self.message


class UnknownDatabase(DatabaseError, KeyError):
    """dbs["name"] and config.databases has no such name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no database {name!r} in config.databases, only: {', '.join(known) or 'none'}")


class AnswerError(KernKoaError):
    """A method returned what HTTP cannot carry; the message names the method and the place in the value."""


class PrintError(KernKoaError):
    """A print format cannot be drawn with its data; the message names the part or the value that is missing."""


class ServiceUnavailable(StatusError, exceptions.ServiceUnavailable, status=503):
    """A service that the site depends on is down; the client may try again in `retry_after` seconds."""

    retry_after = 5

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class FolderClosed(ServiceUnavailable):
    """The guard of a folder, `_folder.py`, cannot be read; the log of `kernkoa.catalog` says why."""

    def __init__(self) -> None:
        super().__init__("This part of the site is closed for the moment. Try again later.")


class DatabaseUnavailable(ServiceUnavailable):
    """A database does not answer."""


class BrokerUnavailable(ServiceUnavailable):
    """The broker or the result backend of the tasks does not answer."""


class QueueFull(ServiceUnavailable):
    """As many tasks as the setting maxQueued wait in a queue."""


class RequestError(StatusError, status=400):
    """The client's fault."""


class MissingParameter(RequestError, exceptions.BadRequest, KeyError):
    """The method read params["name"] and the client sent no such name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The parameter '{name}' is missing. Send it in the query or in the body.", name=name)
        self.parameter = name


class MalformedBody(RequestError, exceptions.BadRequest):
    """The body is not what its content type says."""


class NotFound(RequestError, exceptions.NotFound, status=404):
    """The path leads to no method.

    `reason` is a short phrase that says why, `stop` the place where the dispatcher's walk ended (a Stop of
    dispatch.walk, None for a path that was not walked). Both are for the development page only.
    """

    def __init__(self, reason: str = "", stop: Any = None) -> None:
        super().__init__("There is nothing at this address. Check the spelling of the URL.")
        self.reason = reason
        self.stop = stop


class MethodNotAllowed(RequestError, exceptions.MethodNotAllowed, status=405):
    """The method does not take this verb; `verbs` are the ones that it takes."""

    def __init__(self, verb: str, verbs: Iterable[str]) -> None:
        self.verbs = self.valid_methods = sorted(verbs)
        useful = [known for known in self.verbs if known != "OPTIONS"]
        super().__init__(f"{verb} is not allowed here. Use {' or '.join(useful)}.")

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110, section 15.5.6: a 405 carries Allow."""
        return {"Allow": ", ".join(self.verbs)}


class TooLarge(RequestError, exceptions.RequestEntityTooLarge, status=413):
    """The client sent more than the settings allow."""


class UnsupportedMediaType(RequestError, exceptions.UnsupportedMediaType, status=415):
    """The body is of a type that the method cannot read."""


class CrossSiteRequest(RequestError, status=403):
    """A page of another site sent a request with a verb that may change something."""

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"A page of {origin[:200]} sent this request. Send it from a page of this site, or add that origin to "
            '`origins` in config.py or to the method: @allow("POST", origins="https://…").'
        )


class UnknownHost(RequestError, status=421):
    """The Host header names a host that this site does not answer for: RFC 9110, section 15.5.20."""

    def __init__(self, host: str) -> None:
        super().__init__(f"This site does not answer for the host {host[:200]!r}. Add it to `hosts` in config.py.")


class InvalidParameters(RequestError, exceptions.UnprocessableEntity, status=422):
    """Values that the signature refuses: `errors` lists each by name, `more` is how many others there are."""

    def __init__(self, errors: Sequence[dict[str, Any]], more: int = 0) -> None:
        names = ", ".join(str(error["name"]) for error in errors) + (f" and {more} more" if more else "")
        members = {"errors": list(errors)} | ({"more": more} if more else {})
        super().__init__(f"These parameters cannot be used: {names}. See errors for each.", **members)
        self.errors = list(errors)

    @classmethod
    def refused(cls, **messages: str) -> InvalidParameters:
        """Values that the site refuses itself: `raise InvalidParameters.refused(email="It is taken.")`."""
        site = {"source": "site", "expected": "another value", "got": None}
        return cls([{"name": name, **site, "hint": text, "message": text} for name, text in messages.items()])


class IdempotencyReused(RequestError, exceptions.UnprocessableEntity, status=422):
    """An Idempotency-Key that came with another request before."""
