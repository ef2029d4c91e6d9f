"""Create the tables of a queue, and bring those of earlier releases into their present form."""

import sqlite3

from orchestrator.service.transitions import ENDED

STUDIES = """create table if not exists studies (
    key text primary key, study text not null, state text not null, reason text not null,
    attempt integer not null, losses integer not null, place integer not null
)"""
REQUESTS = "create table if not exists requests (key text primary key, body text not null)"
EVENTS = """create table if not exists events (
    number integer primary key autoincrement, key text not null, study text not null,
    before text, after text not null, reason text not null, time real not null
)"""


def create_tables(connection: sqlite3.Connection) -> bool:
    """Create missing tables, within the caller's transaction; return whether the file now has space to give back."""
    for table in (STUDIES, REQUESTS, EVENTS):
        connection.execute(table)
    columns = [row[1] for row in connection.execute("pragma table_info(studies)")]
    if "body" in columns:
        _move_bodies(connection)
    return "body" in columns


def _move_bodies(connection: sqlite3.Connection) -> None:
    """Move the requests of studies that have not ended out of the table that every list reads."""
    ended = ", ".join("?" * len(ENDED))
    connection.execute(
        f"insert or replace into requests select key, body from studies where state not in ({ended})", sorted(ENDED)
    )
    connection.execute("alter table studies drop column body")
