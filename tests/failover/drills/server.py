"""A small server of the standard library's, with a script of what it answers: the other end of a
student's wire.
"""

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SURVEY = {
    "code": "DEMO20",
    "round": 3,
    "allow_change": True,
    "questions": [
        {"id": "q1", "kind": "single", "options": [{"id": "o1"}, {"id": "o2"}]},
        {"id": "q2", "kind": "multiple", "options": [{"id": "o1"}, {"id": "o2"}, {"id": "o3"}]},
        {"id": "q3", "kind": "rating", "scale": 5},
        {"id": "q4", "kind": "text"},
    ],
}


@dataclass
class Application:
    """What each request for a vote is answered with, in turn, and then "ok".

    "ok" is a receipt, "other" a receipt for another vote, "drop" loses the reply after the vote has
    arrived; anything else is a status, its headers and its body.
    """

    script: list[Any] = field(default_factory=list)
    survey: dict[str, Any] = field(default_factory=lambda: dict(SURVEY))
    received: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def next_answer(self, body: dict[str, Any]) -> Any:
        """Remembers the body."""
        with self.lock:
            self.received.append(body)
            return self.script.pop(0) if self.script else "ok"

    def names(self) -> list[str]:
        """The vote_id of each request, in order."""
        return [body["vote_id"] for body in self.received]


def receipt(vote_id: str, number: int) -> dict[str, Any]:
    """The body of a 201."""
    attempts = [{"region": "us-east-1", "outcome": "ok", "ms": 2.0}]
    return {
        "vote_id": vote_id,
        "code": "DEMO20",
        "round": number,
        "region": "us-east-1",
        "status": "recorded",
        "attempts": attempts,
    }


@contextlib.contextmanager
def application(script: Sequence[Any] = (), **survey: Any) -> Iterator[Application]:
    """An application with this script, on a free port of loopback until the block ends."""
    app = Application(list(script), {**SURVEY, **survey})
    with served(app):
        yield app


@contextlib.contextmanager
def served(app: Application) -> Iterator[None]:
    """Runs an application on a free port of loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """A test's output is its own."""

        def do_GET(self) -> None:
            known = self.path == "/api/v1/surveys/DEMO20/"
            self.reply(200 if known else 404, app.survey if known else {"detail": "No such survey."})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            match app.next_answer(body):
                case "ok":
                    self.reply(201, receipt(body["vote_id"], app.survey["round"]))
                case "other":
                    self.reply(201, receipt("018bcfe5-6800-7000-8000-000000000000", app.survey["round"]))
                case "drop":
                    self.close_connection = True
                case status, headers, body:
                    self.reply(status, body, headers)

        def reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    app.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
