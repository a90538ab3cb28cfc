"""Why a version was released or kept out.

Decisions hold these codes: they are a public interface.
"""

from functions.shared.domain.described import Described


class GateCode(Described):
    """A reason that decides about a version, and what it means.

    >>> GateCode("no_gain").meaning
    'The challenger surely gains less than `gate.minimum_effect`.'
    """

    @property
    def meaning(self) -> str:
        """Return what the reason means."""
        return self.text

    FIRST = "first", "The model had no version, so there was no champion to beat."
    ADOPTED = "adopted", "The model was trained elsewhere and serves as its first version."
    BETTER = "better", "The challenger surely gains more than `gate.minimum_effect`, and no veto speaks against it."
    NO_GAIN = "no_gain", "The challenger surely gains less than `gate.minimum_effect`."
    CANNOT_TELL = "cannot_tell", "The holdout is too small to decide: too few days, rows, or rows of the rarer class."
    VETO_AUC = "veto_auc", "The challenger gains, but the AUC falls by more than `gate.vetoes.auc`."
    VETO_BRIER = "veto_brier", "The challenger gains, but the Brier score rises by more than `gate.vetoes.brier`."
    VETO_ECE = "veto_ece", "The challenger gains, but the calibration error rises by more than `gate.vetoes.ece`."
    VETO_SLICE = "veto_slice", "The challenger gains, but within a slice its loss or cost rises by more than `gate.vetoes.slices`."
    SUSPECT_UNITS = "suspect_units", "A feature's values are on another scale than at training, as if its unit had changed."
    SUSPECT_LABELS = "suspect_labels", "The newest labels cannot be learnt, or look inverted, so nothing is decided by them."
