"""The list of drills and reports, and the files of a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_safe

from failover.drills import drill_files as catalogue
from failover.drills.report import document, page
from failover.lab.demo.stock import ask_for

TYPES = {
    document.PAGE: "text/html; charset=utf-8",
    document.REPORT: "application/json",
    document.LEDGER: "application/x-ndjson",
    document.VERIFY: "text/x-python; charset=utf-8",
}
"""The files of a report, and what they are served as."""
SHOWN = 50
"""Reports on the page, the newest first."""


@require_GET
def drills(request: HttpRequest) -> HttpResponse:
    """What can be played, with the command for it, and what was played."""
    context = {
        **admin.site.each_context(request),
        "title": _("Drills"),
        "drills": [catalogue.load(name) for name in catalogue.names()],
        "reports": _reports(_directory())[:SHOWN],
        "files": TYPES,
    }
    return render(request, "drills/list.html", context)


@require_GET
def evidence(request: HttpRequest, name: str, file: str) -> FileResponse:
    """One file of a report, under a policy that lets a page load nothing."""
    path = _directory() / name / file
    if file not in TYPES or path.resolve().parent.parent != _directory() or not path.is_file():
        raise Http404
    reply = FileResponse(path.open("rb"), content_type=TYPES[file])
    reply["Content-Security-Policy"] = f"{page.policy()}; frame-ancestors 'none'"
    return reply


@require_safe
def stock(request: HttpRequest) -> HttpResponse:
    """Sends the browser to the single-region application; the demo starts it at the first use."""
    lab_dir = Path(settings.LAB_DIR)
    try:
        port = json.loads((lab_dir / "demo.json").read_text())["stock"]
    except (OSError, ValueError, KeyError):
        raise Http404 from None
    if port is None:
        ask_for(lab_dir)
        return render(request, "drills/starting.html")
    host = request.get_host().rpartition(":")[0] or request.get_host()
    return HttpResponseRedirect(f"http://{host}:{port}/")


def _directory() -> Path:
    return (Path(settings.LAB_DIR) / "drills").resolve()


def _reports(directory: Path) -> list[dict[str, Any]]:
    """The reports in a directory, the newest first; one that cannot be read is left out."""
    reports = []
    for path in sorted(directory.glob(f"*/{document.REPORT}"), reverse=True):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            runs = report.get("runs", [report])
            reports.append(
                {
                    "name": path.parent.name,
                    "drill": report["drill"],
                    "started_at": report["started_at"],
                    "held": document.has_held(report),
                    "strategies": ", ".join(run["strategy"] for run in runs),
                }
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return reports
