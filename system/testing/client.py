"""Flask's test client, which can also log in and follow tasks."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient

from system.core.tasks.payload import USER
from system.core.tasks.records import FINAL


class Client(FlaskClient):
    """`client.get("/shop/orders")`, `client.post("/shop/add", json={"name": "x"})`, as in Flask."""

    tasks: Any = None

    def open(self, *arguments: Any, **options: Any) -> Any:
        """Send a request. Tasks that it starts run before this returns, unless a worker runs them."""
        settings: Any = self.application.settings  # type: ignore[attr-defined]
        host = urlsplit(settings.site_url).netloc or next(iter(settings.hosts), "")
        if host:
            self.environ_base.setdefault("HTTP_HOST", host.lstrip("."))
        answer = super().open(*arguments, **options)
        self.tasks.run_pending()
        return answer

    def follow(self, started: Any, seconds: float = 30) -> dict[str, Any]:
        """The status of a task at its end. `started` is the response to the request that started it, or its JSON.

        Raises AssertionError if no task was started or if it has not ended after `seconds`.
        """
        task = started if isinstance(started, dict) else started.get_json()
        assert isinstance(task, dict) and "id" in task, f"no task was started: {task}"  # noqa: S101, PT018
        deadline = time.monotonic() + seconds
        while True:
            status: dict[str, Any] = self.get(f"/status/{task['id']}").get_json()
            if status.get("status") in FINAL:
                return status
            assert time.monotonic() < deadline, f"the task has not ended after {seconds} s: {status}"  # noqa: S101
            time.sleep(0.02)

    def login(self, name: str, roles: Iterable[str] = ()) -> None:
        """Send the following requests as this user.

        With the addon auth, a missing user is created with these roles; with Flask-Login, `name` is the user's id.
        """
        app = self.application
        if "auth" in app.extensions:
            with app.app_context():
                store = app.extensions["auth"].store
                if store.find(name) is None:
                    store.add(name, secrets.token_urlsafe(24), roles)
            self.environ_base[USER] = name
        elif hasattr(app, "login_manager"):
            with self.session_transaction() as session:
                session["_user_id"], session["_fresh"] = name, True
        else:
            raise LookupError(
                "client.login needs the addon auth or Flask-Login. For a login of your own write what it stores: "
                "with client.session_transaction() as session: …"
            )

    def logout(self) -> None:
        """Send the following requests without a user, with an empty session."""
        self.environ_base.pop(USER, None)
        with self.session_transaction() as session:
            session.clear()
