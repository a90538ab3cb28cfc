"""Names of databases and tables, as Athena takes them."""


def database_name(stack: str) -> str:
    """Return the name of a stack's database.

    >>> database_name("everscore-prod")
    'everscore_prod'
    """
    return stack.lower().replace("-", "_")


def table_name(model: str, kind: str) -> str:
    """Return the name of a model's table.

    >>> table_name("Flights-2013", "scored")
    'flights_2013_scored'
    """
    return f"{model.lower().replace('-', '_')}_{kind}"
