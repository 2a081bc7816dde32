"""A small application behind the real web server. It replies with what it was handed, late or at length if asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.core.wsgi import get_wsgi_application

from tests.waiting import wait_until

get_wsgi_application()  # gunicorn's configuration loads the whole application anyway


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """`/large/N`: replies with N bytes. `/wait/FILE`: waits for that file. Replies with method, path and body."""
    body = environ["wsgi.input"].read()
    _, kind, rest = (environ["PATH_INFO"] + "/").split("/", 2)
    if kind == "large":
        reply = b"x" * int(rest.strip("/"))
    else:
        if kind == "wait":
            wait_until(Path("/" + rest.strip("/")).exists, within=60, what="the file is there")
        handed = {
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
            "body": body.decode(),
            "length": environ.get("CONTENT_LENGTH"),
            "coding": environ.get("HTTP_TRANSFER_ENCODING"),
        }
        reply = json.dumps(handed).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(reply)))])
    return [reply]
