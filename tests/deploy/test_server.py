"""The example site through nginx and uWSGI, run from the files that setup.sh installs."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.deploy import render, workers
from tests.servers import REPOSITORY, VENV, Answer, Production, free_port, health, needs_servers, production
from tests.shipped import needs_shipped_site

pytestmark = needs_servers

PROBE = """
from pathlib import Path
from kernkoa import *

class probe:
    def where(self):
        return {"url": request.url, "client": request.remote_addr, "root": request.script_root, "path": request.path,
                "scheme": request.scheme, "proxy": os.environ.get("HTTP_PROXY"), "here": url_for("dispatch", path="x")}

    def size(self, params):
        return {"size": len(params.files["file"].read()), "note": params["note"]}

    def cookies(self):
        session["seen"] = True
        return {"cookies": len(request.headers.get("Cookie", ""))}

    def process(self):
        return {"pid": os.getpid(), "folder": os.getcwd()}

    def pieces(self, params):
        yield "first"
        end = time.monotonic() + 10
        while not Path(params["sign"]).exists() and time.monotonic() < end:
            time.sleep(0.01)
        yield "second"

    def hang(self):
        time.sleep(60)

    def framed(self):
        return "no frame", 200, {"X-Frame-Options": "DENY"}
"""
FILES = {
    "catalog/controller/probe.py": PROBE,
    "images/pixel.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "images/.secret": "hidden",
    "static/site.css": "body { color: black }",
    "static/site.css.gz": "compressed",
    "static/site.css.br": "smaller",
    "static/other.css": "body { color: white }",
    "catalog/controller/static_url.py": """
from kernkoa import *

class static_url:
    def css(self):
        return url_for("static", filename="site.css")
