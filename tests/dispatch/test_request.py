"""Who is on this machine, and who only says so."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from system.core.dispatch.request import KernelRequest


def is_local(environ: dict[str, Any]) -> bool:
    return KernelRequest(environ).is_local


HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:5000"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"REMOTE_ADDR": "::1"},
        {"REMOTE_ADDR": "127.0.0.53"},
        {"HTTP_HOST": "localhost"},
        {"HTTP_HOST": "LOCALHOST:5000"},
        {"HTTP_HOST": "[::1]:5000"},
    ],
)
def test_this_machine(changes: dict[str, Any]) -> None:
    assert is_local(HERE | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"REMOTE_ADDR": "192.0.2.1"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "<local>"},
        {"REMOTE_ADDR": "127.0.0.1, 192.0.2.1"},
        {"HTTP_HOST": ""},
        {"HTTP_HOST": "example.org"},
        {"HTTP_HOST": "localhost.example.org"},
        {"HTTP_HOST": "127.0.0.1@example.org"},
        {"HTTP_HOST": "127.0.0.1.example.org"},
        {"HTTP_HOST": "example.org#localhost"},
        {"HTTP_HOST": "[::1"},
        {"HTTP_FORWARDED": "for=127.0.0.1"},
        {"HTTP_X_FORWARDED_FOR": ""},
        {"HTTP_X_FORWARDED_HOST": "localhost"},
        {"HTTP_X_REAL_IP": "127.0.0.1"},
        {"HTTP_VIA": "1.1 proxy"},
    ],
)
def test_somebody_else(changes: dict[str, Any]) -> None:
    assert not is_local(HERE | changes)


def test_a_request_without_host_is_somebody_elses() -> None:
    assert not is_local({"REMOTE_ADDR": "127.0.0.1"})


@pytest.mark.parametrize("rest", [b"", b"\r\n--x", b"\r\n--x\r\nContent-Disposition: form-data\r\n\r\nno name"])
def test_the_files_of_a_truncated_upload_are_closed(site: Any, rest: bytes) -> None:
    site.write("up.py", "class Up:\n    def take(self, params):\n        return len(params.files)\n")
    part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n' + b"0" * 600_000
    response = site.client().post("/up/take", data=part + rest, content_type="multipart/form-data; boundary=x")
    assert response.status_code == 400
    gc.collect()  # an open file is a ResourceWarning here, which fails the test
