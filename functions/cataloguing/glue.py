"""A stack's tables in AWS Glue."""

from typing import Any

from pyiceberg.catalog import METADATA_LOCATION, PREVIOUS_METADATA_LOCATION
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException

from functions.cataloguing.iceberg import IcebergTables
from functions.cataloguing.names import database_name
from functions.cataloguing.store_io import through_store
from functions.shared.ports import ObjectStore


def glue_tables(client: Any, store: ObjectStore, stack: str) -> IcebergTables:
    """Return a stack's tables, whose files lie in its store."""
    root = f"s3://{store.bucket}/"
    catalogue = _Glue(stack, client=client, **through_store(store, root))
    return IcebergTables(catalogue, database=database_name(stack), root=root)


class _Glue(GlueCatalog):
    """AWS Glue, asked again where a change may have come through.

    If the answer to a change is lost, its request is sent again, and Glue refuses it because the table has changed. pyiceberg would take
    that for a failure, and delete metadata that the table names.
    """

    def _update_glue_table(self, database_name: str, table_name: str, table_input: Any, version_id: str) -> None:
        try:
            super()._update_glue_table(database_name, table_name, table_input, version_id)
        except CommitFailedException as error:
            wanted, before = (table_input["Parameters"][name] for name in (METADATA_LOCATION, PREVIOUS_METADATA_LOCATION))
            found = self.load_table((database_name, table_name))
            states = {found.metadata_location, *(entry.metadata_file for entry in found.metadata.metadata_log)}
            if wanted in states:
                return
            if before in states:
                raise
            message = f"the table {database_name}.{table_name} changed too often since to know whether it was {wanted}"
            raise CommitStateUnknownException(message) from error
