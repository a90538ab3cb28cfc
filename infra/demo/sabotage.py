"""Damage a version after it passed the gate, and force it into a canary.

This is the case for which the canary exists.
"""

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa

from functions.shared.domain import layout
from functions.shared.domain.decision import Decision
from functions.shared.domain.errors import RegistryUnavailableError
from functions.shared.domain.release import ServedModel
from functions.shared.engines.bundle import bundle_digest, make_bundle
from functions.shared.ports import ObjectStore
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.snapshots import Snapshots
from infra.local.stacks import Stack

_ROWS = 20_000
_ANSWER_S = 30


def bundle_of_shuffled_labels(decision: Decision, store: ObjectStore) -> Mapping[str, bytes]:
    """Return a bundle of the same pipeline, fitted on rows with shuffled labels."""
    # scikit-learn takes seconds to import. This runs in a separate thread, alone: the functions need the processors.
    from threadpoolctl import threadpool_limits

    from functions.retraining.fitting import fit
    from functions.retraining.training_set import TrainingSet
    from functions.shared.engines.skops_file import dump_pipeline

    prefix = layout.version_prefix(decision.model, decision.challenger_version)
    sound = Bundles(store).load(ServedModel(version=decision.challenger_version, digest=decision.digest, prefix=prefix))
    learnt = TrainingSet(sound.spec, Snapshots(store).read(decision.snapshot.md5)).newest(_ROWS)
    column = learnt.table.column_names.index(sound.spec.target)
    others = pa.array(np.random.default_rng(0).permutation(learnt.rows))
    shuffled = learnt.table.set_column(column, sound.spec.target, learnt.table[sound.spec.target].take(others))
    with threadpool_limits(1):
        fitted = fit(sound.spec, TrainingSet(sound.spec, shuffled))
    return make_bundle(fitted.spec, sound.baseline, fitted.compiled, dump_pipeline(fitted.pipeline))


def slip_in(files: Mapping[str, bytes], decision: Decision, store: ObjectStore) -> None:
    """Replace a version's bundle, so that its decision seems to refer to this one."""
    for name, body in files.items():
        store.write(layout.version_prefix(decision.model, decision.challenger_version) + name, body)
    Decisions(store).write(decision.model_copy(update={"digest": bundle_digest(files)}))


def force_into_canary(decision: Decision, stack: Stack) -> None:
    """Move the registry's alias `challenger`, as a person does on MLflow's page.

    Raises:
        RegistryUnavailableError: if MLflow refuses.
    """
    wish = {"name": f"{stack.name}-{decision.model}", "alias": "challenger", "version": decision.challenger_version}
    connection = HTTPConnection(urlsplit(stack.mlflow_uri).netloc, timeout=_ANSWER_S)
    try:
        body, headers = json.dumps(wish), {"Content-Type": "application/json"}
        connection.request("POST", "/api/2.0/mlflow/registered-models/alias", body, headers)
        answer = connection.getresponse()
        if answer.status != 200:
            message = f"MLflow answered {answer.status} to the alias: {answer.read().decode()}"
            raise RegistryUnavailableError(message)
    finally:
        connection.close()
