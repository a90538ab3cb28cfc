"""A stack's tables, and DuckDB, which reads them where they lie."""

import math
from collections.abc import Collection, Mapping
from decimal import Decimal
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from functions.cataloguing.names import database_name
from functions.shared.domain.errors import InputError, TableLostError
from infra.cli.operator import Operator

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from functions.cataloguing.ports import Ports

_EXTENSIONS = ("httpfs", "avro", "iceberg")
_LOCATION = "metadata_location"
_LISTED = 20
_EXAMPLE = "write a query, such as 'SELECT count(*) FROM MODEL_scored'"
_UNREADABLE = "check the files that the query names; `everscore table update MODEL` brings a model's tables to what is stored of it"
READS_AT_ONCE = 16
"""DuckDB reads as many files at a time as it has threads, and mostly waits for S3."""


def tables_of(operator: Operator) -> "Ports":
    """Return a stack's store and tables."""
    from functions.cataloguing.glue import glue_tables
    from functions.cataloguing.ports import Ports

    return Ports(store=operator.store, tables=glue_tables(operator.client("glue"), operator.store, operator.name))


def ask(sql: str, operator: Operator, *arguments: object) -> "pa.Table":
    """Return DuckDB's answer to a query of a stack's tables.

    Raises:
        InputError: if the query is wrong, or DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise _not_installed() from None

    locations = _locations(operator)
    _refuse_lost(locations.keys() & _words(sql), locations, operator)
    with duckdb.connect(config={"autoinstall_known_extensions": False, "threads": READS_AT_ONCE}) as connection:
        _open_store(connection, operator)
        try:
            for name in locations.keys() & _words(sql):
                connection.sql(f"FROM iceberg_scan('{locations[name]}')").create_view(name)
            answer = connection.execute(sql, [*arguments])
            # Of nothing but blanks and comments there is no answer, which the types of DuckDB do not say.
            if answer is None:
                raise InputError("the query is empty", remedy=_EXAMPLE, code="sql")
            return answer.to_arrow_table()
        except duckdb.CatalogException as error:
            known = ", ".join(sorted(locations)[:_LISTED]) or "none yet; `everscore table update MODEL` makes those of a model"
            raise InputError(_first_line(error), remedy=f"tables here: {known}", code="sql") from error
        except duckdb.IOException as error:
            raise InputError(_first_line(error), remedy=_UNREADABLE, code="sql") from error
        except duckdb.Error as error:
            raise InputError(_first_line(error), remedy="mend the query; DuckDB's documentation describes its SQL", code="sql") from error


def plain(value: Any) -> Any:
    """Return a value of an answer as JSON has it; numbers that are none are missing.

    DuckDB adds up whole numbers as decimals.

    >>> plain(float("nan")), plain(7), plain([0.5]), plain(Decimal(123)), plain(Decimal("12.50"))
    (None, 7, [0.5], 123, 12.5)
    """
    match value:
        case Decimal():
            return int(value) if value == int(value) else float(value)
        case float():
            return value if math.isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case list():
            return [plain(one) for one in value]
        case dict():
            return {str(name): plain(one) for name, one in value.items()}
        case _:
            return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _locations(operator: Operator) -> dict[str, str]:
    """Return where the metadata of each table lies."""
    client = operator.client("glue")
    try:
        pages = [*client.get_paginator("get_tables").paginate(DatabaseName=database_name(operator.name))]
    except client.exceptions.EntityNotFoundException:
        return {}
    tables = [table for page in pages for table in page["TableList"]]
    return {table["Name"]: table["Parameters"][_LOCATION] for table in tables if _LOCATION in table.get("Parameters", {})}


def _refuse_lost(names: Collection[str], locations: Mapping[str, str], operator: Operator) -> None:
    """Refuse tables whose metadata an earlier stack of this name left."""
    if lost := sorted(name for name in names if not locations[name].startswith(f"s3://{operator.store.bucket}/")):
        message = f"the metadata of the table {lost[0]} is not in this stack's store: {locations[lost[0]]}"
        raise TableLostError(message, remedy="`everscore table rebuild MODEL` makes the tables of a model again")


def _words(sql: str) -> set[str]:
    """Return all words of a query that may name a table; only these are opened."""
    return set("".join(letter if letter.isalnum() or letter == "_" else " " for letter in sql.lower()).split())


def _open_store(connection: "duckdb.DuckDBPyConnection", operator: Operator) -> None:
    for name in _EXTENSIONS:
        folder = files(f"duckdb_extension_{name}")
        (extension,) = folder.rglob("*.duckdb_extension")  # type: ignore[attr-defined]
        connection.execute(f"LOAD '{extension}'")
    access = operator.access
    given = {"KEY_ID": access.key, "SECRET": access.secret, "SESSION_TOKEN": access.token, "REGION": access.region}
    options = [f"{option} '{value}'" for option, value in given.items() if value]
    if access.endpoint:
        scheme, _, host = access.endpoint.partition("://")
        options += [f"ENDPOINT '{host}'", "URL_STYLE 'path'", f"USE_SSL {scheme == 'https'}"]
    connection.execute(f"CREATE SECRET (TYPE s3, {', '.join(options)})")
    connection.execute("SET TimeZone = 'UTC'")


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _not_installed() -> InputError:
    return InputError(
        "queries need DuckDB, which is not installed", remedy="`pip install '.[tables]'` in the checkout installs it", code="no_tables"
    )
