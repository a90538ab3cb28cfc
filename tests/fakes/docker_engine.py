"""Docker's engine as SAM asks it: it builds and pushes nothing, and notes what it was asked for."""

import io
import json
import re
import socketserver
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

IMAGE_ID = "sha256:" + "5" * 64
SIMPLE: dict[str, Any] = {
    "_ping": "OK",
    "version": {"ApiVersion": "1.47", "MinAPIVersion": "1.24", "Version": "27.0", "Os": "linux", "Arch": "amd64"},
    "info": {"ServerVersion": "27.0"},
    "auth": {"Status": "Login Succeeded"},
}
"""What it always answers, by the last part of the path."""


@dataclass(frozen=True, slots=True)
class Build:
    """An image that was asked for: its name, platform and arguments, the Dockerfile's name, and the files of the context."""

    tag: str
    platform: str
    arguments: dict[str, str]
    dockerfile: str
    files: frozenset[str]


@dataclass
class Engine:
    """What was asked for so far, the socket to ask at, and what brings an image to its repository."""

    socket: Path
    builds: list[Build] = field(default_factory=list)
    pushed: list[str] = field(default_factory=list)
    push: Callable[[str], None] = field(default=lambda _: None)

    def answer(self, method: str, path: str, asked: dict[str, str], body: bytes) -> Any:
        """What the engine answers as JSON; a list is a stream."""
        match method, re.sub(r"^/v[\d.]+", "", path).split("/")[1:]:
            case "POST", ["build"]:
                self.builds.append(_build(asked, body))
                answer: Any = [{"stream": "Step 1/1 : FROM base\n"}, {"stream": f"Successfully built {IMAGE_ID}\n"}]
            case "POST", ["images", *name, "push"]:
                self.pushed.append(f"{'/'.join(name)}:{asked['tag']}")
                self.push(self.pushed[-1])
                answer = [{"status": "Pushed", "id": "layer"}]
            case "POST", ["images", *_, "tag"]:
                answer = None
            case "GET", ["images", *name, "json"]:
                answer = {"Id": IMAGE_ID, "RepoTags": [unquote("/".join(name))], "Config": {"Labels": None}}
            case _, [*simple]:
                answer = SIMPLE["/".join(simple)]
        return answer


def _build(asked: dict[str, str], body: bytes) -> Build:
    with tarfile.open(fileobj=io.BytesIO(body)) as context:
        files = frozenset(member.name.removeprefix("./") for member in context.getmembers() if member.isfile())
    return Build(asked["t"], asked.get("platform", ""), json.loads(asked.get("buildargs", "{}")), asked["dockerfile"], files)


@contextmanager
def docker_engine(folder: Path) -> Iterator[Engine]:
    """Listen at a socket in a folder while the block runs."""
    engine = Engine(folder / "docker.sock")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        do_POST = do_HEAD = do_GET  # noqa: N815 - names that http.server asks for

        def _answer(self) -> None:
            url = urlsplit(self.path)
            asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
            answer = engine.answer(self.command, url.path, asked, self._body())
            texts = [json.dumps(line) + "\n" for line in answer] if isinstance(answer, list) else [json.dumps(answer) if answer else ""]
            sent = "".join(texts).encode()
            self.send_response(200 if answer else 201)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(sent)), "Api-Version": "1.47"}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(sent)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def address_string(self) -> str:
            return "socket"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with Server(str(engine.socket), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield engine
        server.shutdown()
