"""DuckDB as a reader of tables."""

from importlib.resources import files

import duckdb

from infra.local.servers import ACCOUNT, REGION, SECRET


def duckdb_over(endpoint: str | None = None) -> duckdb.DuckDBPyConnection:
    """DuckDB with what it needs to read tables, in an embedded AWS if its endpoint is given."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'")
    for name in ("httpfs", "avro", "iceberg"):
        (extension,) = files(f"duckdb_extension_{name}").rglob("*.duckdb_extension")  # type: ignore[attr-defined]
        connection.execute(f"LOAD '{extension}'")
    if endpoint:
        access = f"KEY_ID '{ACCOUNT}', SECRET '{SECRET}', REGION '{REGION}', ENDPOINT '{endpoint.removeprefix('http://')}'"
        connection.execute(f"CREATE SECRET (TYPE s3, {access}, URL_STYLE 'path', USE_SSL false)")
    return connection
