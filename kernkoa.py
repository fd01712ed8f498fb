"""KernKoa: a URL is a method. Controllers import this file, and servers run it (`kernkoa:app`)."""

import json
import os
import sys
import time
from datetime import datetime, timedelta

if __name__ == "__main__":
    from system.core.commands.environment import run

    run()

from flask import (
    Response,
    abort,
    current_app,
    flash,
    g,
    jsonify,
    make_response,
    render_template,
    request,
    send_file,
    send_from_directory,
    session,
    stream_template,
    url_for,
)

from system.core.dispatch.decorators import allow, background, cron, every, expose, limit, queue, retry
from system.core.dispatch.params import Params
from system.core.dispatch.responses import Task
from system.core.runtime import app, celery, dbs, exeTask, load, start
from system.core.runtime import settings as config
from system.core.web.urls import redirect

__all__ = [
    "Params",
    "Response",
    "Task",
    "abort",
    "allow",
    "app",
    "background",
    "celery",
    "config",
    "cron",
    "current_app",
    "datetime",
    "dbs",
    "every",
    "exeTask",
    "expose",
    "flash",
    "g",
    "json",
    "jsonify",
    "limit",
    "load",
    "make_response",
    "os",
    "queue",
    "redirect",
    "render_template",
    "request",
    "retry",
    "send_file",
    "send_from_directory",
    "session",
    "stream_template",
    "sys",
    "time",
    "timedelta",
    "url_for",
]

start()  # last, because catalog/startup.py may import this file
