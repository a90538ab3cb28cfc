"""Column names in queries: they are users' text."""


def identifier(name: str) -> str:
    """A column's name as SQL takes it, whatever it contains.

    >>> print(identifier('5" pipe'))
    "5"" pipe"
    """
    return '"' + name.replace('"', '""') + '"'
