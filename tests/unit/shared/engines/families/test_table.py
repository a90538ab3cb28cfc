from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from functions.shared.engines.families import table
from functions.shared.engines.families.family import Family
from functions.shared.engines.families.scikit_learn import SCIKIT_LEARN
from functions.shared.engines.families.table import families, family_of
from functions.shared.engines.skops_file import trusted_types


class Orchard(Family):
    backend = "orchard"
    trusted_types = ("orchard.Apple",)


ORCHARD = Orchard()
Careful = type("Careful", (LogisticRegression,), {"__module__": "shop_models"})
Apple = type("Apple", (LogisticRegression,), {"__module__": "orchard.trees"})


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package that brings a family."""
    point = EntryPoint("orchard", f"{__name__}:ORCHARD", table.GROUP)
    monkeypatch.setattr(table, "entry_points", lambda group: [point] if group == table.GROUP else [])
    monkeypatch.setattr(table, "_imported", lambda where: ORCHARD if where == point.value else SCIKIT_LEARN)
    families.cache_clear()
    trusted_types.cache_clear()
    yield
    families.cache_clear()
    trusted_types.cache_clear()


@pytest.mark.parametrize("model", [LogisticRegression(), LogisticRegression, Careful(), object()])
def test_what_no_family_is_nearer_to_is_of_scikit_learns(model: Any) -> None:
    assert family_of(model) is SCIKIT_LEARN


@pytest.mark.usefixtures("installed")
def test_an_installed_package_brings_a_family_and_its_types() -> None:
    assert family_of(Apple()) is ORCHARD
    assert family_of(type("Cider", (Apple,), {"__module__": "shop_models"})) is ORCHARD
    assert family_of(LogisticRegression()) is SCIKIT_LEARN
    assert {"orchard.Apple", "functools.partial"} <= set(trusted_types())
