"""Keep ministack's state on disk.

So a stack survives a kill of its processes.

ministack writes objects to disk as they come, and saves all else when it is ended in order. Beyond that, here

- queues and executions are saved every second if they changed, and everything each minute or when it is asked for;
- Glue's catalogue is on disk before a change of it is answered;
- objects whose writing was interrupted are as they were before: nobody learned that they had been written;
- what was being worked on is delivered again at once, since whoever worked on it is gone;
- objects of the last moments are announced again, since what was said of them may not have been saved.

So everything happens at least once, as on AWS, whose consumers have to be used to that.

This module too is imported by ministack's interpreter and may use nothing but the standard library and ministack.
"""

import contextvars
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from infra.local.mended_stepfunctions import redrive

SAVE = "/_everscore/save"
"""A path: a GET is answered once everything is on disk."""
OFTEN = ("sqs", "stepfunctions")
OFTEN_S, ALL_S = 1.0, 60.0
SHARE = 0.05
"""Largest share of the time that saving may take."""
MARGIN_S = 5.0
"""By how much an object is taken to be older or newer than files say."""
BEAT = ".saved"
"""A file whose time says until when `OFTEN` is on disk."""
SIDECAR = ".meta.json"
_INTERRUPTED = "States.ServiceRestart"


def keep_state(state: Path, objects: Path) -> None:
    """Make ministack keep its state in these folders and continue from it.

    Call it before ministack's S3 is imported, which reads objects.
    """
    logging.getLogger("persistence").setLevel(logging.WARNING)
    write_one_at_a_time()
    beat = state / BEAT
    until = beat.stat().st_mtime - MARGIN_S if beat.exists() else 0.0
    if objects.is_dir():
        undo_torn_writes(objects, until)
    application: Any = import_module("ministack.app")
    load = application._load_persisted_state

    def load_and_go_on() -> None:
        load()
        if until:
            go_on(until)
        threading.Thread(target=_save_for_ever, args=(state,), daemon=True).start()

    application._load_persisted_state = load_and_go_on


# Saving


_LOCKS: dict[str, threading.RLock] = {}
"""One for each service, since each has one file, which whoever saves it first writes next to the old one."""


def _alone(name: str) -> threading.RLock:
    """Return what is held while a service is saved.

    Whoever reads the state and then writes it holds it for both, so that what was read last is what stands.
    """
    return _LOCKS.setdefault(name, threading.RLock())


def write_one_at_a_time() -> None:
    """Make ministack write a service's file in one thread at a time, whoever asks."""
    persistence: Any = import_module("ministack.core.persistence")
    write = persistence.save_state

    def written_alone(name: str, state: Any) -> None:
        with _alone(name):
            write(name, state)

    persistence.save_state = written_alone


def save_all() -> None:
    """Save everything."""
    application: Any = import_module("ministack.app")
    for name, get_state in application._build_persistence_save_dict().items():
        with _alone(name):
            if (state := _read(get_state)) is not None:
                _is_written(name, state)


def save_changed(names: Iterable[str], saved: dict[str, str]) -> bool:
    """Save the services whose state has changed; return whether all are on disk.

    Args:
        names: of the services.
        saved: what each had when it was saved; brought up to date.
    """
    persistence: Any = import_module("ministack.core.persistence")
    whole = True
    for name in names:
        with _alone(name):
            found = _read(import_module(f"ministack.services.{name}").get_state)
            if (text := json.dumps(found, default=persistence._json_default)) == saved.get(name):
                continue
            saved.pop(name, None)
            if _is_written(name, found):
                saved[name] = text
            else:
                whole = False
    return whole


def _is_written(name: str, state: Any) -> bool:
    """Write a service's state, and return whether that succeeded.

    ministack only logs a failure, and what succeeds is another file.
    """
    persistence: Any = import_module("ministack.core.persistence")
    file = Path(persistence.STATE_DIR, f"{name}.json")
    before = file.stat() if file.exists() else None
    persistence.save_state(name, state)
    return file.exists() and (before is None or not os.path.samestat(before, file.stat()))


def save_catalogue_at_once() -> None:
    """Have a change of Glue's catalogue on disk before it is answered.

    A table that went back a minute would name metadata which later commits have removed.
    """
    glue: Any = import_module("ministack.services.glue")
    answer = glue._handle_request_sync

    def answer_saved(method: str, path: str, headers: Mapping[str, str], *rest: Any) -> Any:
        answered = answer(method, path, headers, *rest)
        if not headers.get("x-amz-target", "").startswith("AWSGlue.Get"):
            with _alone("glue"):
                _is_written("glue", _read(glue.get_state))
        return answered

    glue._handle_request_sync = answer_saved


