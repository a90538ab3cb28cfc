"""What every model registry keeps to: the fake that unit tests trust, and MLflow."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
import sklearn
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError, NoCredentialsError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression

from functions.shared.adapters.mlflow_registry import HOW_TO_LOG, MlflowRegistry, registry_at
from functions.shared.domain.errors import AdoptionRefusedError, RegistryUnavailableError
from functions.shared.engines.skops_file import load_pipeline
from functions.shared.ports import Registry, TrainingRun
from tests.fakes.memory_registry import MemoryRegistry

# MLflow warns of its own type hints and of its libraries.
pytestmark = pytest.mark.filterwarnings("ignore")

FITTED = LogisticRegression().fit(np.array([[0.0], [1.0]]), [0, 1])
RUN = TrainingRun(
    model=FITTED,
    parameters={"estimator": "sklearn.linear_model.LogisticRegression", "rows": "2"},
    metrics={"auc": 0.75},
    tags={"everscore.trigger": "person"},
    libraries={"scikit-learn": "1.9.1"},
)


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An MLflow database, with artifacts next to it: `mlruns` goes to the working folder."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        yield f"sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture(params=["memory", "mlflow"])
def registry(request: pytest.FixtureRequest) -> Registry:
    if request.param == "memory":
        return MemoryRegistry()
    return MlflowRegistry(request.getfixturevalue("tracking_uri"), request.node.name.translate({ord("["): "-", ord("]"): None}))


def test_each_version_has_a_run_of_its_own_that_is_known_by_its_model(registry: Registry) -> None:
    first, second, other = (registry.register(model, number, RUN) for model, number in (("sales", "1"), ("sales", "2"), ("stock", "1")))
    assert registry.recorded_runs("sales") == {first, second} != {first, other}
    assert registry.recorded_runs("stock") == {other}
    assert registry.recorded_runs("nobody") == set()


def test_a_run_of_a_version_that_was_deleted_stays_known(registry: Registry) -> None:
    run_id = registry.register("sales", "1", RUN)
    delete(registry, "sales", "1")
    assert registry.recorded_runs("sales") == {run_id}


def test_aliases_speak_of_the_stores_numbers_whatever_a_new_registry_counts(registry: Registry) -> None:
    for number in ("7", "9", "2"):
        registry.register("sales", number, RUN)
    registry.set_aliases("sales", {"champion": "9", "challenger": "2", "previous": "1"})
    assert registry.aliases("sales") == {"champion": "9", "challenger": "2"}
    delete(registry, "sales", "2")
    assert registry.aliases("sales") == {"champion": "9"}


def test_an_unknown_model_has_no_aliases_and_no_sequence(registry: Registry) -> None:
    assert registry.aliases("nobody") == {}
    assert registry.sequence("nobody") == 0


def test_a_registered_model_has_no_aliases_until_they_are_set(registry: Registry) -> None:
    registry.register("sales", "1", RUN)
    assert registry.aliases("sales") == {}
    assert registry.sequence("sales") == 0


def test_aliases_are_set_moved_and_removed(registry: Registry) -> None:
    registry.register("sales", "1", RUN)
    registry.register("sales", "2", RUN)
    registry.set_aliases("sales", {"champion": "1", "challenger": "2", "previous": None})
    assert registry.aliases("sales") == {"champion": "1", "challenger": "2"}
    registry.set_aliases("sales", {"champion": "2", "challenger": None, "previous": "1"})
    assert registry.aliases("sales") == {"champion": "2", "previous": "1"}
    registry.set_aliases("sales", {})
    assert registry.aliases("sales") == {"champion": "2", "previous": "1"}


def test_a_version_that_was_deleted_has_no_alias_any_more_and_gets_none(registry: Registry) -> None:
    for number in ("1", "2", "3"):
        registry.register("sales", number, RUN)
    registry.set_aliases("sales", {"champion": "2", "challenger": "3", "previous": "1"})
    delete(registry, "sales", "1")
    assert registry.aliases("sales") == {"champion": "2", "challenger": "3"}
    registry.set_aliases("sales", {"champion": "3", "challenger": None, "previous": "1"})
    assert registry.aliases("sales") == {"champion": "3"}


def delete(registry: Registry, model: str, version: str) -> None:
    """A person deletes a version."""
    if isinstance(registry, MemoryRegistry):
        registry.delete(model, version)
    else:
        assert isinstance(registry, MlflowRegistry)
        registry._client.delete_model_version(registry._name(model), registry._theirs(model, version))


def test_what_was_answered_does_not_change_later(registry: Registry) -> None:
    registry.register("sales", "1", RUN)
    before = registry.aliases("sales")
    registry.set_aliases("sales", {"champion": "1"})
    assert before == {}


def test_the_sequence_is_the_last_one_set(registry: Registry) -> None:
    registry.register("sales", "1", RUN)
    registry.set_sequence("sales", 3)
    registry.set_sequence("sales", 12)
    assert registry.sequence("sales") == 12


def test_the_last_refusal_is_shown_on_the_models_page(registry: Registry) -> None:
    registry.register("sales", "1", RUN)
    registry.record_refusal("sales", "version 2 was kept out")
    registry.record_refusal("sales", "version 3 was kept out: " + 6000 * "x")
    assert refusal(registry, "sales").startswith("version 3 was kept out: xxx")


def refusal(registry: Registry, model: str) -> str:
    """What a person reads there."""
    if isinstance(registry, MemoryRegistry):
        return registry.refusal(model)
    assert isinstance(registry, MlflowRegistry)
    return str(registry._client.get_registered_model(registry._name(model)).tags["everscore.refused"])


def test_files_and_numbers_are_added_to_a_run(registry: Registry) -> None:
    run_id = registry.register("sales", "1", RUN)
    registry.attach(run_id, {"decision.json": b"{}", "snapshot.dvc": b"outs:\n"}, {"brier": 0.2})
    registry.attach(run_id, {}, {})
    files, metrics = recorded(registry, run_id)
    assert {name: files[name] for name in ("decision.json", "snapshot.dvc")} == {"decision.json": b"{}", "snapshot.dvc": b"outs:\n"}
    assert metrics == {"auc": 0.75, "brier": 0.2}


def recorded(registry: Registry, run_id: str) -> tuple[dict[str, bytes], dict[str, float]]:
    """The files and numbers that a run holds."""
    if isinstance(registry, MemoryRegistry):
        return registry.runs[run_id].files, registry.runs[run_id].metrics
    assert isinstance(registry, MlflowRegistry)
    client = registry._client
    folder = Path(client.download_artifacts(run_id, ""))
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}, client.get_run(run_id).data.metrics


# What only MLflow does


def test_versions_without_a_number_of_ours_have_mlflows(tracking_uri: str) -> None:
    registry = MlflowRegistry(tracking_uri, "before-numbers")
    registry.register("sales", "1", RUN)
    registry._client.delete_model_version_tag("before-numbers-sales", "1", "everscore.version")
    registry.set_aliases("sales", {"champion": "1"})
    assert registry.aliases("sales") == {"champion": "1"}
    registry.register("sales", "5", RUN)
    registry.set_aliases("sales", {"champion": "5", "previous": "1"})
    assert registry.aliases("sales") == {"champion": "5", "previous": "1"}


def test_a_stack_without_an_address_has_no_registry() -> None:
    assert registry_at("", "s") is None
    assert isinstance(registry_at("http://127.0.0.1:1", "s"), MlflowRegistry)


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "UNAUTHENTICATED", "INVALID_PARAMETER_VALUE", "TEMPORARILY_UNAVAILABLE"])
@pytest.mark.parametrize(
    "call",
    [
        lambda registry: registry.aliases("sales"),
        lambda registry: registry.sequence("sales"),
        lambda registry: registry.set_aliases("sales", {"champion": "1"}),
        lambda registry: registry.set_sequence("sales", 3),
        lambda registry: registry.recorded_runs("sales"),
        lambda registry: registry.attach("run", {}, {"auc": 1.0}),
    ],
)
def test_a_server_that_refuses_is_as_one_that_is_away(call: Callable[[Registry], object], code: str, tracking_uri: str) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import ErrorCode

    class Refusing:
        def __getattr__(self, name: str) -> Callable[..., object]:
            def refuse(*_arguments: object) -> object:
                raise MlflowException("no", error_code=ErrorCode.Value(code))

            return refuse

    registry = MlflowRegistry(tracking_uri, "refusing")
    registry.__dict__["_connected"] = Refusing()
    with pytest.raises(RegistryUnavailableError, match="MLflow"):
        call(registry)


@pytest.mark.parametrize(
    "error",
    [
        S3UploadFailedError("Failed to upload: AccessDenied"),
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject"),
        NoCredentialsError(),
        requests.HTTPError("413 Client Error: Request Entity Too Large"),
        OSError("no space left"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_server_whose_files_cannot_be_stored_is_as_one_that_is_away(
    error: Exception, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    def fails(*_: object, **__: object) -> object:
        raise error

    registry = MlflowRegistry(tracking_uri, "full")
    run_id = registry.register("sales", "1", RUN)
    monkeypatch.setattr(mlflow.sklearn, "log_model", fails)
    monkeypatch.setattr(mlflow.MlflowClient, "log_artifacts", fails)
    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", fails)
    with pytest.raises(RegistryUnavailableError, match="MLflow cannot store files"):
        registry.register("sales", "2", RUN)
    with pytest.raises(RegistryUnavailableError, match="MLflow cannot store files"):
        registry.attach(run_id, {"a.json": b"{}"}, {})
    with pytest.raises(AdoptionRefusedError, match="no model can be read at"):
        registry.logged_model("models:/sales/1")
    assert mlflow.active_run() is None


@pytest.mark.parametrize("written", ["", "three", "-1", "3.0", "²"])
def test_a_sequence_that_a_person_made_unreadable_counts_as_none(written: str, tracking_uri: str) -> None:
    registry = MlflowRegistry(tracking_uri, f"garbled-{written.encode().hex()}")
    registry.register("sales", "1", RUN)
    registry._client.set_registered_model_tag(registry._name("sales"), "everscore.seq", written)
    assert registry.sequence("sales") == 0
    registry.set_sequence("sales", 3)
    assert registry.sequence("sales") == 3


def test_a_model_that_was_deleted_as_a_whole_takes_no_tag(tracking_uri: str) -> None:
    with pytest.raises(RegistryUnavailableError, match="MLflow refuses"):
        MlflowRegistry(tracking_uri, "s").set_sequence("nobody", 3)


@pytest.mark.parametrize("uri", ["models:/late/1", "models:/late@best"])
def test_a_logged_model_is_fetched_as_its_file_and_named_for_good(tracking_uri: str, uri: str) -> None:
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    mlflow.sklearn.log_model(FITTED, name="model", registered_model_name="late", pip_requirements=[])
    mlflow.MlflowClient().set_registered_model_alias("late", "best", "1")
    logged = MlflowRegistry(tracking_uri, "s").logged_model(uri)
    assert np.array_equal(load_pipeline(logged.body).coef_, FITTED.coef_)
    assert (logged.package, logged.version) == ("sklearn", sklearn.__version__)
    assert logged.uri.startswith("models:/m-"), "an alias or a version may come to mean another model"
    assert MlflowRegistry(tracking_uri, "s").logged_model(logged.uri) == logged


def test_a_booster_is_fetched_as_its_librarys_own_file(tracking_uri: str) -> None:
    import lightgbm
    import mlflow
    import xgboost

    rows, target = np.arange(40.0).reshape(20, 2), [0, 1] * 10
    xgb = xgboost.XGBClassifier(n_estimators=2).fit(rows, target)
    lgbm = lightgbm.LGBMClassifier(n_estimators=2, verbosity=-1).fit(rows, target)
    mlflow.set_tracking_uri(tracking_uri)
    uris = [
        mlflow.xgboost.log_model(xgb, name="a", pip_requirements=[]).model_uri,
        mlflow.xgboost.log_model(xgb.get_booster(), name="b", model_format="json", pip_requirements=[]).model_uri,
        mlflow.lightgbm.log_model(lgbm.booster_, name="c", pip_requirements=[]).model_uri,
    ]
    fetched = [MlflowRegistry(tracking_uri, "s").logged_model(uri) for uri in uris]
    ours = ("xgboost", xgboost.__version__)
    assert [(model.package, model.version) for model in fetched] == [ours, ours, ("lightgbm", lightgbm.__version__)]
    for model in fetched[:2]:
        booster = xgboost.Booster(model_file=bytearray(model.body))
        assert np.array_equal(booster.inplace_predict(rows), xgb.predict_proba(rows)[:, 1])
    assert fetched[2].body == lgbm.booster_.model_to_string().encode()
    whole = mlflow.lightgbm.log_model(lgbm, name="d", pip_requirements=[], serialization_format="skops").model_uri
    assert load_pipeline(MlflowRegistry(tracking_uri, "s").logged_model(whole).body).predict(rows).tolist() == lgbm.predict(rows).tolist()
    pickled = mlflow.lightgbm.log_model(lgbm, name="e", pip_requirements=[], serialization_format="cloudpickle").model_uri
    with pytest.raises(AdoptionRefusedError, match=r"logged as cloudpickle.*mlflow\.lightgbm\.log_model"):
        MlflowRegistry(tracking_uri, "s").logged_model(pickled)


@pytest.mark.parametrize("format_", ["pickle", "cloudpickle"])
def test_a_pickled_pipeline_is_refused_with_the_remedy(tracking_uri: str, format_: str) -> None:
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    logged = mlflow.sklearn.log_model(FITTED, name="model", serialization_format=format_, pip_requirements=[])
    with pytest.raises(AdoptionRefusedError, match=f'logged as {format_}.*serialization_format="skops"'):
        MlflowRegistry(tracking_uri, "s").logged_model(logged.model_uri)


def test_what_mlflow_refuses_to_log_by_itself_is_logged_by_the_call_that_the_refusal_names(tracking_uri: str) -> None:
    import mlflow
    import skops.io
    from mlflow.exceptions import MlflowException

    mlflow.set_tracking_uri(tracking_uri)
    model = SimpleImputer().fit([[1.0], [2.0]])
    with pytest.raises(MlflowException, match=r"references untrusted types.*numpy\.dtype"):
        mlflow.sklearn.log_model(model, name="model", pip_requirements=[])
    call = HOW_TO_LOG["sklearn"].replace("(model,", "(model, pip_requirements=[],", 1)
    logged = eval(call, {"mlflow": mlflow, "skops": skops, "model": model})
    assert load_pipeline(MlflowRegistry(tracking_uri, "s").logged_model(logged.model_uri).body).statistics_ == [1.5]


@pytest.mark.parametrize("uri", ["models:/nobody/1", "models:/late/99", "late", "nonsense:/x", "models:/"])
def test_a_model_that_is_not_there_is_refused(tracking_uri: str, uri: str) -> None:
    with pytest.raises(AdoptionRefusedError, match="models:/NAME/VERSION"):
        MlflowRegistry(tracking_uri, "s").logged_model(uri)


def test_a_model_of_another_library_is_refused(tracking_uri: str) -> None:
    import mlflow

    class Echo(mlflow.pyfunc.PythonModel):
        def predict(self, model_input: list[str]) -> list[str]:
            return model_input

    mlflow.set_tracking_uri(tracking_uri)
    logged = mlflow.pyfunc.log_model(python_model=Echo(), name="model", pip_requirements=[])
    with pytest.raises(AdoptionRefusedError, match="a model of python_function, not of scikit-learn, XGBoost, LightGBM or CatBoost"):
        MlflowRegistry(tracking_uri, "s").logged_model(logged.model_uri)


def test_stacks_that_share_a_server_do_not_see_each_other(tracking_uri: str) -> None:
    first, second = MlflowRegistry(tracking_uri, "first"), MlflowRegistry(tracking_uri, "second")
    first.register("sales", "1", RUN)
    first.set_aliases("sales", {"champion": "1"})
    second.register("sales", "1", RUN)
    assert second.aliases("sales") == {}


def test_a_run_says_how_its_model_was_made_and_holds_it_without_pickle(tracking_uri: str) -> None:
    registry = MlflowRegistry(tracking_uri, "kept")
    run = registry._client.get_run(registry.register("sales", "1", RUN))
    assert run.data.params == RUN.parameters
    assert run.data.tags["everscore.trigger"] == "person"
    source = registry._client.get_model_version("kept-sales", "1").source
    model_id = source.rsplit("/", 1)[-1]
    folder = Path(registry._client.get_logged_model(model_id).artifact_location.removeprefix("file://"))
    assert {path.suffix for path in folder.iterdir()} >= {".skops"}
    assert not any(path.suffix in {".pkl", ".pickle", ".joblib"} for path in folder.rglob("*"))
    assert "scikit-learn==1.9.1" in (folder / "requirements.txt").read_text().split()
