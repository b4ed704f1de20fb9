import sqlite3
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select, update

from custodian import store as module
from custodian.store import Store
from custodian.tables import institutions, metadata
from protocol.errors import StorageError


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "100 % ours.sqlite3")
    yield opened
    opened.close()


def test_migrations_make_the_tables_that_the_code_uses(store):
    with store.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == "0002"


def test_what_is_acknowledged_survives_a_power_cut(store):
    with store.transaction() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_opening_again_keeps_everything(tmp_path):
    path = tmp_path / "store.sqlite3"
    first = Store(path)
    with first.transaction() as connection:
        connection.execute(insert(institutions).values(root="aa", serial=2**53 - 1, name="bb"))
    first.close()
    second = Store(path)
    with second.transaction() as connection:
        assert connection.execute(select(institutions)).one() == ("aa", 2**53 - 1, "bb")
    second.close()


def test_an_error_rolls_everything_back(store):
    with pytest.raises(KeyError), store.transaction() as connection:
        connection.execute(insert(institutions).values(root="aa", serial=1, name="bb"))
        raise KeyError
    with store.transaction() as connection:
        assert connection.execute(select(institutions)).all() == []


def test_concurrent_read_then_write_loses_no_update(tmp_path):
    path = tmp_path / "store.sqlite3"
    stores = [Store(path), Store(path)]
    with stores[0].transaction() as connection:
        connection.execute(insert(institutions).values(root="aa", serial=0, name="bb"))

    def count_up(store):
        for _ in range(25):
            with store.transaction() as connection:
                serial = connection.execute(select(institutions.c.serial)).scalar_one()
                connection.execute(update(institutions).values(serial=serial + 1))

    threads = [threading.Thread(target=count_up, args=(stores[index % 2],)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with stores[1].transaction() as connection:
        assert connection.execute(select(institutions.c.serial)).scalar_one() == 100
    for store in stores:
        store.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "store.sqlite3"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageError) as caught:
        Store(path)
    assert caught.value.code == "DATABASE"
    assert path.read_bytes() == b"not a database at all" * 100


def test_a_database_that_stays_busy_is_an_error_and_nothing_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BUSY_SECONDS", 0.05)
    path = tmp_path / "store.sqlite3"
    store = Store(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError) as caught, store.transaction():
        pytest.fail("the transaction began although another holds the lock")
    assert caught.value.code == "DATABASE"
    other.execute("ROLLBACK")
    other.close()
    with store.transaction() as connection:
        assert connection.execute(select(institutions)).all() == []
    store.close()
