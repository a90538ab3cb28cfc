"""The registry by the ARN of a SageMaker MLflow app: signed requests, and no more rights than they need."""

import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from functions.shared.adapters.mlflow_registry import MlflowRegistry
from functions.shared.ports import TrainingRun
from infra.local.servers import listening_socket, mlflow_server, url_of
from tests.contract.template import RESOURCES

# MLflow warns of its own type hints and of its libraries.
pytestmark = pytest.mark.filterwarnings("ignore")

APP = "arn:aws:sagemaker:us-east-1:000000000000:mlflow-app/app-EXAMPLE"
PREFIX = "/api/2.0/mlflow/"
ACTIONS = {
    "GET experiments/get": "GetExperiment",
    "GET experiments/get-by-name": "GetExperimentByName",
    "POST experiments/create": "CreateExperiment",
    "POST runs/create": "CreateRun",
    "GET runs/get": "GetRun",
    "POST runs/search": "SearchRuns",
    "POST runs/update": "UpdateRun",
    "POST runs/log-batch": "LogBatch",
    "POST runs/log-metric": "LogMetric",
    "POST runs/outputs": "LogOutputs",
    "GET metrics/get-history": "GetMetricHistory",
    "POST logged-models": "LogModel",
    "GET logged-models/ID": "GetLoggedModel",
    "PATCH logged-models/ID": "FinalizeLoggedModel",
    "PATCH logged-models/ID/tags": "SetLoggedModelTags",
    "POST registered-models/create": "CreateRegisteredModel",
    "GET registered-models/get": "GetRegisteredModel",
    "POST registered-models/alias": "SetRegisteredModelAlias",
    "DELETE registered-models/alias": "DeleteRegisteredModelAlias",
    "POST registered-models/set-tag": "SetRegisteredModelTag",
    "POST model-versions/create": "CreateModelVersion",
    "GET model-versions/get": "GetModelVersion",
    "GET model-versions/search": "SearchModelVersions",
    "GET model-versions/get-download-uri": "GetDownloadURIForModelVersionArtifacts",
}
"""What each request needs, as AWS's service authorization reference names it (Amazon SageMaker with MLflow)."""

RUN = TrainingRun(
    model=LogisticRegression().fit(np.array([[0.0], [1.0]]), [0, 1]),
    parameters={"rows": "2"},
    metrics={"auc": 0.75},
    tags={"everscore.trigger": "person"},
    libraries={"scikit-learn": "1.9.1"},
)


@dataclass
class Seen:
    """Requests that came, and by what they were distinguished and signed."""

    requests: set[str] = field(default_factory=set)
    apps: set[str | None] = field(default_factory=set)
    signatures: set[str] = field(default_factory=set)

    def actions(self) -> set[str]:
        """The rights that SageMaker would have asked for."""
        return {f"sagemaker-mlflow:{ACTIONS[request]}" for request in self.requests} | {"sagemaker:CallMlflowAppApi"}


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    (folder / "tmp").mkdir()
    with listening_socket() as listener:
        server = mlflow_server(folder, listener)
        # SageMaker's server hands out addresses in S3, and clients write there themselves.
        at = server.command.index("--artifacts-destination")
        process = subprocess.Popen(
            [*server.command[:at], "--no-serve-artifacts", "--default-artifact-root", str(folder / "artifacts")],
            env=dict(server.environment),
            cwd=folder,
            stdin=server.socket,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        yield url_of(listener)
        process.terminate()
        process.wait()


@pytest.fixture
def seen(mlflow: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """What comes to an MLflow server that stands in for SageMaker's."""
    target, found = urlsplit(mlflow), Seen()

    class Noting(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = re.sub(r"/m-[0-9a-f]{32}", "/ID", urlsplit(self.path).path.removeprefix(PREFIX))
            found.requests.add(f"{self.command} {path}")
            found.apps.add(self.headers.get("x-sm-mlflow-app-arn"))
            found.signatures.add(self.headers.get("Authorization", "").split(" Credential")[0])
            connection = HTTPConnection(target.netloc, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() in {"content-type", "accept"}}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.getheader("Content-Type", "application/json"))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Noting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", APP)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield found
        server.shutdown()


def allowed(resource: str) -> set[str]:
    """Actions of one of the template's policies that concern MLflow."""
    statements = RESOURCES[resource]["Properties"]["PolicyDocument"]["Statement"]
    actions = {action for statement in statements for action in statement["Action"]}
    assert all(statement["Resource"] != "*" for statement in statements)
    return {action for action in actions if action.startswith("sagemaker")}


def test_training_asks_an_app_for_no_more_and_no_less_than_the_template_lets_it(seen: Seen) -> None:
    registry = MlflowRegistry(APP, "stack")
    run_id = registry.register("sales", "1", RUN)
    registry.attach(run_id, {"decision.json": b"{}"}, {"auc": 1.0})
    assert registry.recorded_runs("sales") == {run_id}
    registry.logged_model("models:/stack-sales/1")
    assert seen.actions() == allowed("TrainingRegistryUse")
    assert (seen.apps, seen.signatures) == ({APP}, {"AWS4-HMAC-SHA256"})


def test_release_asks_an_app_for_no_more_and_no_less_than_the_template_lets_it(seen: Seen) -> None:
    registry = MlflowRegistry(APP, "other")
    registry.register("sales", "1", RUN)
    seen.requests.clear()
    registry.set_aliases("sales", {"champion": "1", "challenger": None, "previous": "2"})
    registry.set_sequence("sales", 3)
    assert (registry.aliases("sales"), registry.sequence("sales"), registry.aliases("nobody")) == ({"champion": "1"}, 3, {})
    assert seen.actions() == allowed("ReleaseRegistryUse")


def test_two_stacks_share_an_app_since_each_registers_names_of_its_own(seen: Seen) -> None:
    one, two = MlflowRegistry(APP, "one"), MlflowRegistry(APP, "two")
    runs = [one.register("shared", "1", RUN), two.register("shared", "1", RUN)]
    assert [one.recorded_runs("shared"), two.recorded_runs("shared")] == [{runs[0]}, {runs[1]}]


def test_any_other_server_is_asked_without_the_plugins_complaints(
    mlflow: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow)
    assert MlflowRegistry(mlflow, "plain").aliases("nobody") == {}
    assert caplog.records == []
