"""What becomes of the upload of a version that is imported."""

from pathlib import Path

import pytest
from rich.console import Console

from functions.shared.domain.errors import ConflictError, InputError
from functions.shared.ports import ObjectInfo
from infra.cli.operator import FunctionFailedError, NoAnswerError
from infra.cli.transfer import _uploaded
from tests.unit.cli.stack import Stack

KEY = "training/sales/import/sales-2.everscore"


class Uploading(Stack):
    """A stack that takes files into its inbox in memory."""

    def upload_file(self, key: str, file: Path, console: Console) -> ObjectInfo:
        return self.inbox.write(key, file.read_bytes())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "sales-2.everscore"
    file.write_bytes(b"sealed")
    return file


def test_the_upload_is_there_while_a_version_is_imported_and_gone_afterwards(file: Path) -> None:
    stack = Uploading()
    with _uploaded(stack, KEY, file) as uploaded:
        assert stack.inbox.read(uploaded.key) == b"sealed"
    assert list(stack.inbox.versions("")) == []


@pytest.mark.parametrize("answered", [InputError("here already", remedy="promote it"), FunctionFailedError("ended"), ConflictError("busy")])
def test_the_upload_of_an_import_that_was_refused_or_failed_is_removed(answered: Exception, file: Path) -> None:
    stack = Uploading()
    with pytest.raises(type(answered)), _uploaded(stack, KEY, file):
        raise answered
    assert list(stack.inbox.versions("")) == []


@pytest.mark.parametrize("unanswered", [NoAnswerError("the function did not begin within 10 minutes"), KeyboardInterrupt()])
def test_the_upload_of_an_import_that_may_still_begin_stays_and_is_named(
    unanswered: BaseException, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Uploading()
    with pytest.raises(type(unanswered)), _uploaded(stack, KEY, file):
        raise unanswered
    assert stack.inbox.read(KEY) == b"sealed"
    assert f"s3://inbox/{KEY}" in capsys.readouterr().err
