"""The stack's tables as DuckDB reads them, from their files alone."""

from typing import Any

from tests.duck import duckdb_over


class TableReader:
    """Reads tables where AWS Glue says that they lie."""

    def __init__(self, glue: Any, database: str, endpoint: str) -> None:
        self._duckdb = duckdb_over(endpoint)
        tables = glue.get_tables(DatabaseName=database)["TableList"]
        self._places = {table["Name"]: table["Parameters"]["metadata_location"] for table in tables}

    def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Rows of a table."""
        return self._duckdb.execute(f"SELECT {columns} FROM iceberg_scan('{self._places[table]}')").fetchall()
