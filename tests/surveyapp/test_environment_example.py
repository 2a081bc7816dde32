"""`.env.example` names every variable that the code reads, and no other."""

import re

from tests.deploy_check import ROOT

READS = re.compile(
    r"""(?:values\.\w+\(\s*|environ(?:\.get|\.setdefault)?[\[(]\s*|_integer\(environ,\s*)"""
    r"""["']([A-Z][A-Z0-9_]+[A-Z0-9])["']"""
)
BY_BOTOCORE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CA_BUNDLE"}
# Set by one process for another, or by AWS for a function, never by a person; or read only to be
# refused.
INTERNAL = {
    *("AWS_REGION", "DJANGO_SETTINGS_MODULE", "SURVEY_LIFELINE_FD", "TALLY_LARGE_REST", "GUNICORN_CMD_ARGS"),
    *("LAB_RUN", "DRILL_SOCKET", "DRILL_STRATEGY", "DRILL_SURVEY", "STOCK_OURS"),
}


def test_env_example_names_every_variable_that_is_read_and_no_other() -> None:
    sources = [p for folder in ("failover", "polls", "surveyapp", "deploy") for p in (ROOT / folder).rglob("*.py")]
    read = {name for path in sources for name in READS.findall(path.read_text())} - INTERNAL
    example = (ROOT / ".env.example").read_text()
    assert read | BY_BOTOCORE == set(re.findall(r"^([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
