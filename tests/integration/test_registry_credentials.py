"""Servers that ask for a user, MLflow and Prometheus: each is shown what its secret holds, also after that was rotated."""

import json
import os
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

from functions.shared.adapters import user_secret
from functions.shared.adapters.mlflow_registry import registry_at
from functions.shared.adapters.remote_write import RemoteWrite
from functions.shared.adapters.user_secret import UserSecret
from functions.shared.domain.errors import RegistryUnavailableError, RemoteWriteError
from functions.shared.runtime.settings import RegistrySettings, read_settings
from tests.contract.template import FUNCTION_PROPERTIES, statements

# MLflow warns of its own type hints and of its libraries.
pytestmark = pytest.mark.filterwarnings("ignore")

NAME = "shop/mlflow"


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    with mock_aws(config={"core": {"mock_credentials": True, "passthrough": {"urls": [r"http://127\.0\.0\.1.*"]}}}):
        yield


def keep(**secret: str) -> None:
    """Create the secret, or rotate it."""
    client, text = boto3.client("secretsmanager"), json.dumps(secret)
    try:
        client.create_secret(Name=NAME, SecretString=text)
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=NAME, SecretString=text)


@pytest.fixture
def seen() -> Iterator[tuple[str, list[str | None]]]:
    """The URL of a server that knows no model and takes samples, and what it was shown."""
    shown: list[str | None] = []

    class Asking(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers.get("Authorization"))
            body = json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}).encode()
            self.send_response(404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            shown.append(self.headers.get("Authorization"))
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Asking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", shown
        server.shutdown()


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def test_a_server_is_shown_the_user_and_password_of_the_secret_also_after_it_was_rotated(
    seen: tuple[str, list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, shown = seen
    clock = [1000.0]
    monkeypatch.setattr(user_secret, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    keep(username="everscore", password="s3cret")
    registry = registry_at(url, "shop", NAME)
    assert registry is not None
    assert registry.aliases("sales") == {}
    keep(username="everscore", password="rotated")
    assert registry.aliases("sales") == {}
    clock[0] += user_secret.VALID_S
    assert registry.aliases("sales") == {}
    assert shown == [basic("everscore", "s3cret"), basic("everscore", "s3cret"), basic("everscore", "rotated")]


@pytest.mark.parametrize("secret", [None, {"user": "everscore", "password": "s3cret"}])
def test_a_secret_that_cannot_be_used_is_a_registry_that_is_away_and_stands_in_no_message(
    seen: tuple[str, list[str | None]], secret: dict[str, str] | None
) -> None:
    if secret is not None:
        keep(**secret)
    registry = registry_at(seen[0], "shop", NAME)
    assert registry is not None
    with pytest.raises(RegistryUnavailableError, match=NAME) as away:
        registry.aliases("sales")
    assert "s3cret" not in str(away.value)
    assert "MLFLOW_TRACKING_PASSWORD" not in os.environ
    assert seen[1] == []


def test_a_prometheus_is_shown_the_secrets_user_and_password_and_those_in_its_url_no_more(
    seen: tuple[str, list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, shown = seen
    clock = [1000.0]
    monkeypatch.setattr(user_secret, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    keep(username="samples", password="s3cret")
    server = RemoteWrite(url.replace("://", "://old:password@"), UserSecret(NAME, RemoteWriteError))
    server.send([], datetime.now(UTC))
    keep(username="samples", password="rotated")
    clock[0] += user_secret.VALID_S
    server.send([], datetime.now(UTC))
    assert shown == [basic("samples", "s3cret"), basic("samples", "rotated")]


def test_a_prometheus_whose_secret_cannot_be_read_gets_no_samples(seen: tuple[str, list[str | None]]) -> None:
    with pytest.raises(RemoteWriteError, match=NAME):
        RemoteWrite(seen[0], UserSecret(NAME, RemoteWriteError)).send([], datetime.now(UTC))
    assert seen[1] == []


def test_those_that_are_given_the_secrets_name_may_read_it_and_no_other_function() -> None:
    given = {name for name, function in FUNCTION_PROPERTIES.items() if "EVERSCORE_MLFLOW_SECRET" in function["Environment"]["Variables"]}
    reading = [(name, str(statement["Resource"])) for name, statement in statements() if "GetSecretValue" in str(statement["Action"])]
    assert given == {name for name, secret in reading if "${MlflowSecret}" in secret} == {"Retraining", "Release"}
    environment = {"EVERSCORE_STACK": "s", "EVERSCORE_INBOX": "i", "EVERSCORE_STORE": "s", "EVERSCORE_MLFLOW_SECRET": NAME}
    assert read_settings(RegistrySettings, environment).mlflow_secret == NAME
    variables = {name: function["Environment"]["Variables"] for name, function in FUNCTION_PROPERTIES.items()}
    given = {name for name, variable in variables.items() if variable.get("EVERSCORE_PROMETHEUS_SECRET") == {"Ref": "PrometheusSecret"}}
    assert given == {name for name, secret in reading if "${PrometheusSecret}" in secret} == {"MetricEmission"}


def test_no_password_stands_in_any_functions_configuration() -> None:
    assert "{{resolve:" not in json.dumps(FUNCTION_PROPERTIES)
