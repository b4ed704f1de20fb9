"""The database under real concurrency, its migrations, and objects that survive."""

import asyncio
import hashlib
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select, update

from broker.storage import Database, ObjectStore
from broker.storage.runs import claim, create_run, end_run, fail_lease, get_run
from broker.storage.tables import contracts, metadata, recipes, runs
from protocol.errors import AccessDenied, StorageError

CONTRACT = "c" * 64


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "broker.sqlite3")
    database.migrate()
    with database.writing() as connection:
        connection.execute(insert(recipes).values(name="r" * 64, envelope=b""))
        connection.execute(insert(contracts).values(name=CONTRACT, recipe="r" * 64, envelope=b""))
    yield database
    database.close()


def start(connection, limit=1000):
    return create_run(
        connection, contract=CONTRACT, profile="clinical", max_runs=limit, created="2026-11-24T12:00:00Z"
    ).run


def test_migrations_make_exactly_the_tables(database):
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrations_run_again_and_back(tmp_path, database):
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import inspect

    import broker.storage

    database.migrate()
    config = Config()
    config.set_main_option("script_location", str(Path(broker.storage.__file__).parent / "migrations"))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    database.migrate()
    assert "runs" in inspect(database.engine).get_table_names()


def test_documents_that_were_stored_before_are_counted_for_those_who_brought_them(tmp_path):
    import factories
    from alembic import command
    from alembic.config import Config

    import broker.storage
    from broker.storage.quota import require_quota

    study = factories.make_study(owners=2)
    database = Database(tmp_path / "old.sqlite3")
    config = Config()
    config.set_main_option("script_location", str(Path(broker.storage.__file__).parent / "migrations"))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for table, document in (("recipes", study.recipe), ("contracts", study.contract)):
            values = {"name": document.name, "envelope": document.envelope.to_bytes(), "recipe": study.recipe.name}
            columns = [name for name in values if table == "contracts" or name != "recipe"]
            connection.exec_driver_sql(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(':' + name for name in columns)})",
                values,
            )
        connection.commit()
    database.migrate()
    with database.reading() as connection:
        for table, column in ((recipes, recipes.c.author), (contracts, contracts.c.proposer)):
            assert connection.execute(select(column)).scalars().all() == [study.parties[0].key]
            require_quota(connection, table, column, study.parties[1].key, "0" * 64, 1)
            with pytest.raises(AccessDenied) as caught:
                require_quota(connection, table, column, study.parties[0].key, "0" * 64, 1)
            assert caught.value.code == "QUOTA"
    database.close()


def test_the_database_is_opened_as_it_must_be(database):
    with database.reading() as connection:
        read = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}
        keys = connection.exec_driver_sql("PRAGMA foreign_keys").scalar()
    assert read == {"journal_mode": "wal", "synchronous": 2} and keys == 1


def bump(file, times):
    """Read a counter, then write it back one higher: what loses updates unless the lock is taken first."""
    database = Database(file)
    for _ in range(times):
        with database.writing() as connection:
            fence = connection.scalar(select(runs.c.fence))
            connection.execute(update(runs).values(fence=fence + 1))
    database.close()


def test_no_update_is_lost_between_threads_and_processes(tmp_path, database):
    with database.writing() as connection:
        start(connection)
    file = tmp_path / "broker.sqlite3"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=bump, args=(file, 40)) for _ in range(3)]
    for process in processes:
        process.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: bump(file, 20), range(4)))
    for process in processes:
        process.join()
        assert process.exitcode == 0
    with database.reading() as connection:
        assert connection.scalar(select(runs.c.fence)) == 3 * 40 + 4 * 20


def test_a_run_limit_holds_between_threads(database):
    def attempt(_):
        try:
            with database.writing() as connection:
                return start(connection, limit=5)
        except AccessDenied as error:
            assert error.code == "RUNS_SPENT"
            return None

    with ThreadPoolExecutor(8) as pool:
        started = [run for run in pool.map(attempt, range(40)) if run]
    assert len(set(started)) == 5


def test_leases_are_never_shared_between_threads(database):
    with database.writing() as connection:
        wanted = {start(connection) for _ in range(20)}

    def take(_):
        with database.writing() as connection:
            return claim(connection, profiles=("clinical",), now=0.0, lease=10.0, leases=5)

    with ThreadPoolExecutor(8) as pool:
        found = [run for run in pool.map(take, range(30)) if run]
    assert len(found) == 20 and {run.run for run in found} == wanted


