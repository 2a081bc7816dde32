"""`manage.py survey` against the live lab: what it prints, one line for what is wrong, and nothing half done."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from failover import gateway
from polls.ballots import services
from polls.surveys import codes, selectors
from polls.surveys.services import survey_reveal
from polls.surveys.survey import Survey
from tests.waiting import wait_until

pytestmark = pytest.mark.lab


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("survey", *arguments, stdout=out)
    return out.getvalue().strip()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path, wired: object) -> Path:
    """A survey file with a code of its own."""
    path = tmp_path / "survey.json"
    question = {"text": "Q", "kind": "single", "options": ["a", "b"]}
    path.write_text(json.dumps({"title": "T", "code": codes.make(), "questions": [question]}))
    return path


def test_import_prints_the_code_and_may_be_repeated(file: Path):
    code = json.loads(file.read_text())["code"]
    assert run("import", str(file)) == code
    assert run("import", str(file)) == code
    assert f"{code}\topen\tround 1\tT" in run("list")


def test_another_survey_under_the_same_code_is_refused(file: Path):
    code = run("import", str(file))
    file.write_text(file.read_text().replace('"T"', '"Other"'))
    assert refused("import", str(file)) == f"A different survey has the code {code}; nothing was changed."
    assert json.loads(run("export", code))["title"] == "T"


def test_what_is_exported_can_be_imported(file: Path, tmp_path: Path):
    exported = json.loads(run("export", run("import", str(file))))
    exported["code"] = codes.make()
    copy = tmp_path / "copy.json"
    copy.write_text(json.dumps(exported))
    assert json.loads(run("export", run("import", str(copy)))) == exported


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Not valid JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"title": "T", "title": "U"}', "appears twice"),
        (b"[]", "must be a JSON object"),
        (b" " * 300_000, "larger than 200 KB"),
    ],
)
def test_a_broken_file_is_one_line(file: Path, content: bytes, words: str):
    file.write_bytes(content)
    message = refused("import", str(file))
    assert words in message
    assert "\n" not in message


def test_a_missing_file_is_one_line(file: Path):
    assert "No such file" in refused("import", str(file) + ".not")


def test_open_close_and_reset_say_what_is_so_now(survey: Survey):
    assert run("close", survey.code) == f"{survey.code}\tclosed\tround 1"
    assert run("open", survey.code.lower()) == f"{survey.code}\topen\tround 1"
    assert run("reset", survey.code) == f"{survey.code}\topen\tround 2"


@pytest.mark.parametrize("action", ["export", "open", "close", "reset", "archive"])
def test_an_unknown_code_is_one_line(wired: object, action: str):
    assert refused(action, "NOSUCH") == "no survey has the code NOSUCH"
    assert "cannot be a code" in refused(action, "?")


def test_ballots_are_exported_one_a_voter_and_raw_ones_by_replica(survey: Survey):
    for answers in ({"q1": "o1"}, {"q1": "o2"}):
        services.ballot_cast(survey=survey, voter="voter-0001", vote_id=services.name_vote(), answers=answers)
    document = json.loads(run("export", survey.code, "--ballots"))
    assert [(ballot["voter"], ballot["answers"]) for ballot in document["ballots"]] == [("voter-0001", {"q1": "o2"})]

    def replicated() -> bool:
        rows = json.loads(run("export", survey.code, "--raw", "--region", "us-west-2"))["rows"]
        return [row["answers"] for row in rows] == [{"q1": "o2"}]

    wait_until(replicated, within=10, what="the other replica has the ballot")
    assert "needs --region" in refused("export", survey.code, "--raw")
    assert "is not one of" in refused("export", survey.code, "--ballots", "--region", "eu-nowhere-1")
    assert selectors.survey_get(survey.code).value.round == document["round"]


def test_every_replica_and_what_they_are_merged_to_are_exported_in_one_reply(survey: Survey):
    voters = ["voter-0001", "voter-0002"]
    for voter in voters:
        services.ballot_cast(survey=survey, voter=voter, vote_id=services.name_vote(), answers={"q1": "o1"})

    def everywhere() -> dict[str, Any] | None:
        document = json.loads(run("export", survey.code, "--ballots", "--replicas"))
        held = {region: sorted(row["voter"] for row in rows) for region, rows in document["replicas"].items()}
        return document if held == dict.fromkeys(gateway.regions(), voters) else None

    document = wait_until(everywhere, within=10, what="every replica has the ballots")
    assert document is not None
    for region, rows in document["replicas"].items():
        assert rows == json.loads(run("export", survey.code, "--raw", "--region", region))["rows"]
    merged = json.loads(run("export", survey.code, "--ballots"))
    assert {**document, "replicas": None} == {**merged, "replicas": None}
    for arguments in (("--replicas",), ("--raw", "--replicas"), ("--ballots", "--replicas", "--region", "us-west-2")):
        assert "goes with --ballots" in refused("export", survey.code, *arguments)


def test_an_archived_survey_is_closed_and_opening_takes_it_out_again(survey: Survey):
    assert run("archive", survey.code) == f"{survey.code}\tclosed\tround 1"
    assert selectors.found_now(survey.code).survey.archived
    run("open", survey.code)
    assert not selectors.found_now(survey.code).survey.archived


def test_a_deletion_needs_the_code_twice(survey: Survey):
    told = f"deleting is for good: repeat the code with --confirm {survey.code}; nothing was changed"
    assert refused("delete", survey.code) == told
    assert refused("delete", survey.code, "--confirm", "DEMO20") == told
    assert selectors.found_now(survey.code)
    assert run("delete", survey.code, "--confirm", survey.code.lower()) == f"{survey.code}\tdeleted"
    with pytest.raises(selectors.SurveyDeleted):
        selectors.found_now(survey.code)
    assert refused("delete", survey.code, "--confirm", survey.code) == f"no survey has the code {survey.code}"


def test_a_repeated_import_leaves_what_was_revealed_and_one_that_keeps_leaves_everything(file: Path):
    raw = json.loads(file.read_text()) | {"help": "Read me", "results": "hidden"}
    file.write_text(json.dumps(raw))
    code = run("import", str(file))
    survey_reveal(code=code)
    assert run("import", str(file)) == code
    file.write_text(json.dumps(raw | {"help": "Other words"}))
    assert "different survey" in refused("import", str(file))
    assert run("import", "--keep", str(file)) == code
    assert selectors.found_now(code).survey.definition.help == "Read me"


def test_the_ballots_of_an_earlier_round_are_still_there(survey: Survey):
    services.ballot_cast(survey=survey, voter="voter-0001", vote_id=services.name_vote(), answers={"q1": "o1"})
    run("reset", survey.code)
    assert json.loads(run("export", survey.code, "--ballots"))["ballots"] == []
    past = json.loads(run("export", survey.code, "--ballots", "--round", "1"))
    assert (past["round"], [ballot["answers"] for ballot in past["ballots"]]) == (1, [{"q1": "o1"}])
    assert refused("export", survey.code, "--ballots", "--round", "3") == f"{survey.code} has the rounds 1 to 2"
    assert "needs --ballots" in refused("export", survey.code, "--round", "1")
