"""Celery's transport over Redis, on the kernel's own connections: what is read from Redis is checked."""

from __future__ import annotations

import contextlib
import logging
import time
from functools import cached_property
from queue import Empty
from typing import Any, cast

from kombu.transport import redis as kombu_redis
from kombu.transport import virtual
from kombu.utils.json import dumps, loads
from redis.exceptions import ConnectionError as Unreachable

from .held_messages import MOST_AT_ONCE, Begun, HeldMessages
from .redis_address import ShownAddress
from .redis_client import make_pool, tries
from .server_clock import ServerClock

log = logging.getLogger("kernkoa.worker")

# as many messages are put back at once
MOST_RESTORED = 100
# a reply to BRPOP, whose timeout is a second, may take so long
OVERDUE_SECONDS = 2.0
# what a text raises that is not a message: not JSON, or JSON of another form
_NO_MESSAGE = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)

# messages that this process acknowledged while Redis was away
_late_tags: set[str] = set()


class _QoS(kombu_redis.QoS):
    """What a worker holds unacknowledged, with the moments at which it got it by the server's clock."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self.taken: dict[str, Begun] = {}  # held in Redis already, and not delivered yet
        self.newest = ""  # the tag that came last
        self._acknowledged: list[str] = []  # Redis is told at the next turn of the event loop

    def append(self, message: Any, delivery_tag: str) -> None:
        """Keep a message until it is acknowledged. Its header `begun` tells the pool that its task has begun."""
        headers = message.headers if isinstance(message.headers, dict) else {}
        task_id = str(headers.get("id"))
        if delivery_tag in self.taken:
            begun = self.taken.pop(delivery_tag)
        else:
            place = message.delivery_info
            text = dumps([message._raw, place["exchange"], place["routing_key"]])  # type: ignore[no-untyped-call]
            begun = self.channel.held.hold(delivery_tag, text, task_id)
        headers["begun"] = begun if begun and begun[0] == task_id.encode(errors="replace") else None
        virtual.QoS.append(self, message, delivery_tag)  # type: ignore[no-untyped-call]
        self.newest = delivery_tag

    def ack(self, delivery_tag: Any) -> None:
        """Acknowledge a message: with the next one that is taken, or at the next turn of the event loop."""
        self._free(delivery_tag)
        if self.channel.is_polled:
            self._acknowledged.append(delivery_tag)
        else:
            self._acknowledge([delivery_tag])

    def settle(self) -> None:
        """Send the acknowledgements to Redis."""
        if self._acknowledged:
            self._acknowledge(self.pop_acknowledged())

    def pop_acknowledged(self) -> list[str]:
        """The tags that were not yet sent to Redis; the caller has to send them."""
        found, self._acknowledged = self._acknowledged[:MOST_AT_ONCE], self._acknowledged[MOST_AT_ONCE:]
        return found

    def _acknowledge(self, tags: list[str]) -> None:
        """If Redis is down this is done later: see requeue_overdue."""
        try:
            self.channel.held.acknowledge(tags)
        except self.channel.connection_errors as error:
            log.warning("The messages %s are acknowledged later: %s", tags, error)
            _late_tags.update(tags)

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        """Return a message to its queue. If Redis is down, it is requeued when its lease ends."""
        try:
            super().reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]
        except self.channel.connection_errors:
            self._free(delivery_tag)
            raise

    def _free(self, delivery_tag: Any) -> None:
        """Take another message in place of this one, and stop renewing its lease."""
        virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]

    def restore_visible(self, *_: Any, **__: Any) -> None:
        """Nothing: kombu requeues overdue messages when it connects, before other workers could renew theirs."""

    def requeue_overdue(self) -> None:
        """Requeue messages that no worker has renewed for `visibility_timeout`.

        The late acknowledgements of this process come first.
        """
        for tag in tuple(_late_tags):
            self._remove_from_indices(tag).execute()  # type: ignore[no-untyped-call]
            _late_tags.discard(tag)
        with (
            self.channel.conn_or_acquire() as client,
            contextlib.suppress(kombu_redis.MutexHeld),
            kombu_redis.Mutex(client, self.unacked_mutex_key, self.unacked_mutex_expire),
        ):
            oldest = self.channel.clock.now(client) - self.visibility_timeout
            # kombu's client adds the prefix to some commands, by its version; to this one in none
            held = f"{self.channel.global_keyprefix}{self.unacked_index_key}"
            for tag in client.zrangebyscore(held, 0, oldest, 0, MOST_RESTORED):
                self.restore_by_tag(tag, client)

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Put a message that was not acknowledged back, in front of its queue; drop what is not a message."""
        try:
            super().restore_by_tag(tag, client=client)  # type: ignore[no-untyped-call]
        except _NO_MESSAGE as error:
            log.error("What was kept unacknowledged under %r is not a message, and is dropped: %r", tag, error)
            self._remove_from_indices(tag).execute()  # type: ignore[no-untyped-call]


