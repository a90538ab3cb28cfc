"""What Everscore must know about a library to train, store and score its models."""

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.families.inputs import Inputs
from functions.shared.engines.linear_forms import LinearForm
from functions.shared.engines.tree_forms import TreeForm

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer


def built_with(library: str, option: str) -> str:
    """Return how to have the functions' image with a library that not every one has."""
    return f"have the functions' image with {library}: everscore deploy --parameter With={option} (in a checkout: make build WITH={option})"


class Family:
    """The models of one library, behind scikit-learn's interface.

    A subclass overrides what differs for its library. Reading a pipeline's file imports the module, so the library itself may be
    imported only by methods that get a model.
    """

    backend: str
    """The name of its native engine in manifests."""
    library: str
    """The library's usual name."""
    files_hold_parameters = True
    """Whether the library's own files contain the training parameters."""
    trusted_types: tuple[str, ...] = ()
    """Types that a file may contain, in addition to those that skops trusts."""
    threaded = False
    """Whether its estimators use all processors by default; their number changes the last digits of sums."""
    jobs = "n_jobs"
    """The name of its estimators' parameter for the number of threads."""
    option = ""
    """If not every image has the library, what the template's parameter `With` calls it."""
    numbered_classes = False
    """Whether its classifiers require classes as whole numbers from 0, instead of names."""

    def how_to_have(self) -> str:
        """Return the remedy if the library is missing; empty if every image has it."""
        return built_with(self.library, self.option) if self.option else ""

    def parameters(self, made: type) -> Collection[str] | None:
        """Return an estimator class's parameter names; None if only a fit can show them."""
        raise NotImplementedError

    def arguments(self, made: type, spec: ModelSpec) -> Mapping[str, object]:
        """Return an estimator's arguments: the spec's parameters and our own defaults.

        Raises:
            TrainingError: if a parameter has an impossible value.
        """
        raise NotImplementedError

    def fitting(self) -> AbstractContextManager[None]:
        """Return a context for a fit.

        Raises:
            ValueError: in place of the library's own kinds of errors.
        """
        return nullcontext()

    def fitted(self, model: Any) -> None:
        """Remove from a fitted estimator what differs between equal fits.

        An example is the time.
        """

    def alone(self, model: Any) -> None:
        """Make an estimator without a thread parameter score in the calling thread."""

    def columns(self, model: Any, spec: ModelSpec, empty: Collection[str]) -> "ColumnTransformer":
        """Return the preprocessor of an unfitted estimator, and configure that for it.

        `empty` are features without a value in any row.
        """
        raise NotImplementedError

    def estimator_in(self, body: bytes) -> Any | None:  # noqa: ARG002 - most have none
        """Return the fitted estimator in a file of the library's format; None for others.

        Raises:
            AdoptionRefusedError: if the file cannot be loaded or its model gives no scores.
        """
        return None

    def inputs(self, model: Any) -> Inputs | None:  # noqa: ARG002 - most have none
        """Describe an estimator's columns, if its library encodes categories itself."""
        return None

    def take_codes(self, model: Any, coded: Collection[int]) -> None:
        """Make an estimator, fitted or not, accept plain numbers, with codes in `coded`."""
        raise NotImplementedError

    def linear_form(self, model: Any) -> LinearForm | None:  # noqa: ARG002 - most have none
        """Return the linear form of a fitted estimator; None if it is of no known kind.

        Raises:
            NotCompilableError: if a part of it cannot be expressed in this form.
        """
        return None

    def tree_form(self, model: Any) -> TreeForm | None:
        """Return the form of a fitted ensemble of trees; None if it is of no known kind.

        Raises:
            NotCompilableError: if a part of it cannot be expressed in this form.
        """
        raise NotImplementedError

    def check(self, model: Any) -> None:
        """Check that a fitted estimator from a file has no index outside its arrays.

        Raises:
            InvalidBundleError: if it has one.
        """
