"""The model registry in MLflow: runs with skops pipelines, versions, aliases."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from functions.shared.adapters.user_secret import UserSecret
from functions.shared.domain.errors import AdoptionRefusedError, RegistryUnavailableError
from functions.shared.ports import ForeignModel, TrainingRun

SEQUENCE_TAG = "everscore.seq"
VERSION_TAG = "everscore.version"
"""Tag of a version: its number in the store. MLflow's own may differ, since a new server starts at 1."""

REFUSAL_TAG = "everscore.refused"
_LONGEST_TAG = 5000

_LOGGED = re.compile(r"models:/[^/]+(/[^/]+)?|runs:/[^/]+/.+")
"""URIs from which a model may be adopted; MLflow itself would fetch files from anywhere."""

_FLAVORS = {
    "xgboost": ("xgb_version", "data"),
    "lightgbm": ("lgb_version", "data"),
    "catboost": ("catboost_version", "data"),
    "sklearn": ("sklearn_version", "pickled_model"),
}
"""Per flavor of MLflow, named as the library's package: the entries for its version and the model's file."""

_BOOSTER = "lightgbm.basic.Booster"
"""MLflow logs a booster as LightGBM's own text, and estimators in other formats."""

HOW_TO_LOG = {
    "sklearn": 'mlflow.sklearn.log_model(model, name="model", serialization_format="skops", '
    "skops_trusted_types=skops.io.get_untrusted_types(data=skops.io.dumps(model)))",
    "lightgbm": 'mlflow.lightgbm.log_model(model, name="model", serialization_format="skops")',
}
"""Without the last argument, MLflow refuses to log types that it does not trust, such as scikit-learn's imputers."""

_AWAY = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"}
"""Error codes after which a retry may help; the client reports a lost connection as the first."""

_MISSING = "RESOURCE_DOES_NOT_EXIST"


class MlflowRegistry:
    """`Registry` over one MLflow server.

    Registered names begin with the stack's name, so that stacks can share a server. A server that asks for a user is shown the
    `secret` before requests.
    """

    def __init__(self, tracking_uri: str, stack: str, secret: UserSecret | None = None) -> None:
        self._tracking_uri = tracking_uri
        self._stack = stack
        self._secret = secret
        if not tracking_uri.startswith("arn:"):
            _quiet_sagemakers_plugin()

    def _name(self, model: str) -> str:
        return f"{self._stack}-{model}"

    @property
    def _client(self) -> Any:
        self._show_credentials()
        return self._connected

    @cached_property
    def _connected(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(self._tracking_uri)

    def _show_credentials(self) -> None:
        """Put user and password into the variables that MLflow reads at each request."""
        if self._secret is not None:
            os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = self._secret.user_and_password()

    def register(self, model: str, version: str, run: TrainingRun) -> str:
        """Record a run with its model, register it as a version, and return its id."""
        import mlflow

        from functions.shared.engines.skops_file import trusted_types

        mlflow.set_tracking_uri(self._tracking_uri)
        self._show_credentials()
        with _obeyed():
            mlflow.set_experiment(self._name(model))
        with _obeyed(), mlflow.start_run(tags=dict(run.tags)) as active:
            mlflow.log_params(dict(run.parameters))
            mlflow.log_metrics(dict(run.metrics))
            logged = mlflow.sklearn.log_model(
                run.model,
                name="model",
                serialization_format="skops",
                skops_trusted_types=list(trusted_types()),
                pip_requirements=[f"{name}=={version}" for name, version in run.libraries.items()],
            )
            mlflow.register_model(logged.model_uri, self._name(model), tags={VERSION_TAG: version})
        return str(active.info.run_id)

    def recorded_runs(self, model: str) -> frozenset[str]:
        """Return the ids of all runs of a model that were ever recorded here."""
        from mlflow.entities import ViewType

        with _obeyed():
            experiment = self._client.get_experiment_by_name(self._name(model))
            if experiment is None:
                return frozenset()
            found, token = set(), None
            while True:
                page = self._client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL, page_token=token)
                found |= {run.info.run_id for run in page}
                if not (token := page.token):
                    return frozenset(found)

    def attach(self, run_id: str, files: Mapping[str, bytes], metrics: Mapping[str, float]) -> None:
        """Add small files and numbers to a run."""
        with _obeyed(), TemporaryDirectory() as folder:
            for name, body in files.items():
                (Path(folder) / name).write_bytes(body)
            self._client.log_artifacts(run_id, folder)
            for name, value in metrics.items():
                self._client.log_metric(run_id, name, value)

    def logged_model(self, uri: str) -> ForeignModel:
        """Fetch a logged model's file without loading the model."""
        import mlflow
        from mlflow.exceptions import MlflowException

        if not _LOGGED.fullmatch(uri):
            message = f"{uri!r} names no model of MLflow's: write it as models:/NAME/VERSION"
            raise AdoptionRefusedError(message)
        mlflow.set_tracking_uri(self._tracking_uri)
        self._show_credentials()
        refusals: tuple[type[Exception], ...] = (MlflowException, *_of_storage())
        with TemporaryDirectory() as folder:
            try:
                with _reachable():
                    place = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
            except refusals as error:
                message = f"no model can be read at {uri!r}: {error}; write it as models:/NAME/VERSION"
                raise AdoptionRefusedError(message) from error
            if not (place / "MLmodel").is_file():
                message = f"{uri!r} is not a complete model: write it as models:/NAME/VERSION"
                raise AdoptionRefusedError(message)
            logged = mlflow.models.Model.load(str(place))
            package, version, name = _file_of(logged.flavors, uri)
            body = (place / name).read_bytes()
        return ForeignModel(f"models:/{logged.model_id}" if logged.model_id else uri, body, package, version)

    def aliases(self, model: str) -> Mapping[str, str]:
        """Return the version of each alias; empty if the model is unknown."""
        registered = self._find(model)
        if registered is None:
            return {}
        with _obeyed():
            return {alias: self._number(model, str(version)) for alias, version in registered.aliases.items()}

    def _number(self, model: str, theirs: str) -> str:
        """Convert MLflow's version number to the store's; without a tag, they are equal."""
        return str(self._client.get_model_version(self._name(model), theirs).tags.get(VERSION_TAG, theirs))

    def _theirs(self, model: str, number: str) -> str | None:
        """Convert the store's version number to MLflow's; None if MLflow lacks it."""
        from mlflow.exceptions import MlflowException

        try:
            if self._number(model, number) == number:
                return number
        except MlflowException as error:
            if error.error_code != _MISSING:
                raise
        wanted = (f"name='{self._name(model)}'", f"tags.`{VERSION_TAG}`='{number}'")
        return max((str(found.version) for found in self._client.search_model_versions(" AND ".join(wanted))), key=int, default=None)

    def set_aliases(self, model: str, wanted: Mapping[str, str | None]) -> None:
        """Set each alias to its version; remove it if the version is None or deleted."""
        with _obeyed():
            for alias, version in wanted.items():
                theirs = None if version is None else self._theirs(model, version)
                if theirs is None:
                    self._client.delete_registered_model_alias(self._name(model), alias)
                else:
                    self._client.set_registered_model_alias(self._name(model), alias, theirs)

    def sequence(self, model: str) -> int:
        """Return the release sequence that the aliases match; 0 if unset or not a number."""
        registered = self._find(model)
        written = str(registered.tags.get(SEQUENCE_TAG, "")) if registered else ""
        return int(written) if written.isascii() and written.isdecimal() else 0

    def set_sequence(self, model: str, seq: int) -> None:
        """Record that the aliases agree with this release."""
        with _obeyed():
            self._client.set_registered_model_tag(self._name(model), SEQUENCE_TAG, str(seq))

    def record_refusal(self, model: str, reason: str) -> None:
        """Show on the model's page why a request made there was refused."""
        with _obeyed():
            self._client.set_registered_model_tag(self._name(model), REFUSAL_TAG, reason[:_LONGEST_TAG])

    def _find(self, model: str) -> Any:
        from mlflow.exceptions import MlflowException

        with _obeyed():
            try:
                return self._client.get_registered_model(self._name(model))
            except MlflowException as error:
                if error.error_code == _MISSING:
                    return None
                raise


