"""Clients of redis-py for an Address. Imported at the first use of Redis: redis-py takes 0.1 s to import."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    ClusterError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.retry import Retry
from redis.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from .redis_address import Address

# a web process gives up within a second; a worker asks again, and should soon know that a machine is gone
CONNECT_SECONDS = 0.3
ANSWER_SECONDS = 0.4
PATIENT_CONNECT_SECONDS = 5.0
PATIENT_ANSWER_SECONDS = 2.0

_REFUSALS = (OutOfMemoryError, ReadOnlyError, MasterDownError, TryAgainError)
_REFUSAL = re.compile(r"(?:^|[\s:]-?)(OOM|NOREPLICAS|READONLY|MISCONF|LOADING|MASTERDOWN|TRYAGAIN|BUSY)\b")
_PERMANENT = (AuthenticationError, NoPermissionError, ClusterError)
_PERMANENT_TEXT = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|NO_CERTIFICATE_OR_CRL_FOUND|PEM lib|KEY_VALUES_MISMATCH"
    r"|DB index is out of range|invalid DB index|cluster mode|WRONGPASS|NOAUTH|NOPERM|\bMOVED\b|WRONGTYPE"
    r"|AuthenticationError|unknown command|Protocol Error",
    re.IGNORECASE,
)
# redis-py shows each sentinel that named no master with all its options
_SENTINEL_CLIENT = re.compile(r"<redis\.client.*?> - ")


class RefusedForNow(redis.exceptions.ConnectionError):
    """Redis refused a command for a temporary reason: out of memory, no replica, a failover.

    A ConnectionError, so that code that waits for an unreachable Redis also waits for this.
    """


class _RefusalsPass:
    """A connection that raises temporary refusals as connection errors, and is closed after a timeout.

    redis-py does not close one that a sentinel named: it would go on asking a machine that has lost its power, and
    a late reply would answer the next command.
    """

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except redis.exceptions.TimeoutError:
            self.disconnect()  # type: ignore[attr-defined]
            raise
        except ResponseError as error:
            if not (isinstance(error, _REFUSALS) or _REFUSAL.search(str(error)[:300])):
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise RefusedForNow(f"Redis refuses: {error}") from error


class _TcpConnection(_RefusalsPass, redis.Connection):
    pass


class _TlsConnection(_RefusalsPass, redis.SSLConnection):
    pass


class _SocketConnection(_RefusalsPass, redis.UnixDomainSocketConnection):
    pass


class _SentinelConnection(_RefusalsPass, SentinelManagedConnection):
    pass


class _SentinelTlsConnection(_RefusalsPass, SentinelManagedSSLConnection):
    pass


_CONNECTIONS = {"tcp": _TcpConnection, "tls": _TlsConnection, "socket": _SocketConnection}
_SENTINEL_CONNECTIONS = {"tcp": _SentinelConnection, "tls": _SentinelTlsConnection}


def make_client(address: Address, patient: bool) -> Any:
    """A client of the server at an address."""
    return redis.Redis(connection_pool=make_pool(address, patient))


class _SentinelPool(SentinelConnectionPool):
    def disconnect(self, inuse_connections: bool = True) -> None:
        """Close the connections to the server; those to the sentinels, too, if all are to be closed."""
        super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                sentinel.connection_pool.disconnect()


def make_pool(
    address: Address, patient: bool, adapt: Callable[[Any], Any] = lambda made: made, **options: Any
) -> Any:
    """A pool of connections; `adapt` may make another class of that of its connections."""
    options = {**address.options, **_timeouts(address, patient), **options}
    if not address.sentinels:
        return redis.ConnectionPool(connection_class=adapt(_CONNECTIONS[address.kind]), **options)
    # a sentinel that is down must not cost more than its connection's timeout: the next one is asked
    asked: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        **address.sentinel_options,
        **({"ssl": True} if address.kind == "tls" else {}),
    }
    make: Any = Sentinel
    watch = make(list(address.sentinels), sentinel_kwargs=asked)
    chosen = adapt(_SENTINEL_CONNECTIONS[address.kind])
    pool: Any = _SentinelPool
    return pool(address.master, watch, connection_class=chosen, **options)


def tries(again: int) -> Retry:
    """How often redis-py repeats a command whose connection broke."""
    return Retry(NoBackoff(), again, supported_errors=(redis.exceptions.ConnectionError,))


def _timeouts(address: Address, patient: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "socket_timeout": PATIENT_ANSWER_SECONDS if patient else ANSWER_SECONDS,
        "retry": tries(1),
        "retry_on_error": [redis.exceptions.ConnectionError],  # redis-py before 6 asks for it beside `retry`
    }
    if address.kind != "socket":
        found["socket_connect_timeout"] = PATIENT_CONNECT_SECONDS if patient else CONNECT_SECONDS
        found["socket_keepalive"] = patient
    if patient:
        found["health_check_interval"] = 10
    return found


def is_permanent(error: BaseException) -> bool:
    """Whether waiting does not help: a wrong password, certificate or database, a cluster."""
    return isinstance(error, _PERMANENT) or bool(_PERMANENT_TEXT.search(f"{error} {error.__cause__ or ''}"))


def describe_fault(error: BaseException) -> str:
    """An error of redis-py for the log, in one short line."""
    return _SENTINEL_CLIENT.sub("", str(error))


def list_warnings(client: Any) -> list[str]:
    """Settings of a Redis with which it may lose tasks; none if it does not show its settings."""
    try:
        found = client.config_get("appendonly", "maxmemory", "maxmemory-policy")
    except (RedisError, OSError):
        return []
    shown = {_text(name): _text(value) for name, value in found.items()}
    warnings = []
    if shown.get("maxmemory", "0") != "0" and shown.get("maxmemory-policy", "noeviction") != "noeviction":
        warnings.append(
            f"Redis has maxmemory-policy {shown['maxmemory-policy']}: when it is full it throws queued tasks "
            "away. Set it to noeviction."
        )
    if shown.get("appendonly") == "no":
        warnings.append("Redis has appendonly no: queued tasks are lost when it restarts. Set it to yes.")
    return warnings


def wants_replicas(client: Any) -> bool:
    """Whether a Redis refuses writes that no replica gets; False if it does not show its settings."""
    try:
        return any(int(value) > 0 for value in client.config_get("min-replicas-to-write").values())
    except ResponseError:
        return False


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
