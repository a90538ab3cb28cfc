"""Bundles: versions as scoring loads them.

They are checked by digest and kept while the process lives.
"""

from typing import Any

from functions.shared.domain.release import ServedModel
from functions.shared.engines.bundle import LoadedModel, load_bundle, load_fitted
from functions.shared.ports import ObjectStore

_KEPT = 8


class Bundles:
    """Loaded versions by digest; the least recently used beyond eight are dropped."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._loaded: dict[str, LoadedModel] = {}

    def load(self, served: ServedModel) -> LoadedModel:
        """Return the version's spec, baseline and engine.

        Raises:
            DigestMismatchError: if a file is not the one that was released.
            NotFoundError: if a file is gone.
        """
        model = self._loaded.pop(served.digest, None)
        if model is None:
            model = load_bundle(lambda name: self._store.read(served.prefix + name), served.digest)
        self._loaded[served.digest] = model
        while len(self._loaded) > _KEPT:
            del self._loaded[next(iter(self._loaded))]
        return model

    def pipeline(self, served: ServedModel) -> Any:
        """Return the version's fitted scikit-learn pipeline, whatever engine serves it.

        Errors are those of `load`.
        """
        return load_fitted(lambda name: self._store.read(served.prefix + name), served.digest)
