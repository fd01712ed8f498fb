"""The board of tasks, /_koa/tasks: what is queued, running, done and failed, the workers, the schedules."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, redirect, render_template, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from ..dispatch.request import request
from ..dispatch.responses import json_response, no_store
from ..errors import NotFound, TaskError
from ..tasks.description import WORDS, describe_task, is_final, measure, show_seconds, show_time
from ..tasks.queues import QUEUE
from ..tasks.records import Record
from ..tasks.schedules import Schedule, list_schedules
from ..tasks.status_page import render_status
from ..tasks.submission import Tasks
from ..tasks.task_search import Filter
from .access import Visitor
from .charts import PERIODS, make_charts
from .listing import Listing
from .navigation import Navigation, list_pages
from .pages import is_shown

# how many tasks a page lists, and how many one click cancels
PAGE_LENGTH = 100
MOST_CANCELLED = 10_000
SINCE = {"": "any time", "600": "the last 10 minutes", "3600": "the last hour", "86400": "the last day"}


def add_board(app: Flask, tasks: Tasks) -> None:
    """Add the board, if the settings show the explorer."""
    if not is_shown(tasks.settings):
        return
    board = TaskBoard(tasks)

    def add(rule: str, name: str, view: Callable[..., Any], verb: str = "GET") -> None:
        app.add_url_rule(rule, name, board.guarded(view), methods=[verb])

    add("/_koa/tasks", "task_board", board.show)
    add("/_koa/tasks", "task_board_act", board.act, "POST")
    add("/_koa/tasks/<task_id>", "task_board_task", board.show_task)
    add("/_koa/schedules", "schedules_act", board.act_on_schedule, "POST")


class TaskBoard:
    """The views of the board. Who may see it is who may see the root of the explorer; of a method behind another
    guard its tasks are left out.
    """

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._navigation = Navigation(Listing(tasks.catalog, tasks.settings.home))

    def guarded(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """A view behind the guard of the catalogue's root; it is called with the visitor."""

        def guard(**values: str) -> Any:
            visitor = Visitor(self._tasks.catalog, self._tasks.settings)
            visitor.enter((self._tasks.catalog.roots["controller"],))
            return view(visitor, **values)

        return guard

    def show(self, visitor: Visitor) -> Response:
        """The board, as a page or as JSON."""
        board = self._read(visitor)
        if request.wants_html and request.args.get("format") != "json":
            return no_store(Response(render_template("kernkoa/tasks.html", **board, **self._page(board))))
        return no_store(json_response(board))

    def show_task(self, visitor: Visitor, task_id: str) -> Response:
        """The page of one task, with its params, its log and its traceback. Raises NotFound for an unknown id."""
        record = self._tasks.records.load(task_id)
        if not record or not self._may_see(record.get("route", ""), visitor):
            raise NotFound("No task has this id, or its result has expired")
        more = {
            "board": True,
            "again": is_final(record) and bool(record.get("message")),
            "place": self._place(record.get("route", "")),
        }
        settings = self._tasks.settings
        return no_store(Response(render_status(settings, record, task_id, True, True, **more)))

    def act(self, visitor: Visitor) -> WerkzeugResponse:
        """Cancel tasks, or run them again: those that are chosen, or all that the filter finds."""
        form = request.form
        if form.get("do") == "cancel_found":
            chosen = self._tasks.search.find(_read_filter(form), MOST_CANCELLED)
        else:
            one = form.get("cancel") or form.get("again")
            chosen = self._tasks.records.read_many([one] if one else form.getlist("id"))
        mine = [record for record in chosen if self._may_see(record.get("route", ""), visitor)]
        started = [self._act_on(record, "again" in (form.get("do"), *form)) for record in mine]
        if form.get("again") and started and started[0]:
            return redirect(url_for("task_board_task", task_id=started[0]), 303)
        return redirect(f"{url_for('task_board')}?{urlencode(_filter_of(form))}", 303)

    def act_on_schedule(self, visitor: Visitor) -> WerkzeugResponse:
        """Pause a schedule, or resume it. Raises NotFound for a method without one."""
        route = request.form.get("pause") or request.form.get("resume") or ""
        known = {schedule.route for schedule in list_schedules(self._tasks.catalog)}
        if route not in known or not self._may_see(route, visitor):
            raise NotFound("There is no such schedule")
        if request.form.get("pause"):
            self._tasks.schedule_times.pause(route)
        else:
            self._tasks.schedule_times.resume(route, time.time())
        return redirect(url_for("task_board", _anchor="schedules"), 303)

    def _act_on(self, record: Record, again: bool) -> str:
        """Cancel a task, or start it again; returns the id of the new one."""
        if not again:
            self._tasks.records.cancel(record["task_id"])
            return ""
        try:
            return self._tasks.run_again(record["task_id"])
        except TaskError:  # it runs, or its params are not kept: the page offers no button for that
            return ""

    def _may_see(self, route: str, visitor: Visitor) -> bool:
        if not visitor.is_guarded:
            return True
        now = self._tasks.catalog.now()
        names = route.split("/")
        for length in range(len(names), 2, -1):  # Prefer: respond-async adds the arguments of the path
            try:
                place = self._navigation.find_place("/".join(names[:length]), now)
            except NotFound:
                continue
            return self._navigation.find_method(place, visitor, now) is not None
        return visitor.is_developer

    def _place(self, route: str) -> str:
        """The place of a method in the explorer; nothing if it is not there now."""
        try:
            return self._navigation.find_place(route, self._tasks.catalog.now()).path
        except NotFound:
            return ""

    def _read(self, visitor: Visitor) -> dict[str, Any]:
        """What the board shows."""
        tasks, settings = self._tasks, self._tasks.settings
        found = tasks.search.find(_read_filter(request.args), PAGE_LENGTH)
        may_see = cache(partial(self._may_see, visitor=visitor))
        return {
            "tasks": [_describe_row(record) for record in found if may_see(record.get("route", ""))],
            "older": found[-1]["at"] if len(found) == PAGE_LENGTH else None,
            "queues": tasks.queues.count((QUEUE, *settings.queues)),
            "workers": tasks.heartbeats.alive(settings.leaseSeconds),
            "schedules": self._schedules(visitor),
        }

    def _schedules(self, visitor: Visitor) -> list[dict[str, Any]]:
        times, paused = self._tasks.schedule_times.read()
        shown = [one for one in list_schedules(self._tasks.catalog) if self._may_see(one.route, visitor)]
        return [self._describe_schedule(one, times.get(one.route), one.route in paused) for one in shown]

    def _describe_schedule(self, schedule: Schedule, last: float | None, paused: bool) -> dict[str, Any]:
        due = schedule.due_after(last or time.time(), self._tasks.zone)
        following = "" if paused else show_time(due)
        return schedule.describe() | {"last": show_time(last), "next": following, "paused": paused}

    def _page(self, board: dict[str, Any]) -> dict[str, Any]:
        """What the page has beside the JSON: charts, and the choices of the filter."""
        words, minutes, step = PERIODS[self._period()]
        counted = self._tasks.records.counts.read(minutes, step)
        filters = _filter_of(request.args)
        return {
            "charts": make_charts(counted, step),
            "period": self._period(),
            "period_words": words,
            "ended": {
                word: sum(each.ended[status] for each in counted)
                for status, word in WORDS.items()
                if status in ("SUCCESS", "FAILURE", "REVOKED")
            },
            "running": sum(worker.get("active", 0) for worker in board["workers"]),
            "filters": filters,
            "statuses": {"": "any", "STARTED": "Running", **WORDS},
            "since": SINCE,
            "queue_names": ["", *board["queues"]],
            "worker_names": ["", *(worker["name"] for worker in board["workers"])],
            "links": list_pages(),
        }

    def _period(self) -> str:
        period = request.args.get("period", "hour")
        return period if period in PERIODS else "hour"


def _filter_of(given: Any) -> dict[str, str]:
    """The fields of the filter that are filled in."""
    names = ("method", "status", "queue", "worker", "since", "before", "period")
    return {name: given.get(name) for name in names if given.get(name)}


def _read_filter(given: Any) -> Filter:
    """The filter of a query or a form; values that are not numbers are ignored."""
    since, before = given.get("since", 0.0, type=float), given.get("before", math.inf, type=float)
    return Filter(
        status=given.get("status", ""),
        method=given.get("method", "").strip(),
        queue=given.get("queue", ""),
        worker=given.get("worker", ""),
        after=time.time() - since if since and math.isfinite(since) else 0.0,
        before=math.inf if math.isnan(before) else before,
    )


def _describe_row(record: Record) -> dict[str, Any]:
    told = describe_task(record)
    return {
        "id": record["task_id"],
        "route": record.get("route", ""),
        "status": told["status"],
        "word": WORDS.get(told["status"], "Running"),
        "final": is_final(record),
        "queue": record.get("queue"),
        "worker": record.get("worker"),
        "queued": show_time(record.get("queued")),
        "spent": show_seconds(measure(record)) if record.get("started") else "",
        "error": told.get("error", {}).get("message", ""),
    }