def _save_for_ever(state: Path) -> None:
    """Save what may not be lost whenever it has changed, and everything now and then."""
    saved: dict[str, str] = {}
    last = time.monotonic()
    while True:
        begun = time.monotonic()
        whole = save_changed(OFTEN, saved)
        if begun - last > ALL_S:
            save_all()
            last = begun
        if whole:
            (state / BEAT).touch()
        time.sleep(max(OFTEN_S, (time.monotonic() - begun) / SHARE))


def _read(get_state: Callable[[], Any]) -> Any:
    """Return the state of a service; read it again if it changes meanwhile."""
    while True:
        try:
            return get_state()
        except RuntimeError:
            time.sleep(0.05)


# Going on


def go_on(since: float) -> None:
    """Deliver unfinished work again; announce again what was written since a time."""
    queues: Any = import_module("ministack.services.sqs")
    for queue in queues._queues.all_values():
        deliver_again(queue["messages"], time.time())
    machines: Any = import_module("ministack.services.stepfunctions")
    for execution in list(machines._executions.all_values()):
        begun = any(event["type"].endswith("StateEntered") for event in execution.get("events", ()))
        if execution.get("error") == _INTERRUPTED and begun and not execution.get("mapRunArn"):
            redrive(machines, execution)
    s3: Any = import_module("ministack.services.s3")
    for bucket, key, version in list(_written_since(s3, since)):
        arguments = {"size": version["size"], "etag": version["etag"], "version_id": version["version_id"]}
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(s3._fire_s3_event, bucket, key, "s3:ObjectCreated:Put"), kwargs=arguments, daemon=True
        ).start()


def deliver_again(messages: list[dict[str, Any]], now: float) -> None:
    """Make messages that somebody had received visible."""
    for message in messages:
        if message["receive_count"] and message["visible_at"] > now:
            message |= {"visible_at": now, "receipt_handle": None}


def _written_since(s3: Any, since: float) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for (_, (bucket, key)), versions in s3._object_versions._data.items():
        for version in versions:
            written = datetime.fromisoformat(version["last_modified"]).astimezone(UTC).timestamp()
            if written >= since and not version.get("is_delete_marker"):
                yield bucket, key, version


# Objects: `<account>/<bucket>/<key>` is the newest version, a sidecar next to it says what there is, and older versions
# lie as `.versions/<account>/<bucket>/<version>/<key>`. A write keeps the version before, then puts the bytes, then the sidecar.


def undo_torn_writes(objects: Path, since: float) -> None:
    """Take back writes that ended before their sidecar was written.

    No write before `since` can have been interrupted.
    """
    for folder in objects.iterdir():
        if folder.name != ".versions" and folder.is_dir():
            for path in list(_changed_since(folder, since)):
                _mend(path, objects)


def _changed_since(folder: Path, since: float) -> Iterator[Path]:
    """Yield data files changed since a time, or their sidecars; drop unfinished."""
    found = set()
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.stat().st_mtime < since:
                continue
            if name.endswith(".tmp"):
                path.unlink()
            else:
                found.add(path.with_name(name.removesuffix(SIDECAR)))
    yield from found


def _mend(path: Path, objects: Path) -> None:
    """Make bytes and sidecar of one object agree."""
    sidecar = path.with_name(path.name + SIDECAR)
    if not path.exists():
        return
    if not sidecar.exists():
        path.unlink()
        return
    said = json.loads(sidecar.read_text())
    before = _kept_version(path, objects, said.get("version_id"))
    if said.get("is_delete_marker"):
        return
    if before is not None:
        before.replace(path)
    elif not _is(path, said):
        _forget_newest(path, sidecar, said, objects)


def _kept_version(path: Path, objects: Path, version: str | None) -> Path | None:
    """Return the file of a version that another version displaced."""
    account, bucket = path.relative_to(objects).parts[:2]
    folder = objects / ".versions" / account / bucket / str(version)
    return next((file for file in folder.rglob("*") if file.is_file()), None) if version and folder.is_dir() else None


def _is(path: Path, said: dict[str, Any]) -> bool:
    """Return whether a file holds what its sidecar says.

    Of an upload in parts only the size is known.
    """
    etag = str(said.get("etag", "")).strip('"')
    whole = "-" not in etag
    return path.stat().st_size == said.get("size") and (
        not whole or hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == etag
    )


def _forget_newest(path: Path, sidecar: Path, said: dict[str, Any], objects: Path) -> None:
    """Finish removing the newest version, whose bytes are gone.

    The version before it becomes the newest.
    """
    left = [version for version in said.get("versions", []) if version["version_id"] != said.get("version_id")]
    bytes_before = _kept_version(path, objects, left[-1]["version_id"]) if left else None
    if bytes_before is None:
        path.unlink()
        sidecar.unlink()
        return
    bytes_before.replace(path)
    sidecar.write_text(json.dumps({**said, **left[-1], "versions": left}))
