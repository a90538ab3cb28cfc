"""What commands write does not take the place of somebody's file."""

from contextlib import suppress
from pathlib import Path

import pytest

from functions.shared.domain.errors import InputError
from infra.cli.outputs import refuse_existing, refuse_replacing, whole_file
from infra.report.report import OURS, environment


def test_a_page_replaces_an_earlier_page_but_no_other_file(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    refuse_replacing(out, ours=OURS, overwrite=False)
    out.write_text(f"<!doctype html>\n<head>\n{OURS}\n")
    refuse_replacing(out, ours=OURS, overwrite=False)
    out.write_text("<!doctype html>\n<title>My thesis</title>\n")
    with pytest.raises(InputError, match=r"report.html exists already, and Everscore did not write it\nremedy: .*--overwrite"):
        refuse_replacing(out, ours=OURS, overwrite=False)
    refuse_replacing(out, ours=OURS, overwrite=True)


def test_the_remedy_for_a_file_that_is_there_names_another_first_and_says_what_overwrite_does(tmp_path: Path) -> None:
    out = tmp_path / "june.csv"
    refuse_existing(out, overwrite=False)
    out.write_text("the rows to score")
    with pytest.raises(
        InputError, match=r"june.csv exists already\nremedy: name another file; --overwrite replaces this one, whatever it holds"
    ):
        refuse_existing(out, overwrite=False)
    refuse_existing(out, overwrite=True)


@pytest.mark.parametrize(("place", "said"), [("", "is a folder"), ("missing/report.html", "does not exist")])
def test_a_page_is_refused_before_the_work_where_it_cannot_be_written(place: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        refuse_replacing(tmp_path / place, ours=OURS, overwrite=True)


def test_a_report_says_at_its_beginning_who_wrote_it() -> None:
    loader = environment().loader
    assert loader is not None
    source, _, _ = loader.get_source(environment(), "page.html.jinja")
    assert source.index("{{ mark }}") < source.index("<style>")


def test_a_file_appears_when_it_is_whole_and_what_was_there_stays_until_then(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    for body in ("one", "two"):
        with whole_file(out) as whole:
            whole.write_text(body)
        assert out.read_text() == body
    with suppress(KeyboardInterrupt), whole_file(out) as whole:
        whole.write_text("hal")
        raise KeyboardInterrupt
    assert (out.read_text(), list(tmp_path.iterdir())) == ("two", [out])


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    with whole_file(tmp_path / "v1") as whole:
        whole.mkdir()
        (whole / "2024-01.parquet").write_bytes(b"PAR1")
    assert [file.name for file in (tmp_path / "v1").iterdir()] == ["2024-01.parquet"]
