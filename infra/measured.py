"""What was measured of a batch, for all who show it.

So `everscore status` and the report say the same.
"""

from functions.shared.domain import layout
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import Manifest
from functions.shared.ports import ObjectStore
from functions.shared.repositories.documents import read_document


def measured(manifest: Manifest, store: ObjectStore) -> BatchJudgement | None:
    """Return a batch's drift and estimate.

    Until a batch that was scored again is measured, they are those of the batch it supersedes.

    These hold for it if the same champion scored both, from the same rows. None if there are none.
    """
    own = read_document(store, BatchJudgement, layout.emitted_key(manifest.model, manifest.batch_id))
    if own is not None or manifest.supersedes is None or manifest.release is None:
        return own
    before = read_document(store, BatchJudgement, layout.emitted_key(manifest.model, manifest.supersedes))
    return before if before is not None and before.version == manifest.release.champion else None