def test_readers_do_not_wait_for_a_writer(database):
    with database.writing() as writer:
        start(writer)
        with database.reading() as reader:
            assert reader.scalar(select(runs.c.run)) is None


def test_a_transaction_that_fails_leaves_nothing(database):
    with pytest.raises(RuntimeError), database.writing() as connection:
        start(connection)
        raise RuntimeError
    with database.reading() as connection:
        assert connection.scalar(select(runs.c.run)) is None


def test_a_run_that_ended_stays_as_it_is(database):
    with database.writing() as connection:
        run = start(connection)
        lease = claim(connection, profiles=("clinical",), now=0.0, lease=10.0, leases=5)
        assert lease is not None and lease.run == run
        end_run(connection, run, lease.fence, "finished", result="d" * 64)
        for state in ("refused", "failed"):
            with pytest.raises(StorageError, match="STALE_FENCE"):
                end_run(connection, run, lease.fence, state)
        with pytest.raises(StorageError, match="STALE_FENCE"):
            fail_lease(connection, run, lease.fence, 5)
        assert get_run(connection, run).state == "finished"


async def once(data):
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


def put(store, key, data):
    asyncio.run(store.put(key, once(data), hashlib.sha256(data).hexdigest()))


def get(store, key):
    async def read():
        return b"".join([chunk async for chunk in store.read(key)])

    return asyncio.run(read())


@pytest.fixture
def store(tmp_path):
    store = ObjectStore(tmp_path / "objects")
    store.start()
    return store


def test_objects_are_put_once_and_read_back(store, tmp_path):
    data = os.urandom(3_000_000)
    put(store, "a/b/c", data)
    assert get(store, "a/b/c") == data and store.size("a/b/c") == len(data)
    put(store, "a/b/c", data)
    with pytest.raises(StorageError, match="OBJECT_DAMAGED"):
        put(store, "a/b/c", b"other bytes")
    assert store.size("a/b/c") is None
    with pytest.raises(StorageError, match="OBJECT_MISSING"):
        get(store, "a/b/c")


def test_an_object_that_breaks_off_leaves_nothing(store, tmp_path):
    async def broken():
        yield b"x" * 2_000_000
        raise StorageError("BROKE", "It broke off.")

    with pytest.raises(StorageError, match="BROKE"):
        asyncio.run(store.put("a/b", broken(), "0" * 64))
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []


def test_files_and_folders_are_flushed_before_an_object_is_acknowledged(store, tmp_path, monkeypatch):
    flushed = []
    real = os.fsync

    def record(descriptor):
        flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    put(store, "sealed/name/part", b"data")
    root = str(tmp_path / "objects")
    assert flushed == [f"{root}/sealed/name/part", f"{root}/sealed/name", f"{root}/sealed", root]


def test_what_an_interrupted_write_left_is_removed_at_start(store, tmp_path):
    put(store, "a/whole", b"data")
    leftover = tmp_path / "objects" / "a" / "other#1"
    leftover.write_bytes(b"half")
    store.start()
    assert not leftover.exists() and get(store, "a/whole") == b"data"


def test_a_store_that_cannot_be_written_is_told(store, tmp_path):
    (tmp_path / "objects" / "a").write_text("a file where a folder is wanted")
    with pytest.raises(StorageError, match="OBJECT_STORE"):
        put(store, "a/b", b"data")


def test_a_database_that_stays_busy_is_told(tmp_path, database, monkeypatch):
    import broker.storage.database

    monkeypatch.setattr(broker.storage.database, "BUSY_MILLISECONDS", 50)
    other = Database(tmp_path / "broker.sqlite3")
    with database.writing(), pytest.raises(StorageError, match="DATABASE"), other.writing():
        pass
    with other.writing() as connection:
        start(connection)
    other.close()


def test_a_store_that_overwrites_is_refused(store, monkeypatch):
    import obstore

    real = obstore.put
    monkeypatch.setattr(obstore, "put", lambda *args, **options: real(*args, **options | {"mode": "overwrite"}))
    with pytest.raises(StorageError, match="OBJECT_STORE"):
        store.start()


def test_nothing_is_read_from_the_environment_or_disk_at_import():
    code = "import sys, broker.app, broker.host.loop; print([m for m in sys.modules if m.startswith('enclave')])"
    found = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, cwd="/", env={}
    )
    assert found.stdout == "[]\n"
