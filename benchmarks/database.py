"""dbs against Flask with SQLAlchemy written by hand: the database tests of TechEmpower, on PostgreSQL.

    venv3/bin/pip install -r tests/requirements.txt
    venv3/bin/python benchmarks/database.py [--rounds 15] [--seconds 0.3]

Both are WSGI callables of one process that get the same environ, on one server of PostgreSQL which this
starts; they take turns, and the figure is the median of the turns. A ratio above 1: KernKoa answers more
requests. The tests are those of
https://github.com/TechEmpower/FrameworkBenchmarks/wiki/Project-Information-Framework-Tests-Overview
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from werkzeug.test import EnvironBuilder, run_wsgi_app

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.database_servers import PASSWORD, PostgreSQL

TESTS = ("db", "queries", "fortunes", "updates")
FORTUNES = """<!DOCTYPE html>
<html><head><title>Fortunes</title></head><body><table><tr><th>id</th><th>message</th></tr>
{% for id, message in fortunes %}<tr><td>{{ id }}</td><td>{{ message }}</td></tr>
{% endfor %}</table></body></html>
"""

KERNKOA = """
from random import randint, sample
from kernkoa import *

WORLD = "select id, randomnumber from world where id = :id"
UPDATE = "update world set randomnumber = :randomnumber where id = :id"


class bench:
    def db(self):
        return dbs["maindb"].getDictionary(WORLD, {"id": randint(1, 10000)})

    def queries(self):
        db = dbs["maindb"]
        return [db.getDictionary(WORLD, {"id": id}) for id in sample(range(1, 10001), 20)]

    def fortunes(self):
        rows = dbs["maindb"].query("select id, message from fortune")[1:]
        rows.append((0, "Additional fortune added at request time."))
        rows.sort(key=lambda row: row[1])
        return render_template("fortunes.html", fortunes=rows)

    def updates(self):
        db = dbs["maindb"]
        db.startTransaction()
        worlds = [db.getDictionary(WORLD, {"id": id}) for id in sorted(sample(range(1, 10001), 20))]
        for world in worlds:
            world["randomnumber"] = randint(1, 10000)
        db.query(UPDATE, worlds)
        db.commitTransaction()
        return worlds
"""

FLASK = """
import os
from random import randint, sample
from flask import Flask, jsonify, render_template
from sqlalchemy import create_engine, text

app = Flask(__name__)
engine = create_engine(os.environ["PEER_URL"], pool_size=20)
WORLD = text("select id, randomnumber from world where id = :id")
UPDATE = text("update world set randomnumber = :randomnumber where id = :id")
FORTUNE = text("select id, message from fortune")


@app.get("/bench/bench/db")
def db():
    with engine.connect() as connection:
        row = connection.execute(WORLD, {"id": randint(1, 10000)}).mappings().one()
    return dict(row)


@app.get("/bench/bench/queries")
def queries():
    with engine.connect() as connection:
        worlds = [
            dict(connection.execute(WORLD, {"id": id}).mappings().one())
            for id in sample(range(1, 10001), 20)
        ]
    return worlds


@app.get("/bench/bench/fortunes")
def fortunes():
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(FORTUNE)]
    rows.append((0, "Additional fortune added at request time."))
    rows.sort(key=lambda row: row[1])
    return render_template("fortunes.html", fortunes=rows)


@app.get("/bench/bench/updates")
def updates():
    with engine.begin() as connection:
        worlds = [
            dict(connection.execute(WORLD, {"id": id}).mappings().one())
            for id in sorted(sample(range(1, 10001), 20))
        ]
        for world in worlds:
            world["randomnumber"] = randint(1, 10000)
        connection.execute(UPDATE, worlds)
    return worlds
"""

MESSAGES = [
    "fortune: No such file or directory",
    "A computer scientist is someone who fixes things that aren't broken.",
    "After enough decimal places, nobody gives a damn.",
    "A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1",
    "A computer program does what you tell it to do, not what you want it to do.",
    "Emacs is a nice operating system, but I prefer UNIX. — Tom Christaensen",
    "Any program that runs right is obsolete.",
    "A list is only as strong as its weakest link. — Donald Knuth",
    "Feature: A bug with seniority.",
    "Computers make very fast, very accurate mistakes.",
    '<script>alert("This should not be displayed in a browser alert box.");</script>',
    "フレームワークのベンチマーク",
]


def fill(server: PostgreSQL) -> None:
    import psycopg

    with psycopg.connect(
        host="127.0.0.1", port=server.port, user="koa", password=PASSWORD, dbname="postgres"
    ) as connection:
        connection.execute("create table world (id integer primary key, randomnumber integer not null)")
        connection.execute(
            "insert into world select id, 1 + floor(random() * 10000) from generate_series(1, 10000) id"
        )
        connection.execute("create table fortune (id integer primary key, message varchar(2048) not null)")
        with connection.cursor() as cursor:
            cursor.executemany("insert into fortune values (%s, %s)", list(enumerate(MESSAGES, 1)))


def make_kernkoa(folder: Path, server: PostgreSQL) -> Any:
    write(folder / "catalog/controller/bench.py", KERNKOA)
    write(folder / "templates/fortunes.html", FORTUNES)
    write(folder / "config.py", f"databases = {{'maindb': {server.entry!r}}}")
    os.environ["KERNKOA_CONFIG"] = str(folder / "config.py")
    from kernkoa import app

    return app


def make_flask(folder: Path, server: PostgreSQL) -> Any:
    write(folder / "peer.py", FLASK)
    write(folder / "templates/fortunes.html", FORTUNES)
    os.environ["PEER_URL"] = f"postgresql+psycopg://koa:{PASSWORD}@127.0.0.1:{server.port}/postgres"
    sys.path.insert(0, str(folder))
    import peer

    return peer.app


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def check(app: Any, test: str) -> None:
    """A test that answers something else than it should has no speed."""
    body = app.test_client().get(f"/bench/bench/{test}").text
    if test == "fortunes":
        assert "&lt;script&gt;" in body
        assert body.index("Additional") < body.index("Emacs")
    else:
        worlds = json.loads(body)
        assert all(1 <= world["randomnumber"] <= 10000 for world in (worlds if test != "db" else [worlds]))
        assert test == "db" or len(worlds) == 20


def measure(app: Any, test: str, seconds: float) -> float:
    """Requests in a second."""
    environ = EnvironBuilder(path=f"/bench/bench/{test}").get_environ()
    calls, start = 0, time.perf_counter()
    while (now := time.perf_counter()) - start < seconds:
        run_wsgi_app(app, dict(environ), buffered=True)
        calls += 1
    return calls / (now - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3)
    options = parser.parse_args()
    server = PostgreSQL()
    try:
        fill(server)
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), server, options.rounds, options.seconds)
    finally:
        server.remove()


def compare(folder: Path, server: PostgreSQL, rounds: int, seconds: float) -> None:
    own, peer = make_kernkoa(folder / "kernkoa", server), make_flask(folder / "flask", server)
    print(f"{'test':<10} {'KernKoa/s':>10} {'Flask/s':>10} {'ratio':>7}")
    for test in TESTS:
        check(own, test)
        check(peer, test)
        turns = [(measure(own, test, seconds), measure(peer, test, seconds)) for _ in range(rounds)]
        ratio = statistics.median(a / b for a, b in turns)
        medians = [statistics.median(figures) for figures in zip(*turns, strict=True)]
        print(f"{test:<10} {medians[0]:>10.0f} {medians[1]:>10.0f} {ratio:>7.2f}")


if __name__ == "__main__":
    main()
