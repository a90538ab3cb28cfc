"""The registry on an MLflow server that asks for a user: what the template puts into the functions' environment is what it is shown."""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from functions.shared.adapters.mlflow_registry import MlflowRegistry
from tests.contract.template import FUNCTION_PROPERTIES

# MLflow warns of its own type hints and of its libraries.
pytestmark = pytest.mark.filterwarnings("ignore")

SECRET = {"username": "everscore", "password": "s3cret"}


def environment(function: str) -> dict[str, str]:
    """The registry's variables, as CloudFormation resolves them from a secret."""
    found = {}
    for name, value in FUNCTION_PROPERTIES[function]["Environment"]["Variables"].items():
        if isinstance(value, dict) and "Fn::If" in value:
            condition, reference, otherwise = value["Fn::If"]
            assert (condition, otherwise) == ("HasMlflowSecret", {"Ref": "AWS::NoValue"})
            field = reference["Fn::Sub"].removeprefix("{{resolve:secretsmanager:${MlflowSecret}:SecretString:").removesuffix("}}")
            found[name] = SECRET[field]
    return found


@pytest.fixture
def seen() -> Iterator[tuple[str, list[str | None]]]:
    """The URL of a server that knows no model, and what it was shown."""
    shown: list[str | None] = []

    class Asking(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers.get("Authorization"))
            body = json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}).encode()
            self.send_response(404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Asking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", shown
        server.shutdown()


@pytest.mark.parametrize("function", ["Retraining", "Release"])
def test_a_server_is_shown_the_user_and_password_of_the_secret(
    function: str, seen: tuple[str, list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, shown = seen
    for name, value in environment(function).items():
        monkeypatch.setenv(name, value)
    assert MlflowRegistry(url, "shop").aliases("sales") == {}
    assert shown == [f"Basic {b64encode(b'everscore:s3cret').decode()}"]


def test_no_other_function_is_given_them() -> None:
    assert {name for name in FUNCTION_PROPERTIES if environment(name)} == {"Retraining", "Release"}
