"""Score a file on this machine with the code of the scoring function."""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from functions.scoring.ports import Ports
from functions.scoring.service import score_batch
from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.manifest import Manifest, Status, StoredFile
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import SPEC
from functions.shared.ports import ObjectStore
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.releases import Releases
from functions.shared.runtime.chance import new_name, utc_now
from infra.cli.local_folder import LocalFolder
from infra.cli.scored_rows import write_scored

if TYPE_CHECKING:
    from rich.console import Console


def score_offline(model: str, file: Path, out: Path, *, releases: ObjectStore, console: "Console | None" = None) -> Manifest:
    """Score `file` into `out` with a model's served version; store nothing else.

    Rows that break the contract go to `<out>.quarantine.jsonl`, if there are any; else the one of an earlier run is removed. A batch
    that fails changes neither file: the manifest says why.

    Args:
        releases: the store that holds the model's release document and bundles.
        console: shows how far the writing is, if it is a terminal.

    Returns:
        The manifest, whose outputs and quarantine are the files on this machine.
    """
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".everscore-") as name:
        inbox, store = LocalFolder(Path(name, "inbox")), LocalFolder(Path(name, "store"))
        if release := Releases(releases).current(model):
            store.write(layout.release_key(model), release.to_json())
        manifest = score_batch(
            _as_upload(file, inbox, f"{layout.BATCHES}/{model}/{file.name}"),
            Ports(
                inbox=inbox,
                store=store,
                bundles=Bundles(releases),
                new_attempt=new_name,
                now=utc_now,
            ),
        )
        if manifest.release and manifest.outputs:
            spec = read_document(releases, ModelSpec, layout.version_prefix(model, manifest.release.champion) + SPEC)
            write_scored([manifest], out, download=lambda key, part: Path(store.bucket, key).replace(part), console=console, spec=spec)
        aside = out.with_name(f"{out.name}.quarantine.jsonl")
        if manifest.status is not Status.FAILED:
            aside.unlink(missing_ok=True)
        if manifest.quarantine:
            _join([Path(store.bucket, part.key) for part in manifest.quarantine], aside)
    outputs = (_described(out, manifest.rows_scored),) if manifest.outputs else ()
    quarantine = (_described(aside, manifest.rows_quarantined),) if manifest.quarantine else ()
    return manifest.model_copy(update={"outputs": outputs, "quarantine": quarantine})


def _join(parts: Sequence[Path], whole: Path) -> None:
    """Write several files to one, in their order."""
    with whole.open("wb") as file:
        for part in parts:
            file.write(part.read_bytes())


def _described(file: Path, rows: int) -> StoredFile:
    with file.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
    return StoredFile(key=str(file), rows=rows, bytes=file.stat().st_size, sha256=digest)


def _as_upload(file: Path, inbox: LocalFolder, key: str) -> StoredObject:
    """Return the file as an object of the inbox, without a copy."""
    path = Path(inbox.bucket, key)
    path.parent.mkdir(parents=True)
    path.symlink_to(file.resolve())
    info = inbox.info(key)
    return StoredObject(bucket=inbox.bucket, key=key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)