""",
    "static/.secret": "hidden",
    "images/folder/.htpasswd": "hidden",
}
HELLO = "/fasthelloworld/fastHelloClass/fastHelloWorldWithParameters"


@pytest.fixture(scope="module")
def site() -> Iterator[Production]:
    # a harakiri of two seconds, so that a test does not wait a minute
    edits = {"harakiri = 60": "harakiri = 2", "next_upstream_timeout 10s": "next_upstream_timeout 1s"}
    with production(files=FILES, edits=edits) as running:
        (running.clone / "images" / "out.svg").symlink_to("/etc/hostname")
        yield running


@pytest.fixture(scope="module")
def beneath() -> Iterator[Production]:
    with production("--base", "/sub/path", files=FILES) as running:
        yield running


def json_of(answer: Answer) -> dict[str, object]:
    assert answer.status == 200, answer
    found: dict[str, object] = json.loads(answer.body)
    return found


def test_the_example_answers_by_get_and_by_post(site: Production) -> None:
    expected = "hello = world<br>with = parameters<br>"
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert site.get(f"{HELLO}?hello=world&with=parameters").text == expected
    assert site.get(HELLO, "POST", "hello=world&with=parameters", **form).text == expected
    assert site.get(HELLO).text == "Hello World"


def test_health_names_the_site(site: Production) -> None:
    assert health(site)["name"] == "kernkoa"


def test_the_app_sees_the_real_address_of_the_client(site: Production) -> None:
    forged = {"X_Forwarded_For": "6.6.6.6", "X_Forwarded_Proto": "https", "Proxy": "http://evil/"}
    found = json_of(site.get("/probe/probe/where", **forged))
    assert found["client"] == "127.0.0.1"
    assert found["scheme"] == "http"
    assert found["proxy"] is None


def test_urls_keep_the_port_that_the_client_used(site: Production) -> None:
    own = json_of(site.get("/probe/probe/where"))
    mapped = json_of(site.get("/probe/probe/where", Host="example.org:8443"))
    assert own["url"] == f"http://127.0.0.1:{site.port}/probe/probe/where"
    assert mapped["url"] == "http://example.org:8443/probe/probe/where"


def test_http_1_0_without_a_host_is_answered(site: Production) -> None:
    with socket.create_connection(("127.0.0.1", site.port), 10) as connection:
        connection.sendall(f"GET {HELLO} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"Hello World")


def test_large_cookies_reach_the_app(site: Production) -> None:
    jar = "; ".join(f"c{number}={'x' * 900}" for number in range(7))
    assert json_of(site.get("/probe/probe/cookies", Cookie=jar))["cookies"] == len(jar)


def multipart(size: int) -> tuple[bytes, dict[str, str]]:
    head = (
        b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nhi\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    )
    return head + b"\0" * size + b"\r\n--b--\r\n", {"Content_Type": "multipart/form-data; boundary=b"}


def test_an_upload_up_to_the_limit_arrives(site: Production) -> None:
    body, headers = multipart(75_000_000 - 300)
    assert json_of(site.get("/probe/probe/size", "POST", body, **headers)) == {
        "size": 75_000_000 - 300,
        "note": "hi",
    }


def test_an_upload_over_the_limit_is_a_413(site: Production) -> None:
    body, headers = multipart(75_000_001)
    assert site.get("/probe/probe/size", "POST", body, **headers).status == 413


def test_a_large_unread_body_is_not_a_502(site: Production) -> None:
    body, headers = multipart(20_000_000)
    assert site.get("/no/such/url", "POST", body, **headers).status == 404


def test_an_upload_far_over_the_limit_is_refused_before_it_is_sent(site: Production) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    connection.putrequest("POST", "/probe/probe/size")
    connection.putheader("Content-Length", str(10**9))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_streamed_response_arrives_in_parts(site: Production, encoding: str) -> None:
    sign = site.folder / f"sign-{encoding}"
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=8)
    connection.request("GET", f"/probe/probe/pieces?sign={sign}", headers={"Accept-Encoding": encoding})
    response = connection.getresponse()
    # the method continues only after its first part was read here
    first = response.read1(1024)
    sign.touch()
    rest = response.read()
    connection.close()
    if encoding == "identity":
        assert (first, rest) == (b"first", b"second")
    assert first


def test_images_come_from_the_disk_with_their_type(site: Production) -> None:
    answer = site.get("/images/pixel.svg")
    assert answer.headers["Content-Type"].startswith("image/svg+xml")
    assert "max-age=3600" in answer.headers["Cache-Control"]
    assert site.get("/images/pixel.svg", If_None_Match=answer.headers["ETag"]).status == 304


def test_static_files_come_from_the_disk_with_their_compressed_form_and_expiry(site: Production) -> None:
    plain = site.get("/static/site.css")
    assert (plain.status, plain.text) == (200, "body { color: black }")
    assert "max-age=3600" in plain.headers["Cache-Control"]
    packed = site.get("/static/site.css", Accept_Encoding="gzip")
    assert (packed.headers["Content-Encoding"], packed.body) == ("gzip", b"compressed")
    assert site.get("/static/.secret").status == site.get("/static/absent.css").status == 404


def test_a_static_file_is_kept_for_a_year_under_its_own_version_only(site: Production) -> None:
    url = site.get("/static_url/static_url/css").text
    for file in (site.clone / "static").glob("site.css*"):
        os.utime(file, (1, file.stat().st_mtime + 100))
    newer = site.get("/static_url/static_url/css").text
    assert newer != url
    for accepted in ("identity", "gzip", "br"):
        # nginx looks at a file that it has open once in a second
        assert workers.wait_for(lambda: kept_for(site, newer, accepted) == 31_536_000, 5)  # noqa: B023
        for other in (url, newer[:-1], newer + "0", "/static/site.css?v=0123-1", newer.replace("site", "other")):
            assert kept_for(site, other, accepted) == 3600, other


def kept_for(site: Production, url: str, accepted: str) -> int:
    answer = site.get(url, Accept_Encoding=accepted)
    assert answer.status == 200
    return int(re.findall(r"max-age=(\d+)", answer.headers["Cache-Control"])[0])


@pytest.mark.skipif(not render.BROTLI.exists(), reason="libnginx-mod-http-brotli-static is needed")
def test_a_brotli_file_is_sent_to_those_who_take_it(site: Production) -> None:
    answer = site.get("/static/site.css", Accept_Encoding="gzip, br")
    assert (answer.headers["Content-Encoding"], answer.body) == ("br", b"smaller")
    assert site.get("/static/site.css", Accept_Encoding="gzip").headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("path", [HELLO, "/images/pixel.svg", "/no/such/url"])
def test_every_response_has_the_security_headers(site: Production, path: str) -> None:
    headers = site.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"


def test_the_security_headers_of_the_site_have_precedence(site: Production) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/probe/probe/framed")
        assert connection.getresponse().headers.get_all("X-Frame-Options") == ["DENY"]


@pytest.mark.parametrize(
    "path",
    [
        "/images/.secret",
        "/images/folder/.htpasswd",
        "/images/%2esecret",
        "/images/../config.py",
        "/images/..%2fconfig.py",
        "/images/out.svg",
        "/images/absent.png",
        "/images/folder/",
        "/.git/config",
        "/images/.well-known/x",
    ],
)
def test_a_path_outside_the_image_folder_is_a_404(site: Production, path: str) -> None:
    assert site.get(path).status == 404


def test_a_hung_request_affects_only_its_own_worker(site: Production) -> None:
    hanging = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    hanging.request("GET", "/probe/probe/hang")
    assert site.get(HELLO).text == "Hello World"
    answer = hanging.getresponse()
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    assert b"Back in a moment" in answer.read()
    hanging.close()
    assert workers.wait_for(lambda: len(site.workers()) == 2, 10)


def test_a_killed_worker_is_replaced(site: Production) -> None:
    victim = min(site.workers())
    os.kill(victim, signal.SIGKILL)
    assert workers.wait_for(lambda: len(site.workers() - {victim}) == 2, 10)
    assert site.get(HELLO).text == "Hello World"


def test_the_socket_is_for_the_owner_and_the_group(site: Production) -> None:
    assert (site.run / "uwsgi.sock").stat().st_mode & 0o777 == 0o660


def test_under_a_sub_path_every_url_is_right(beneath: Production) -> None:
    found = json_of(beneath.get("/sub/path/probe/probe/where"))
    assert found["url"] == f"http://127.0.0.1:{beneath.port}/sub/path/probe/probe/where"
    assert (found["root"], found["path"], found["here"]) == ("/sub/path", "/probe/probe/where", "/sub/path/x")
    assert health(beneath, "/sub/path")["status"] == "ok"
    assert beneath.get(f"/sub/path{HELLO}?a=1").text == "a = 1<br>"


def test_under_a_sub_path_everything_else_is_a_404(beneath: Production) -> None:
    assert beneath.get(HELLO).status == 404
    assert beneath.get(f"/sub/pathX{HELLO}").status == 404
    assert beneath.get("/images/pixel.svg").status == 404


def test_under_a_sub_path_the_path_without_slash_redirects(beneath: Production) -> None:
    answer = beneath.get("/sub/path?a=1")
    assert answer.status == 308
    assert answer.headers["Location"].endswith("/sub/path/?a=1")


def test_under_a_sub_path_images_and_cookies_are_right(beneath: Production) -> None:
    assert beneath.get("/sub/path/images/pixel.svg").headers["Content-Type"].startswith("image/svg+xml")
    assert "Path=/sub/path" in beneath.get("/sub/path/probe/probe/cookies").headers["Set-Cookie"]


def test_with_a_certificate_everything_is_https() -> None:
    with production(files=FILES, certificate=True) as site:
        plain = site.get("/probe/probe/where?a=1", Host="localhost")
        assert (plain.status, plain.headers["Location"]) == (308, "https://localhost/probe/probe/where?a=1")
        # the certificate is self-signed
        unverified = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", site.tls_port, timeout=10, context=unverified)
        with contextlib.closing(connection):
            connection.request("GET", "/probe/probe/where", headers={"Host": "localhost"})
            found = json.loads(connection.getresponse().read())
        assert (found["scheme"], found["url"]) == ("https", "https://localhost/probe/probe/where")


@pytest.mark.parametrize(
    "command",
    [
        ["gunicorn", "--workers", "1", "--bind", "127.0.0.1:{port}", "kernkoa:app"],
        ["granian", "--interface", "wsgi", "--workers", "1", "--port", "{port}", "kernkoa:app"],
    ],
    ids=lambda command: command[0],
)
def test_other_wsgi_servers_run_the_same_app(command: list[str], tmp_path: Path) -> None:
    needs_shipped_site()
    port = free_port()
    process = subprocess.Popen(
        [VENV / "bin" / command[0], *(word.format(port=port) for word in command[1:])],
        cwd=REPOSITORY,
        env={**os.environ, "KERNKOA_VAR_PATH": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert workers.wait_for(lambda: workers.answers(port, "localhost", "/_koa/health"), 20)
        assert Production(tmp_path, port, REPOSITORY).get(HELLO).text == "Hello World"
    finally:
        process.terminate()
        process.wait(20)
