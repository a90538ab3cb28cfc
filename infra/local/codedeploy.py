"""Run the code check and receive its answers, as CodeDeploy does on AWS."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from infra.local.bridge import bridged
from infra.local.containers import ContainerFunction
from infra.local.servers import HOST
from infra.local.transformation import read_template
from infra.places import ROOT


@dataclass(frozen=True, slots=True)
class Hook:
    """The function as the template configures it, and its responses so far.

    A response is `Succeeded` or `Failed`.
    """

    function: ContainerFunction
    answers: list[str]


@contextmanager
def deployment_hook(scoring: ContainerFunction, *, lambda_endpoint: str, new_version: str) -> Iterator[Hook]:
    """Yield the template's `CodeCheck` for a container while the block runs.

    Args:
        scoring: the function whose new code is checked, in the stack whose batches are scored again.
        lambda_endpoint: a local server for Lambda's calls.
        new_version: the server's name for the new code of scoring.
    """
    properties = read_template((ROOT / "template.yaml").read_text())["Resources"]["CodeCheck"]["Properties"]
    [command] = properties["ImageConfig"]["Command"]
    answers: list[str] = []
    with _taking(answers) as codedeploy, bridged(codedeploy) as codedeploy_endpoint, bridged(lambda_endpoint) as reachable:
        environment = {
            **scoring.environment,
            "POWERTOOLS_SERVICE_NAME": "code_check",
            "EVERSCORE_NEW_VERSION": new_version,
            "EVERSCORE_SERVING": new_version,
            "EVERSCORE_CODE_CHECK": "on",
            "AWS_ENDPOINT_URL_LAMBDA": reachable,
            "AWS_ENDPOINT_URL_CODEDEPLOY": codedeploy_endpoint,
        }
        yield Hook(ContainerFunction(command, properties["MemorySize"], properties["Timeout"], environment), answers)


@contextmanager
def _taking(answers: list[str]) -> Iterator[str]:
    """Yield the URL of a server that receives the hook's responses from the SDK."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answers.append(asked["status"])
            body = json.dumps({"lifecycleEventHookExecutionId": asked["lifecycleEventHookExecutionId"]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: the caller reports the result."""

    with ThreadingHTTPServer((HOST, 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
