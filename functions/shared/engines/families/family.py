"""What Everscore needs to know of a library to train its models, keep them, and score with them."""

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.families.inputs import Inputs
from functions.shared.engines.linear_forms import LinearForm
from functions.shared.engines.tree_forms import TreeForm

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer


class Family:
    """The models of one library, behind scikit-learn's interface. A family states what is otherwise with it.

    Its module is imported to read a pipeline's file, so it imports the library itself only where a model is at hand.
    """

    backend: str
    """What its native engine is called in manifests."""
    library: str
    """What people call the library."""
    files_hold_parameters = True
    """Whether the library's own files hold the parameters that a model was trained with."""
    trusted_types: tuple[str, ...] = ()
    """Types that a file may hold, beyond those that skops itself vouches for."""
    threaded = False
    """Whether its estimators take all processors unless `n_jobs` says otherwise; how many decides the last digits of their sums."""
    numbered_classes = False
    """Whether its classifiers tell classes apart by whole numbers from 0 on, whatever they are called."""

    def parameters(self, made: type) -> Collection[str] | None:
        """Names of the parameters that an estimator of this class takes; None if only fitting tells."""
        raise NotImplementedError

    def arguments(self, made: type, spec: ModelSpec) -> Mapping[str, object]:
        """What an estimator is made with: the spec's parameters, and others where the library's own defaults would not do.

        Raises:
            TrainingError: if a parameter cannot mean what it says.
        """
        raise NotImplementedError

    def fitting(self) -> AbstractContextManager[None]:
        """What a fit happens in.

        Raises:
            ValueError: for whatever the library says in a way of its own.
        """
        return nullcontext()

    def columns(self, model: Any, spec: ModelSpec, empty: Collection[str]) -> "ColumnTransformer":
        """What makes a spec's features columns that an unfitted estimator works well with; it may be told of them.

        `empty` are features without a value in any row.
        """
        raise NotImplementedError

    def estimator_in(self, body: bytes) -> Any | None:  # noqa: ARG002 - most have none
        """The fitted estimator in a file of the library's own format; None if these bytes are no such file.

        Raises:
            AdoptionRefusedError: if they are, but what they hold cannot be loaded or gives no scores.
        """
        return None

    def inputs(self, model: Any) -> Inputs | None:  # noqa: ARG002 - most have none
        """What a fitted estimator knows of its columns, where it reads categories in a way of its library's own; None elsewhere."""
        return None

    def take_codes(self, model: Any, coded: Collection[int]) -> None:
        """Have an estimator, fitted or not, take bare numbers, those in the `coded` columns for codes of categories."""
        raise NotImplementedError

    def linear_form(self, model: Any) -> LinearForm | None:  # noqa: ARG002 - most have none
        """The linear form of a fitted estimator; None if it is of no linear kind that we know.

        Raises:
            NotCompilableError: if it is, but has a part that cannot be put into this form.
        """
        return None

    def tree_form(self, model: Any) -> TreeForm | None:
        """The form of a fitted ensemble of trees; None if it is none that we know.

        Raises:
            NotCompilableError: if it is, but has a part that cannot be put into this form.
        """
        raise NotImplementedError

    def check(self, model: Any) -> None:
        """Pass if a fitted estimator from a file leads its library nowhere outside itself.

        Raises:
            InvalidBundleError: if it does.
        """
