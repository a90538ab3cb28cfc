"""Names of models as people type them.

They are looked up first, since a typo would make a model of its own.
"""

from difflib import get_close_matches

from functions.shared.domain.errors import InputError
from functions.shared.domain.release import Release
from functions.shared.domain.spec import checked_model_name
from functions.shared.ports import ObjectStore
from functions.shared.repositories.releases import Releases

_LISTED = 20


def looked_up(model: str, store: ObjectStore, *, otherwise: str = "") -> Release:
    """Return what a model serves, or served before it was retired.

    Args:
        otherwise: the remedy if it serves nothing yet.

    Raises:
        InvalidNameError: if no model can have this name.
        InputError: `unknown_model`, with the nearest name.
    """
    if release := Releases(store).current(checked_model_name(model)):
        return release
    known = sorted(Releases(store).models())
    others = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    message = f"there is no model {model!r} here; models: {', '.join(known[:_LISTED]) or 'none yet'}{others}"
    hints = [*nearest(model, known), otherwise or f"`everscore train {model} FILE …` makes a model of this name"]
    raise InputError(message, remedy=" ".join(hints), code="unknown_model")


def nearest(name: str, known: list[str]) -> list[str]:
    """Return a hint at the known name that is most like this one, if any is."""
    by_lower = {one.lower(): one for one in known}
    return [f"did you mean {by_lower[near]!r}?" for near in get_close_matches(name.lower(), by_lower, n=1)]
