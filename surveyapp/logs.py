"""How log lines look: for people in the lab, as JSON in production. A record is one line in both.

A call that has fields gives them as the one argument, a dictionary, of a `%(name)s` message;
`event` names what happened. The line shows the message, JSON the fields too.
"""

from __future__ import annotations

import json
import logging
import logging.config
import math
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any

from django.http import HttpRequest

from failover.core.text import escaped

LONGEST = 8_000
"""Characters of one text: a client must not be able to fill the log with a long one."""


REFUSED = frozenset({400, 413, 422, 429})
"""Statuses of requests that are wrong, too large or too frequent: each is logged."""


class LineFormatter(logging.Formatter):
    """A line for people. Text that a message quotes cannot begin another line. A traceback follows
    in lines of its own.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, with what would break it escaped."""
        return escaped(super().formatMessage(record))


class JsonFormatter(logging.Formatter):
    """One JSON object per line: `at`, `level`, `logger`, `pid`, `message` and the call's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, in ASCII."""
        fields = record.args if isinstance(record.args, Mapping) else {}
        line: dict[str, Any] = {name: _plain(value) for name, value in fields.items()}
        line |= {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage()[:LONGEST],
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-LONGEST:]
        return json.dumps(line)


def _plain(value: object) -> str | int | float | bool | None:
    """The value itself if JSON has its type, otherwise as text."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)[:LONGEST]


FORMATTERS: dict[str, type[logging.Formatter]] = {"line": LineFormatter, "json": JsonFormatter}


class RouteNotPath(logging.Filter):
    """Logs the pattern of a request's address in place of its path.

    Django logs the path of a request that failed or was refused, and quotes the mistake. A path can
    hold a voting link, which is a secret, and a mistake quotes text that somebody typed. The
    pattern and the kind of refusal say enough; an error of the server also names the survey's code.

    A page that does not exist or is forbidden is no error of the server and is not logged.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrites the record of a request; returns whether it is logged."""
        request, status = getattr(record, "request", None), getattr(record, "status_code", None)
        if not isinstance(request, HttpRequest) or not isinstance(status, int):
            return True
        if record.name == "django.request" and status < 500 and status not in REFUSED:
            return False
        if not isinstance(record.args, Mapping):  # a second handler finds it rewritten
            self._rewrite(record, request, status)
        return True

    def _rewrite(self, record: logging.LogRecord, request: HttpRequest, status: int) -> None:
        match, failed = request.resolver_match, status >= 500
        what = HTTPStatus(status).phrase
        if record.name == "django.security.csrf" and isinstance(record.args, tuple):
            what = str(record.args[0]).partition(" - ")[0]  # what it quotes (an address) follows the dash
        elif record.name.startswith("django.security."):
            what = record.name.rpartition(".")[2]
        record.msg = "%(what)s: %(method)s %(route)s"
        record.args = {
            "event": "request-failed" if failed else "request-refused",
            "what": what,
            "status": status,
            "method": request.method,
            "route": match.route if match else "no such address",
            "code": str(match.kwargs.get("code", ""))[:40] if match and failed else "",
        }
        if not failed:
            record.exc_info = record.exc_text = None
        if record.name == "django.request" and not failed:  # a visitor's mistake is no one's alarm
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)


def configuration(shape: str, level: str) -> dict[str, Any]:
    """Django's LOGGING: everything to stderr, `shape` is line or json."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {name: {"()": formatter} for name, formatter in FORMATTERS.items()},
        "filters": {"route": {"()": RouteNotPath}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": shape, "filters": ["route"]}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "failover": {"level": level},
            "polls": {"level": level},
            "axes": {"level": "ERROR"},
        },
    }


def configure(settings: Mapping[str, Any]) -> None:
    """Django's LOGGING_CONFIG. As JSON, also what Python itself would write to stderr is a record."""
    logging.config.dictConfig(dict(settings))
    if settings["handlers"]["stderr"]["formatter"] == "json":
        logging.captureWarnings(True)
        sys.excepthook = _uncaught
        threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is not None and not issubclass(kind, SystemExit):
        logging.getLogger("surveyapp").critical("uncaught: %r", error, exc_info=(kind, error, trace))
