"""A number with its noun, as sentences have it."""


def counted(number: float, nouns: str) -> str:
    """Return a number and its noun, which is given as a plural.

    >>> counted(1, "rows"), counted(1234, "batches"), counted(1.5, "days"), counted(1.0, "categories")
    ('1 row', '1,234 batches', '1.5 days', '1 category')
    """
    written = f"{number:g}" if isinstance(number, float) else f"{number:,}"
    return f"{written} {singular(nouns) if number == 1 else nouns}"


def singular(nouns: str) -> str:
    """Return a plural's singular.

    >>> singular("batches"), singular("classes"), singular("values"), singular("share")
    ('batch', 'class', 'value', 'share')
    """
    if nouns.endswith("ies"):
        return f"{nouns.removesuffix('ies')}y"
    return nouns.removesuffix("es") if nouns.endswith(("ches", "sses")) else nouns.removesuffix("s")
