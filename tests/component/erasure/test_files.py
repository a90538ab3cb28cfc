"""Stored files without people's rows."""

import pytest

from functions.erasure.files import lighter
from functions.erasure.people import People
from tests.component.scoring.world import World, as_csv, as_parquet_with_bytes, good_rows
from tests.fakes.documents import serve
from tests.fakes.versions import make_version

ROW = dict(good_rows(1)[0]) | {"id": "上海-7"}
NOT_UTF8 = [as_parquet_with_bytes(ROW, note=b"\xff"), as_csv([ROW | {"note": "ÿ"}]).replace("ÿ".encode(), b"\xff")]


@pytest.mark.parametrize("body", NOT_UTF8, ids=["parquet", "csv"])
def test_somebody_is_found_in_a_quarantined_row_of_which_another_text_is_not_utf8(body: bytes) -> None:
    world, version = World(), make_version()
    serve(world.store, version)
    [file] = world.score(world.upload(body)).quarantine
    lines = world.store.read(file.key)
    assert lighter(file.key, lines, version.spec, People(["somebody else"])) is None
    found = lighter(file.key, lines, version.spec, People(["上海-7"]))
    assert found is not None
    assert (found.rows, found.removed, found.reasons) == (0, 1, {"invalid_utf8": 1})
