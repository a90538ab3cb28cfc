"""A stack's tables in AWS Glue."""

from typing import Any

from pyiceberg.catalog.glue import GlueCatalog

from functions.cataloguing.iceberg import IcebergTables
from functions.cataloguing.names import database_name
from functions.cataloguing.store_io import through_store
from functions.shared.ports import ObjectStore


def glue_tables(client: Any, store: ObjectStore, stack: str) -> IcebergTables:
    """Return a stack's tables, whose files lie in its store."""
    root = f"s3://{store.bucket}/"
    catalogue = GlueCatalog(stack, client=client, **through_store(store, root))
    return IcebergTables(catalogue, database=database_name(stack), root=root)
