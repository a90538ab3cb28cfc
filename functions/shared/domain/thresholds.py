"""Each threshold of a policy by the name that people set it by.

It says what it means, what it takes, and what is wrong with a value.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from functions.shared.domain.message import KINDS
from functions.shared.domain.policy import Policy, Unit

RANGES = "row_contract.ranges"
"""The thresholds that are by column: whatever follows is a column's name, dots included."""
_SHOWN = 60
_NEAREST = 3
_A_TYPO = 0.8
"""Similarity from which one word is taken for a misspelt other."""
_STEM = 4
"""Fewest letters in which words with other endings are alike."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """One threshold.

    `default` is as JSON has it; `takes` says which values are possible.
    """

    name: str
    meaning: str
    unit: str
    default: Any
    takes: str
    least: float
    most: float


@cache
def thresholds() -> dict[str, Threshold]:
    """Return all thresholds by name, in the order of the policy's sections."""
    return {threshold.name: threshold for threshold in _thresholds_of(Policy(), "")}


def _thresholds_of(section: BaseModel, prefix: str) -> Iterator[Threshold]:
    defaults = section.model_dump(mode="json")
    for name, field in type(section).model_fields.items():
        if field.description:
            yield _threshold(prefix + name, field, defaults[name])
        elif isinstance(part := getattr(section, name), BaseModel):
            yield from _thresholds_of(part, f"{prefix}{name}.")


def _threshold(name: str, field: FieldInfo, default: Any) -> Threshold:
    unit = next((found for found in field.metadata if isinstance(found, Unit)), Unit(""))
    assert field.description
    return Threshold(name, field.description, unit.name, default, unit.takes or _takes(field, unit), unit.least, unit.most)


def _takes(field: FieldInfo, unit: Unit) -> str:
    """Return which words or numbers are possible, as the end of a sentence."""
    if get_origin(field.annotation) is Literal:
        return " or ".join(get_args(field.annotation))
    parts = get_args(field.annotation) or (field.annotation,)
    number = "a whole number" if int in parts else "a number"
    return f"{number} {_between(field, unit)}" + (", or null" if type(None) in parts else "")


def _between(field: FieldInfo, unit: Unit) -> str:
    """Return the possible values of a number, in words."""
    low, high = ("from", unit.least), ("to", unit.most)
    for limit in field.metadata:
        match limit:
            case Gt(gt=int() | float() as bound) if bound >= low[1]:
                low = ("above", bound)
            case Ge(ge=int() | float() as bound) if bound > low[1]:
                low = ("from", bound)
            case Lt(lt=int() | float() as bound) if bound <= high[1]:
                high = ("to below", bound)
            case Le(le=int() | float() as bound) if bound < high[1]:
                high = ("to", bound)
            case _:
                pass
    return f"{low[0]} {_plain(low[1])} {high[0]} {_plain(high[1])}"


def _plain(number: float) -> str:
    return f"{number:,}" if number == int(number) else f"{number:g}"


def refuse_senseless(policy: Policy) -> None:
    """Check that each threshold makes sense and that nothing overflows.

    Raises:
        ValueError: with a sentence that names the first which does not.
    """
    for threshold in thresholds().values():
        value = value_of(policy.model_dump(mode="python"), threshold.name)
        amount = len(value) if isinstance(value, tuple) else value
        if isinstance(amount, int | float) and not threshold.least <= amount <= threshold.most:
            raise ValueError(refusal(threshold, value))
    named = {kind for kinds in policy.notifications.kinds.values() for kind in kinds}
    if unknown_kinds := named - set(KINDS):
        message = f"notifications.kinds: no message is of the kind {', '.join(sorted(unknown_kinds))}; kinds are {', '.join(KINDS)}"
        raise ValueError(message)


def value_of(policy: dict[str, Any], name: str) -> Any:
    """Return a policy's value of a threshold, from what the policy was dumped as."""
    value: Any = policy
    for part in name.split("."):
        value = value[part]
    return value


def refusal(threshold: Threshold, value: object) -> str:
    """That a threshold does not take a value, and what it takes."""
    unit = f" ({threshold.unit})" if threshold.unit and threshold.unit not in threshold.takes else ""
    return f"{threshold.name} cannot be {_shown(value)}: it takes {threshold.takes}{unit}"


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, default=str)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def changed_thresholds(before: Policy, after: Policy) -> tuple[str, ...]:
    """Return the names of the thresholds in which two policies differ."""
    old, new = (policy.model_dump(mode="json") for policy in (before, after))
    return tuple(name for name in thresholds() if value_of(old, name) != value_of(new, name))


def unknown(name: str) -> str:
    """That there is no threshold of a name, and which are called alike."""
    parts = [full for full in thresholds() if full.startswith(f"{name}.")]
    if parts:
        return f"{name!r} is a section: set its thresholds one by one, e.g. {parts[0]}"
    alike = get_close_matches(name, thresholds(), n=1, cutoff=_A_TYPO) or _of_like_words(name)[:_NEAREST]
    meant = f"; did you mean {', '.join(alike)}?" if alike else ""
    return f"no threshold is called {name!r}{meant}"


def _of_like_words(name: str) -> list[str]:
    """Return the thresholds that share most with a name, the nearest first.

    Names and meanings count; if the name has a section, only that section's thresholds.
    """
    section, _, rest = name.partition(".")
    within = {full: threshold for full, threshold in thresholds().items() if rest and full.startswith(f"{section}.")}
    asked, known = (_words(rest), within) if within else (_words(name), thresholds())
    scores = {full: _likeness(asked, threshold) for full, threshold in known.items()}
    best = max(scores.values())
    near = [full for full, score in scores.items() if score and score >= best / 2] or list(within)
    return sorted(near, key=lambda full: -scores[full])


def _likeness(asked: Sequence[str], threshold: Threshold) -> int:
    """Return how many letters of words a threshold shares; its name's count twice."""
    name, meaning = _words(threshold.name), _words(threshold.meaning)
    return sum(len(word) * (2 if _is_among(word, name, typos=True) else _is_among(word, meaning)) for word in asked)


def _is_among(word: str, others: Sequence[str], *, typos: bool = False) -> bool:
    """Return whether a word is there, perhaps with another ending or misspelt."""
    return any(_have_one_stem(word, other) for other in others) or (typos and bool(get_close_matches(word, others, cutoff=_A_TYPO)))


def _have_one_stem(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return one == other or (len(shorter) >= _STEM and longer.startswith(shorter))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower().replace("_", " "))


def sentences(error: ValidationError) -> str:
    """Return what is wrong with a policy: each threshold once, with what it takes."""
    return "; ".join(dict.fromkeys(_sentence(problem["loc"], problem.get("input"), problem) for problem in error.errors()))


def _sentence(place: Sequence[int | str], value: object, problem: Any) -> str:
    named = [str(part) for part in place]
    name = next((joined for end in range(len(named), 0, -1) if (joined := ".".join(named[:end])) in thresholds()), None)
    said = problem.get("ctx", {}).get("error")
    if problem["type"] == "extra_forbidden" or name is None:
        return str(said) if said else unknown(".".join(named))
    if name == RANGES and len(named) > 2:
        return f"{RANGES}.{named[2]}: {said or 'write [lowest, highest], null where there is no limit'}"
    return f"{name}: {said}" if said else refusal(thresholds()[name], value)
