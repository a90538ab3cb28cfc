"""Erase rows from training sets, and make decisions refer to the new sets.

Training sets are content-addressed, so a set without some rows is a new one.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter

from functions.erasure.files import lighter, shows
from functions.erasure.people import Subject
from functions.erasure.ports import Ports
from functions.erasure.units import Found, WorkUnit
from functions.shared.domain import layout
from functions.shared.domain.decision import Decision
from functions.shared.domain.dvc import DvcDirectory, dvc_directory, dvc_file, parse_listing
from functions.shared.ports import ObjectInfo
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.leases import LONGEST, Leases


def snapshots(subject: Subject, ports: Ports) -> Iterator[WorkUnit]:
    """Yield the training sets of all versions of a model, by decision."""
    for decision in Decisions(ports.store).all(subject.model):
        if decision.has_rows:
            key = layout.decision_key(decision.model, decision.challenger_version)
            yield WorkUnit(key, partial(_erase_from_snapshot, decision, subject, ports))


def _erase_from_snapshot(decision: Decision, subject: Subject, ports: Ports) -> Found:
    files, removed = [], 0
    for path, md5 in parse_listing(ports.store.read(layout.snapshot_key(decision.snapshot.md5))).items():
        key = layout.snapshot_key(md5)
        body = ports.store.read(key)
        if light := lighter(key, body, subject.spec, subject.people):
            body, removed = light.body, removed + light.removed
            ports.store.create(layout.snapshot_key(dvc_file(path, body).md5), body)
        files.append(dvc_file(path, body))
    if removed:
        directory = dvc_directory(files)
        ports.store.create(layout.snapshot_key(directory.md5), directory.listing)
        _rename(decision, directory, removed, ports)
    return Found(versions=Counter({decision.challenger_version: removed}) if removed else Counter())


def _rename(decision: Decision, directory: DvcDirectory, removed: int, ports: Ports) -> None:
    """Make the decision refer to the remaining rows."""
    key = layout.decision_key(decision.model, decision.challenger_version)
    _, etag = ports.store.read_tagged(key)
    left = {"md5": directory.md5, "rows": decision.snapshot.rows - removed, "bytes": directory.bytes}
    changed = {"snapshot": decision.snapshot.model_copy(update=left), "erased_rows": decision.erased_rows + removed}
    ports.store.replace(key, decision.model_copy(update=changed).to_json(), etag=etag)


def unnamed(subject: Subject, ports: Ports) -> Iterator[WorkUnit]:
    """Yield files that no model's version names.

    They are deleted permanently if they show people.

    While another model is being trained, a new file may belong to it and be named soon. So files are listed first and names
    read last: the training of a listed file is running still, or has named it.
    """
    listed = [version.info for version in ports.store.versions(f"{layout.SNAPSHOT_FILES}/")]
    training = Leases(ports.store).running(ports.now()) - {subject.model}
    named = _named_md5s(ports)
    idle = (info for info in listed if _md5(info) not in named)
    for key, versions in groupby(idle, key=attrgetter("key")):
        yield WorkUnit(key, partial(_clear, [*versions], subject, ports, training=bool(training)))


def _clear(versions: Sequence[ObjectInfo], subject: Subject, ports: Ports, *, training: bool) -> Found:
    showing = [info for info in versions if shows(info.key, ports.store.read(info.key, info.version_id), subject.spec, subject.people)]
    left = [info for info in showing if training and ports.now() - info.last_modified < LONGEST]
    cleared = [info for info in showing if info not in left]
    ports.store.forget(cleared)
    return Found(objects=len(cleared), left={info.key: info.last_modified + LONGEST for info in left})


def _md5(info: ObjectInfo) -> str:
    return "".join(info.key.split("/")[-2:])


def _named_md5s(ports: Ports) -> set[str]:
    """Return the MD5s of all training data of all models, with files of directories."""
    decisions = (decision for model in ports.store.folders(layout.DECISIONS) for decision in Decisions(ports.store).all(model))
    directories = {decision.snapshot.md5 for decision in decisions if decision.has_rows}
    listings = (parse_listing(ports.store.read(layout.snapshot_key(md5))) for md5 in directories)
    return directories.union(*(listing.values() for listing in listings))
