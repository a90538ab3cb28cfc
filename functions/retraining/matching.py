"""Match a booster to a file: columns by name or order, categories to codes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from functions.shared.domain.decision import Reason
from functions.shared.domain.errors import AdoptionRefusedError
from functions.shared.domain.spec import FeatureKind
from functions.shared.engines.families.family import Family
from functions.shared.engines.families.inputs import Inputs
from functions.shared.foundation.counted import counted
from functions.shared.reading.rules import ColumnKind

type Categories = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Matched:
    """A pipeline that takes a file's columns by name, their known kinds, and remarks."""

    pipeline: Pipeline
    kinds: Mapping[str, FeatureKind]
    notes: tuple[Reason, ...]


def matched(model: Any, family: Family, inputs: Inputs, columns: Mapping[str, ColumnKind], asked: Mapping[str, FeatureKind]) -> Matched:
    """Put a fitted booster behind a preprocessor for a file's columns.

    Args:
        model: its estimator, changed to take plain numbers.
        family: the estimator's family.
        inputs: the columns as the booster knows them.
        columns: the possible features of the file, in order, with their inferred kinds.
        asked: the kinds that a person named.

    Raises:
        AdoptionRefusedError: if a column is missing or of another kind, or if the categories of its codes are unknown.
    """
    names, notes = _names(inputs, list(columns))
    looks = [asked.get(name, columns[name]) for name in names]
    texts = [place for place, kind in enumerate(looks) if kind in {ColumnKind.CATEGORY, FeatureKind.CATEGORY}]
    listed = _listed(inputs, names, texts)
    worded = {place for place, values in listed.items() if isinstance(values[0], str)}
    _refuse_unlisted(names, set(texts) - worded - inputs.as_written, inputs.coded - listed.keys())
    family.take_codes(model, inputs.coded)
    columns_step = _columns_step(names, listed, inputs.as_written)
    return Matched(
        Pipeline([("columns", columns_step), ("model", model)]),
        {names[place]: FeatureKind.CATEGORY for place in worded | inputs.as_written},
        notes,
    )


def refuse_unknown(matched: Matched, rows: Any) -> None:
    """Refuse rows with a text column in which the model knows no category.

    Such a column has the right name only: the model did not learn from it.

    Raises:
        AdoptionRefusedError: if there is such a column.
    """
    for _, encoder, names in matched.pipeline[0].transformers_:
        if not isinstance(encoder, OrdinalEncoder):
            continue
        for name, known in zip(names, encoder.categories_, strict=True):
            found = set(rows[name].drop_null().unique().to_pylist()) if name in matched.kinds else set()
            if found and not found & set(known):
                message = (
                    f"the model knows none of the categories in {name!r}, such as {min(found)!r}: it learnt "
                    f"{', '.join(map(str, known[:5]))}"
                )
                raise AdoptionRefusedError(message)


def _names(inputs: Inputs, columns: Sequence[str]) -> tuple[list[str], tuple[Reason, ...]]:
    """Return the file's column for each of the booster's; warn if only order decides."""
    # LightGBM writes spaces in names as underscores.
    spelled = {name.replace(" ", "_"): name for name in columns} | {name: name for name in columns}
    missing = [name for name in inputs.names if name not in spelled]
    if not missing:
        return [spelled[name] for name in inputs.names], ()
    if not inputs.invented:
        message = f"the file has no column {', '.join(missing)}, from which the model learnt; it has {', '.join(columns)}"
        raise AdoptionRefusedError(message)
    if len(columns) != len(inputs.names):
        message = (
            f"the model has no names for its {counted(len(inputs.names), 'columns')}, and the file has {len(columns)} besides "
            f"id, time and target: {', '.join(columns)}; a file with the model's columns alone, in their order, says which is which"
        )
        raise AdoptionRefusedError(message)
    message = f"the model has no names for its columns, so the file's were taken in this order: {', '.join(columns)}"
    return list(columns), (Reason(code="matched_by_order", message=message, warning=True),)


def _listed(inputs: Inputs, names: Sequence[str], texts: Sequence[int]) -> dict[int, Categories]:
    """Return the categories that the booster stores, by column position.

    LightGBM stores lists without naming their columns: all that were categorical in its data frame, including ordered ones, whose
    codes it treats as numbers.
    """
    places = inputs.listed
    if places is None:
        possible = (inputs.coded, set(texts), inputs.coded | set(texts))
        places = next((tuple(sorted(found)) for found in possible if len(found) == len(inputs.lists)), None)
    if places is None:
        message = (
            f"the model keeps the categories of {counted(len(inputs.lists), 'columns')} and does not say of which: it splits "
            f"{_quoted(names, inputs.coded)} by categories, and the file has texts in {_quoted(names, texts)}"
        )
        raise AdoptionRefusedError(message)
    lists = {place: tuple(_value(value) for value in values) for place, values in zip(places, inputs.lists, strict=True) if values}
    for place, values in lists.items():
        if len({type(value) for value in values}) > 1 or (not isinstance(values[0], str) and list(values) != sorted(values)):
            message = f"the categories of {names[place]!r} are neither texts nor numbers in ascending order: train the model on texts"
            raise AdoptionRefusedError(message)
    return lists


def _value(category: str | float) -> str | float:
    return category if isinstance(category, str) else float(category)


def _refuse_unlisted(names: Sequence[str], places: set[int], unnamed: frozenset[int]) -> None:
    """Refuse text columns unknown to the booster; codes of `unnamed` lack names."""
    if coded := places & unnamed:
        message = (
            f"the model splits {_quoted(names, coded)} by codes, and does not say which category has which code (XGBoost's files do "
            "since 3.1): write the codes that it learnt into the file"
        )
        raise AdoptionRefusedError(message)
    if places:
        message = (
            f"the model takes {_quoted(names, places)} for numbers, and the file has texts there; "
            "--kind COLUMN=number reads numbers that bear a sign"
        )
        raise AdoptionRefusedError(message)


def _quoted(names: Sequence[str], places: Collection[int]) -> str:
    return ", ".join(names[place] for place in sorted(places)) or "none"


def _columns_step(names: Sequence[str], listed: Mapping[int, Categories], as_written: Collection[int]) -> ColumnTransformer:
    """Return a preprocessor from named columns to a booster's columns, in its order."""
    import pandas as pd

    row = {name: [listed[place][0] if place in listed else 0.0] for place, name in enumerate(names)}
    frame = pd.DataFrame(row).astype({names[place]: object for place in as_written})
    step = ColumnTransformer(list(_parts(names, listed, as_written)), sparse_threshold=0.0)
    if as_written:
        step.verbose_feature_names_out = False
        step.set_output(transform="pandas")
    return step.fit(frame)


def _parts(names: Sequence[str], listed: Mapping[int, Categories], as_written: Collection[int]) -> Iterator[tuple[str, object, list[str]]]:
    """Yield one part for each run of columns that are converted alike."""
    for (has_list, has_texts), run in groupby(range(len(names)), key=lambda place: (place in listed, place in as_written)):
        places = list(run)
        if has_texts:
            # As pandas writes a missing value where a frame's columns become texts.
            yield f"texts_{places[0]}", SimpleImputer(strategy="constant", fill_value="nan"), [names[place] for place in places]
        elif has_list:
            values = [np.array(listed[place], object if isinstance(listed[place][0], str) else np.float64) for place in places]
            encoder = OrdinalEncoder(categories=values, handle_unknown="use_encoded_value", unknown_value=np.nan)
            yield f"categories_{places[0]}", encoder, [names[place] for place in places]
        else:
            yield f"numbers_{places[0]}", "passthrough", [names[place] for place in places]