def _file_of(flavors: Mapping[str, Mapping[str, Any]], uri: str) -> tuple[str, str, str]:
    """Return the package that wrote a logged model, its version, and the file's name.

    Raises:
        AdoptionRefusedError: if its library is unknown, or its file is a pickle.
    """
    found = next((flavor for flavor in _FLAVORS if flavor in flavors), None)
    if found is None:
        message = f"{uri} is a model of {', '.join(flavors)}, not of scikit-learn, XGBoost, LightGBM or CatBoost"
        raise AdoptionRefusedError(message)
    version, file = _FLAVORS[found]
    flavor = flavors[found]
    holds_an_object = found == "sklearn" or (found == "lightgbm" and flavor.get("model_class", _BOOSTER) != _BOOSTER)
    # Without the entry it is a pickle: MLflow had no other format then.
    if holds_an_object and (format_ := flavor.get("serialization_format", "pickle")) != "skops":
        remedy = f"log it again by {HOW_TO_LOG[found]}"
        message = f"{uri} was logged as {format_}, which runs any code in it when it is loaded: {remedy}"
        raise AdoptionRefusedError(message)
    return found, flavor[version], flavor[file]


def registry_at(tracking_uri: str, stack: str, secret: str = "") -> MlflowRegistry | None:
    """Return the registry of a stack, or None if it was deployed without one.

    `secret` names the registry's user and password.
    """
    read = UserSecret(secret, RegistryUnavailableError) if secret else None
    return MlflowRegistry(tracking_uri, stack, read) if tracking_uri else None


def _quiet_sagemakers_plugin() -> None:
    """Silence its warning, per request to other servers, that an address is no ARN."""
    logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)


@contextmanager
def _reachable() -> Iterator[None]:
    """Distinguish a server that does not answer from one that refuses.

    Raises:
        RegistryUnavailableError: if the server cannot be reached or is temporarily unavailable.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code not in _AWAY:
            raise
        message = f"MLflow does not answer: {error.message}"
        raise RegistryUnavailableError(message) from error


def _of_storage() -> tuple[type[Exception], ...]:
    """Return what MLflow raises as it comes while it moves files.

    The errors of `requests` are OSErrors too.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return OSError, Boto3Error, BotoCoreError, ClientError


@contextmanager
def _obeyed() -> Iterator[None]:
    """Raise one error for all failures: rollouts continue without the registry.

    Raises:
        RegistryUnavailableError: if the server cannot be reached or refuses the request, or its files cannot be stored.
    """
    from mlflow.exceptions import MlflowException

    try:
        with _reachable():
            yield
    except MlflowException as error:
        message = f"MLflow refuses: {error.message}"
        raise RegistryUnavailableError(message) from error
    except _of_storage() as error:
        message = f"MLflow cannot store files: {error}"
        raise RegistryUnavailableError(message) from error
