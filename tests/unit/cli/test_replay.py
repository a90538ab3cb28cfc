"""Quarantined rows as a file to mend."""

import json

import pytest

from infra.cli.replay import quarantined_file
from tests.fakes.documents import serve
from tests.fakes.versions import make_version
from tests.unit.scoring.world import HEADER, World, as_csv, as_parquet_with_bytes, good_rows

NAMES = ",".join(HEADER)
ROWS = as_csv(good_rows(4)).split(b"\n", 1)[1].decode()


@pytest.mark.parametrize("header", [f"{NAMES},1", f'{NAMES},"in ""€"", a;b|c;d|e;f|g;h|i;j|k"', f"{NAMES},"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_file_is_what_came_without_the_rows_that_were_good(header: str, encoding: str) -> None:
    bad = ['=1+1,2013-04-01,x,north,true,1,"a ""note""",+1', "r9,2013-04-01"]
    good = [f"{row}," for row in ROWS.splitlines()]
    world = World()
    serve(world.store, make_version())
    text = "\r\n".join([header, *good[:1], *bad, *good[1:]])
    manifest = world.score(world.upload(text.encode(encoding)))
    ending, body = quarantined_file(manifest, inbox=world.inbox, store=world.store)
    lines = body.decode().split("\n")
    assert (ending, lines) == (".csv", [header, *bad, ""])


def test_a_row_of_parquet_that_is_not_utf8_keeps_its_other_texts() -> None:
    world = World()
    serve(world.store, make_version())
    row = dict(good_rows(1)[0]) | {"id": "上海-7"}
    manifest = world.score(world.upload(as_parquet_with_bytes(row, note=b"\xff")))
    ending, body = quarantined_file(manifest, inbox=world.inbox, store=world.store)
    mended = json.loads(body)
    assert (ending, mended["id"], mended["note"]) == (".jsonl", "上海-7", "ÿ")