class _Channel(kombu_redis.Channel):
    QoS = _QoS
    _sent = 0.0  # when Redis was asked to wait for a message

    def __init__(self, connection: Any, *args: Any, **options: Any) -> None:
        # kept: a channel that is closed acknowledges what still runs, and has no connection to ask any more
        told = connection.client.transport_options
        address: ShownAddress = told["address"]
        self._address, self._patient = address.address, bool(told["patient"])
        super().__init__(connection, *args, **options)  # type: ignore[no-untyped-call]
        self.clock = ServerClock(self.visibility_timeout / 3)

    @cached_property
    def held(self) -> HeldMessages:
        return HeldMessages(self)

    def begin_tasks_of(self, worker: str, seconds: int) -> None:
        """Let tasks begin with their messages. With Sentinel they begin later, when a replica has confirmed it."""
        if not self._address.sentinels:
            self.held.worker, self.held.seconds = worker, seconds

    @property
    def is_polled(self) -> bool:
        """Whether an event loop looks at this channel at each turn: not with threads, not once it is closed."""
        return not self.closed and self.connection is not None and self.connection._loop is not None

    def _get_pool(self, asynchronous: bool = False) -> Any:
        self.keyprefix_fanout = self.keyprefix_fanout.format(db=self._address.options["db"])
        # redis-py repeats nothing: a second take would hold other messages under the same tags; and the event loop
        # reads from the asynchronous ones: after a new connection in a read it would wait there for ever
        adapt = [self._watch_disconnect] if asynchronous else []
        return make_pool(self._address, self._patient, *adapt, retry=tries(0))

    def _watch_disconnect(self, connection_class: Any) -> Any:
        """A class of connections that tell this channel when they are closed, as kombu's own do."""
        channel = self

        class Connection(connection_class):  # type: ignore[misc]
            def disconnect(self, *args: Any, **options: Any) -> None:
                super().disconnect(*args, **options)
                if channel._registered:
                    channel._on_connection_disconnect(self)  # type: ignore[no-untyped-call]

        return Connection

    def close(self) -> None:
        """Close the connections, also where one is broken. A message that is on its way is received first."""
        self.held.worker = ""
        with contextlib.suppress(Empty, *self.connection_errors):
            if self._in_poll:
                self._brpop_read()
        self.qos.settle()
        super().close()  # type: ignore[no-untyped-call]

    def _do_restore_message(self, payload: Any, exchange: str, routing_key: str, pipe: Any, *more: Any) -> None:
        """Put a message back, and its task among those who wait: it may be lost on its second way, too."""
        super()._do_restore_message(payload, exchange, routing_key, pipe, *more)  # type: ignore[no-untyped-call]
        pipe.zadd(f"waiting:{routing_key}", {payload["headers"]["id"]: 0})

    def _brpop_start(self, *args: Any, **options: Any) -> None:
        """Take what is in the queues. Wait for more only if there is room for it."""
        if self.is_polled:
            self._take()
        if self.qos.can_consume():
            super()._brpop_start(*args, **options)  # type: ignore[no-untyped-call]
            self._sent = time.monotonic()

    def check_reply(self) -> None:
        """Raise a connection error if a reply is overdue: the machine at the other end may be gone."""
        connection: Any = self._in_poll
        is_overdue = time.monotonic() - self._sent > OVERDUE_SECONDS
        if connection and connection._sock and is_overdue and not connection.can_read(0):
            self._in_poll = cast("Any", None)
            connection.disconnect()
            raise Unreachable("Redis does not reply")

    def _take(self) -> None:
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        tags = self.qos.pop_acknowledged()
        try:
            taken = self.held.take(tags, queues, self.qos.can_consume_max_estimate() or 1)
        except self.connection_errors:
            _late_tags.update(tags)
            raise
        self.qos.taken = {tag: begun for tag, _, _, begun in taken}
        for tag, queue, text, _ in taken:
            self._queue_cycle.rotate(queue)
            self._deliver(tag, queue, text)
        if taken:
            self.connection.pass_on()

    def _deliver(self, tag: str, queue: str, text: bytes) -> None:
        try:
            message = loads(text)  # type: ignore[no-untyped-call]
            message["properties"]["delivery_tag"] = tag
            self.connection._deliver(message, queue)
        except _NO_MESSAGE as error:
            log.error("What was in a queue is not a message of Celery's, and is dropped: %r", error)
            self.qos.reject(tag, requeue=False)

    def _brpop_read(self, **options: Any) -> Any:
        """Receive a message. What is in a queue and is not a message is dropped, and the worker goes on."""
        self.qos.newest = ""
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except _NO_MESSAGE as error:
            log.error("What was in a queue is not a message of Celery's, and is dropped: %r", error)
            if self.qos.newest:
                self.qos.reject(self.qos.newest, requeue=False)
            return None


class _Poller(kombu_redis.MultiChannelPoller):
    def on_poll_start(self) -> None:
        """Take messages, and tell Redis what was acknowledged and has not gone with that."""
        for channel in tuple(self._channels):
            channel.check_reply()
        super().on_poll_start()  # type: ignore[no-untyped-call]
        for channel in self._channels:
            channel.qos.settle()


class RedisTransport(kombu_redis.Transport):
    """Named as text in Celery's settings."""

    Channel = _Channel
    _loop: Any = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self.cycle: Any = _Poller()  # type: ignore[no-untyped-call]

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Let the event loop of a worker read from a connection. kombu never takes back what it adds."""
        known = set(loop.on_tick)
        super().register_with_event_loop(connection, loop)  # type: ignore[no-untyped-call]
        self._loop, self._added = loop, loop.on_tick - known

    def pass_on(self) -> None:
        """Let the pool send what was taken to its processes.

        The loop calls what is to be called at each turn in any order. The pool, if it was called before a message
        was taken, would wait with it until something else happens: for up to a second.
        """
        for callback in self._loop.on_tick - self._added:
            callback()

    def close_connection(self, connection: Any) -> None:
        if self._loop is not None:
            self._loop.on_tick -= self._added
        super().close_connection(connection)  # type: ignore[no-untyped-call]
