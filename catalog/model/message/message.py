"""The messages of the message board, in the default database."""

from datetime import UTC

from sqlalchemy import Column, Integer, MetaData, String, Table
from sqlalchemy.schema import CreateTable

from kernkoa import *

# SQLAlchemy writes the create statement for the database in use
MESSAGES = Table(
    "messages",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("nickname", String(100), nullable=False),
    Column("message", String(1000), nullable=False),
    Column("posted", String(20), nullable=False),
)
INSERT = """
    insert into messages (nickname, message, posted) values (:nickname, :message, :posted) returning id
"""
COUNT = """
    select count(*) from messages
    where lower(nickname) like lower(:like) escape '!' or lower(message) like lower(:like) escape '!'
"""
PAGE = """
    select id, nickname, message, posted from messages
    where lower(nickname) like lower(:like) escape '!' or lower(message) like lower(:like) escape '!'
    order by id desc limit :size offset :start
"""


class message:
    """Reads and writes the messages; creates the table when it is first used."""

    pageSize = 50

    def __init__(self, db=None):
        self.db = db or dbs[config.defaultDatabase]
        if not self.db.checkTable("messages"):
            with self.db.engine.begin() as connection:
                connection.execute(CreateTable(MESSAGES, if_not_exists=True))

    def insert(self, nickname, message):
        """Store a message. Returns it as stored."""
        entry = {
            "nickname": nickname,
            "message": message,
            "posted": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        entry["id"] = self.db.getValue(INSERT, entry)
        return entry

    def count(self, search=""):
        """Returns the number of messages, or of those that match `search`."""
        return self.db.getValue(COUNT, {"like": self._like(search)})

    def page(self, number, search=""):
        """Returns the messages of a page, the newest first."""
        start = (number - 1) * self.pageSize
        columns, *rows = self.db.query(PAGE, {"like": self._like(search), "size": self.pageSize, "start": start})
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _like(self, search):
        """A pattern that matches the text anywhere; % and _ in it are escaped."""
        for letter in "!%_":
            search = search.replace(letter, "!" + letter)
        return f"%{search}%"
