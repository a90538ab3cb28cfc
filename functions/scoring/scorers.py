"""The models that score: the champion and, during a rollout, the challenger."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.decision_rule import Codes, DecisionRule
from functions.shared.domain.errors import DigestMismatchError, InvalidBundleError, NotFoundError
from functions.shared.domain.release import Release, Role, ServedChallenger
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import LoadedModel
from functions.shared.foundation.arrow import booleans, fixed_width, texts
from functions.shared.repositories.bundles import Bundles


@dataclass(frozen=True, slots=True)
class Challenge:
    """The challenger's side of a rollout."""

    model: LoadedModel
    terms: ServedChallenger


@dataclass(frozen=True, slots=True)
class Answers:
    """One block's scores.

    `by_challenger` is True for rows that the challenger answers, and None outside a rollout. Predictions are numbers of outcomes;
    None for a regression, whose predictions are its scores. `challenger_s` is the time of the second model in seconds.
    """

    champion: NDArray[np.float64]
    champion_predicts: Codes | None
    challenger: NDArray[np.float64] | None = None
    challenger_predicts: Codes | None = None
    by_challenger: NDArray[np.bool_] | None = None
    challenger_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Scorers:
    """The models that score a batch, pinned when it starts."""

    champion: LoadedModel
    champion_version: str
    challenge: Challenge | None

    def without_challenger(self) -> "Scorers":
        """Return the panel with the champion alone."""
        return Scorers(self.champion, self.champion_version, None)

    @property
    def backends(self) -> dict[Role, str]:
        """Return for each role the means that compute its scores."""
        challenger = {} if self.challenge is None else {Role.CHALLENGER: str(self.challenge.model.engine.backend)}
        return {Role.CHAMPION: str(self.champion.engine.backend), **challenger}

    @property
    def decision_rules(self) -> dict[Role, DecisionRule]:
        """Return each role's rule from scores to predictions; none for a regression."""
        challenger = self.challenge.model.rule if self.challenge else None
        rules = {Role.CHAMPION: self.champion.rule, Role.CHALLENGER: challenger}
        return {role: rule for role, rule in rules.items() if rule is not None}

    @property
    def reading_spec(self) -> ModelSpec:
        """Return the champion's spec plus the challenger's other features, to read once."""
        spec = self.champion.spec
        if self.challenge is None:
            return spec
        known = {feature.name for feature in spec.features}
        more = tuple(feature for feature in self.challenge.model.spec.features if feature.name not in known)
        return spec.model_copy(update={"features": spec.features + more}) if more else spec

    def score(self, rows: pa.RecordBatch) -> Answers:
        """Score every row by every model."""
        champion = self.champion.engine.score(rows)
        predicted = self.champion.predict(rows, champion)
        if self.challenge is None:
            return Answers(champion, predicted)
        from functions.shared.domain.rollout.canary import answered_by_challenger

        started, terms = time.perf_counter(), self.challenge.terms
        ids = rows.column(self.champion.spec.id_column)
        share = terms.share if terms.mode == "canary" else 0.0
        answered = answered_by_challenger(ids, salt=terms.salt, share=share)
        model = self.challenge.model
        challenger = model.engine.score(rows)
        challenger_predicts = model.predict(rows, challenger)
        return Answers(champion, predicted, challenger, challenger_predicts, answered, time.perf_counter() - started)


def load_scorers(release: Release, bundles: Bundles) -> tuple[Scorers, str | None]:
    """Load what a release serves.

    Returns:
        The scorers, and why its challenger is left out although the release has one: no challenger may stop a champion.
    """
    decision = release.policy.decision
    alone = Scorers(bundles.load(release.champion).deciding(decision), release.champion.version, None)
    terms = release.challenger
    if terms is None:
        return alone, None
    try:
        return Scorers(alone.champion, alone.champion_version, Challenge(bundles.load(terms).deciding(decision), terms)), None
    except (NotFoundError, DigestMismatchError, InvalidBundleError) as damage:
        return alone, f"version {terms.version} cannot be loaded: {damage}"


def answer_columns(scorers: Scorers, answers: Answers) -> dict[str, pa.Array]:
    """Return the columns to add to a block: predictions, scores, version and role.

    In a rollout, they include the predictions and scores of both models.

    A classifier predicts by its version's decision rule; a regression's prediction is its score.
    """
    spec = scorers.champion.spec
    if scorers.challenge is None or answers.challenger is None or answers.by_challenger is None:
        nobody = np.zeros(len(answers.champion), dtype=np.bool_)
        return {
            "prediction": _predictions(spec, answers.champion, answers.champion_predicts),
            **_scores(spec, answers.champion),
            "model_version": _coded(nobody, (scorers.champion_version,)),
            "role": _coded(nobody, (Role.CHAMPION.value,)),
        }
    other, mask = scorers.challenge.model.spec, answers.by_challenger
    champion, challenger = _scores(spec, answers.champion), _scores(other, answers.challenger)
    ours = _predictions(spec, answers.champion, answers.champion_predicts)
    theirs = _predictions(other, answers.challenger, answers.challenger_predicts)
    return {
        "prediction": _chosen(mask, ours, theirs),
        **{name: _chosen(mask, champion.get(name), challenger.get(name)) for name in champion | challenger},
        "model_version": _coded(mask, (scorers.champion_version, scorers.challenge.terms.version)),
        "role": _coded(mask, (Role.CHAMPION.value, Role.CHALLENGER.value)),
        **{f"champion_{name}": values for name, values in {"prediction": ours, **champion}.items()},
        **{f"challenger_{name}": values for name, values in {"prediction": theirs, **challenger}.items()},
    }


def _scores(spec: ModelSpec, scores: NDArray[np.float64]) -> dict[str, pa.Array]:
    return {name: fixed_width(scores[:, output], pa.float64()) for output, name in enumerate(spec.score_columns)}


def _predictions(spec: ModelSpec, scores: NDArray[np.float64], predicted: Codes | None) -> pa.Array:
    return fixed_width(scores[:, 0], pa.float64()) if predicted is None else _coded(predicted, spec.outcomes)


def _coded(codes: NDArray[Any], names: Sequence[str]) -> pa.Array:
    """Return names by position; for a mask, the first name where it is false."""
    return pa.DictionaryArray.from_arrays(fixed_width(codes.astype(np.int32), pa.int32()), texts(names))


def _chosen(mask: NDArray[np.bool_], champion: pa.Array | None, challenger: pa.Array | None) -> pa.Array:
    """Return the answering model's value per row; null if it has no such output.

    A model has no output for a class that it never saw.
    """
    import pyarrow.compute as pc

    sides = [_plain(side, len(mask)) for side in (champion, challenger)]
    chosen = pc.if_else(booleans(mask), sides[1], sides[0])
    return chosen.dictionary_encode() if pa.types.is_string(chosen.type) else chosen


def _plain(values: pa.Array | None, rows: int) -> pa.Array:
    if values is None:
        return fixed_width(np.zeros(rows), pa.float64(), np.zeros(rows, dtype=np.bool_))
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
