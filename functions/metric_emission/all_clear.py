"""Whether a batch may close an alert: it must come after what raised it."""

from functions.metric_emission.ports import Model
from functions.shared.domain.cause import Cause
from functions.shared.domain.manifest import Manifest

_BATCH = 8
_IN_WINDOW = slice(len("2013-04-01-"), len("2013-04-01-") + _BATCH)
"""Where the beginning of a batch's name stands in an alert's window: after the day, and before a moment if it calls again."""


def came_later(manifest: Manifest, cause: Cause, model: Model) -> bool:
    """Return whether a batch's upload arrived after those that an alert is about.

    An upload that is scored again counts as well. If a batch is no longer found, the upload must have arrived after the alert was last
    seen.
    """
    own = {manifest.batch_id[:_BATCH], (manifest.supersedes or "")[:_BATCH]}
    sought = {window[_IN_WINDOW] for window in (cause.window, cause.latest)} - own
    for arrival in model.newest if sought else ():
        if arrival.batch[:_BATCH] in sought:
            sought.remove(arrival.batch[:_BATCH])
            if model.manifest(arrival).source.last_modified >= manifest.source.last_modified:
                return False
        if not sought:
            break
    return not sought or manifest.source.last_modified > cause.seen_at


def is_newest(manifest: Manifest, model: Model) -> bool:
    """Return whether the champion scored nothing that arrived after a batch."""
    newest = next(model.scored(), None)
    return newest is not None and newest.batch == manifest.batch_id
