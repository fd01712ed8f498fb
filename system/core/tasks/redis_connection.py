"""A site's connection to Redis, without Celery: its client, its keys, its scripts, its errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from hashlib import sha1
from typing import Any, TypeVar

from ..errors import BrokerUnavailable
from ..settings import Settings
from .redis_address import read_address
from .server_clock import ServerClock

log = logging.getLogger("kernkoa.tasks")

NO_SERVER = "Set redisUrl in config.py, or start python kernkoa.py, which starts its own server."
LONGEST_PAUSE = 2.0
# a replica has so long to confirm a write: less than a client waits for an answer
CONFIRM_SECONDS = 0.3

Result = TypeVar("Result")


class RedisConnection:
    """The Redis of a site. Within `reached()` a command raises BrokerUnavailable if Redis does not respond.

    A `patient` one, for a worker, waits two seconds for an answer; that of a web process fails within one.
    """

    def __init__(self, settings: Settings, patient: bool = False) -> None:
        self.address = read_address(settings)
        self._name = settings.name
        self._advice = "" if settings.redisUrl else NO_SERVER
        self._patient = patient
        self._clock = ServerClock(settings.leaseSeconds / 3)

    @cached_property
    def client(self) -> Any:
        from .redis_client import make_client

        return make_client(self.address, self._patient)

    def now(self) -> float:
        """The time of the Redis server, in seconds since the epoch. Raises BrokerUnavailable."""
        with self.reached():
            return self._clock.now(self.client)

    def key(self, *parts: str) -> str:
        """The key of something of this site's: sites may share one Redis."""
        return ":".join((self._name, *parts))

    def run_script(self, source: str, keys: list[str], arguments: list[Any]) -> Any:
        """Run a Lua script; its text is sent the first time only.

        With Sentinel and min-replicas-to-write it returns when a replica has the data: a failover loses
        nothing of it. Without that, BrokerUnavailable is raised, and the script may have run or not.
        """
        with self.reached():
            run = self._run_confirmed if self._confirms else run_script
            return run(self.client, source, keys, arguments)

    @cached_property
    def _confirms(self) -> bool:
        """Whether a write must be on a replica, too."""
        from .redis_client import wants_replicas

        return bool(self.address.sentinels) and wants_replicas(self.client)

    def _run_confirmed(self, client: Any, source: str, keys: list[str], arguments: list[Any]) -> Any:
        from redis.exceptions import ConnectionError as Unconfirmed

        def run(name: str, script: str) -> Any:
            pipe = client.pipeline(transaction=False)
            pipe.execute_command(name, script, len(keys), *keys, *arguments)
            return pipe.wait(1, int(CONFIRM_SECONDS * 1000)).execute()

        found, replicas = _known_or_sent(run, source)
        if not replicas:
            raise Unconfirmed("no replica has confirmed what was written")
        return found

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Redis's own errors become BrokerUnavailable."""
        from redis.exceptions import RedisError

        try:
            yield
        except (RedisError, OSError) as error:
            raise self.unavailable(error) from error

    def unavailable(self, error: BaseException) -> BrokerUnavailable:
        """The 503 for an error of Redis, which the log explains."""
        from .redis_client import describe_fault, is_permanent

        if is_permanent(error):
            log.error(
                "Redis at %s refuses this site: %s. Waiting does not help: correct redisUrl in config.py.",
                self.address.shown,
                describe_fault(error),
            )
            return BrokerUnavailable(
                "Tasks cannot be used: Redis refuses the connection. The site's log says why."
            )
        log.warning("Redis at %s does not answer: %s", self.address.shown, describe_fault(error))
        return BrokerUnavailable(
            f"Tasks cannot be reached at the moment: Redis does not answer. {self._advice or 'Try again soon.'}"
        )


def run_script(client: Any, source: str, keys: list[str], arguments: list[Any]) -> Any:
    """Run a Lua script with a client of redis-py; without the layers that its own Script adds to each call."""
    return _known_or_sent(
        lambda name, script: client.execute_command(name, script, len(keys), *keys, *arguments), source
    )


def _known_or_sent(run: Callable[[str, str], Any], source: str) -> Any:
    """Name a script by its hash; send its text where the server does not know it."""
    from redis.exceptions import NoScriptError

    try:
        return run("EVALSHA", _hash(source))
    except NoScriptError:
        return run("EVAL", source)


@cache
def _hash(source: str) -> str:
    return sha1(source.encode(), usedforsecurity=False).hexdigest()


def patiently(action: Callable[[], Result]) -> Result:
    """Repeat an action until Redis answers, however long that takes: a worker must not lose a result."""
    pause = 0.1
    while True:
        try:
            return action()
        except BrokerUnavailable:
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 1.5)
