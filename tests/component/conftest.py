"""Components keep the unit level's rules: no network, and no sentence without its Chinese."""

from tests.unit.conftest import _no_network, _no_sentence_stays_english

__all__ = ["_no_network", "_no_sentence_stays_english"]
