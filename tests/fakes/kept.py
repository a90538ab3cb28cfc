"""What takes long to make is made once for all test processes, and again when anything changes that it is made of."""

import hashlib
import os
import pickle
import shutil
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any

from infra.places import ROOT

MADE_OF = (
    "functions/shared/**/*.py",
    "functions/shared/**/*.[ch]",
    "functions/retraining/*.py",
    "tests/fakes/*.py",
    "requirements/development.txt",
)
"""Versions are trained by retraining, which imports no other function: a contract of the imports says so."""
FOLDER = ROOT / ".cache" / "tests"


def kept[**P, R](make: Callable[P, R]) -> Callable[P, R]:
    """Keep what a function returns in memory and in `.cache/tests`; its arguments are distinguished by their `repr`."""

    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> R:
        return _read_or_made(make, args, tuple(sorted(kwargs.items())))

    return made


@cache
def _read_or_made(make: Callable[..., Any], args: tuple[Any, ...], kwargs: tuple[tuple[str, Any], ...]) -> Any:
    called = f"{make.__qualname__}{args!r}{kwargs!r}"
    path = _folder() / hashlib.sha256(called.encode()).hexdigest()
    if path.exists():
        return pickle.loads(path.read_bytes())
    result = make(*args, **dict(kwargs))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{os.getpid()}")
    aside.write_bytes(pickle.dumps(result))
    aside.replace(path)
    return result


@cache
def _folder() -> Path:
    """Where things made of today's code are; those of earlier code are removed."""
    content = hashlib.sha256()
    for path in sorted(path for pattern in MADE_OF for path in ROOT.glob(pattern)):
        content.update(f"{path.relative_to(ROOT)} ".encode() + path.read_bytes())
    folder = FOLDER / content.hexdigest()
    for earlier in FOLDER.glob("*"):
        if earlier != folder:
            shutil.rmtree(earlier, ignore_errors=True)
    return folder
