"""The surveys of the walk, made in one go: `manage.py shell -c "from tests.browser import surveys; surveys.make()"`."""

from typing import Any

from tests.polls.clocks import in_days

HACK = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
SURVEYS: dict[str, dict[str, Any]] = {
    "WALK22": {
        "title": "Which database would you take on call?",
        "help": "Answer for **yourself**, not for your company. See [the outage](https://example.org/).",
        "questions": [
            {
                "text": "Which of these woke you up last year?",
                "kind": "multiple",
                "required": False,
                "options": ["DNS", "A certificate that had expired", LONG, "می‌خواهم بخوابم", "👩‍💻 My own release"],
            },
            {
                "text": "Have you deployed anything to two regions?",
                "kind": "single",
                "options": ["Yes, and it failed over", "Yes, and we never tried it", "Not yet"],
            },
            {"text": "How sure are you?", "kind": "rating", "scale": 10, "labels": ["Not at all", "I would bet on it"]},
            {"text": "What would you try first?", "kind": "text", "required": False, "help": "One sentence will do."},
        ],
    },
    "EMPTY2": {"title": "Nobody has voted here", "questions": [{"text": "Why?", "kind": "text"}]},
    "HIDE22": {
        "title": "A secret until the end",
        "results": "hidden",
        "questions": [{"text": "Which?", "kind": "single", "options": ["one", "two"]}],
    },
    "SHUT22": {
        "title": "It is over",
        "allow_change": False,
        "questions": [{"text": "Which?", "kind": "single", "options": ["one", "two"]}],
    },
    "LINK22": {"title": "By invitation", "access": "link", "questions": [{"text": "Why?", "kind": "text"}]},
    "LATER2": {
        "title": "Tomorrow",
        "opens_at": in_days(90),
        "questions": [{"text": "Why?", "kind": "text"}],
    },
    "HACK22": {
        "title": HACK,
        "help": f"{HACK} [click](javascript:window.hacked=1)",
        "questions": [
            {"text": HACK, "kind": "single", "help": HACK, "options": [HACK, f"{HACK}2"]},
            {"text": f"{HACK}rating", "kind": "rating", "scale": 2, "labels": [HACK, f"{HACK}3"]},
            {"text": f"{HACK}text", "kind": "text"},
        ],
    },
    "MANY22": {
        "title": "As many questions as there may be",
        "questions": [
            {
                "text": f"Question number {number} of fifty",
                "kind": "multiple",
                "required": False,
                "options": [f"Option {option} of question {number}" for option in range(1, 31 if number == 50 else 3)],
            }
            for number in range(1, 51)
        ],
    },
    "GONE22": {"title": "To be deleted", "questions": [{"text": "Why?", "kind": "text"}]},
    "KEYED2": {"title": "To be reset and deleted", "questions": [{"text": "Why?", "kind": "text"}]},
    **{
        code: {"title": "Before the split", "questions": [{"id": "q1", "text": "Why?", "kind": "text"}]}
        for code in ("SPLIT2", "KEYED3")
    },
}

BALLOTS: list[tuple[str, dict[str, Any]]] = [
    *(
        ("WALK22", {"q1": ["o1", "o3"], "q2": option, "q3": rating, "q4": text})
        for option, rating, text in [("o1", 9, "Turn DNS off"), ("o2", 4, "Ask\nsomebody"), ("o3", 7, f"={HACK}")] * 3
    ),
    ("HACK22", {"q1": "o1", "q2": 2, "q3": HACK}),
    ("HIDE22", {"q1": "o1"}),
    ("SHUT22", {"q1": "o2"}),
    ("MANY22", {"q1": ["o1", "o2"], "q50": ["o30"]}),
]


def make() -> None:
    """Every survey with its ballots; one is closed, one deleted, and two were changed on both sides of a partition."""
    from polls.ballots import services
    from polls.surveys import reader
    from polls.surveys.services import survey_close, survey_create, survey_delete

    surveys = {code: survey_create(definition=reader.parse({**raw, "code": code})) for code, raw in SURVEYS.items()}
    for number, (code, answers) in enumerate(BALLOTS):
        voter, vote_id = f"walker-{number:03}", services.name_vote()
        services.ballot_cast(survey=surveys[code], voter=voter, vote_id=vote_id, answers=answers)
    survey_close(code="SHUT22")
    survey_delete(code="GONE22")
    for code in ("SPLIT2", "KEYED3"):
        _split(code)


def _split(code: str) -> None:
    """Writes two versions, neither of which knows of the other."""
    from failover import gateway
    from polls.surveys import selectors
    from polls.surveys.merge import change, put_on
    from polls.surveys.models import SurveyRow
    from polls.surveys.packing import packed

    row = selectors.found_now(code).row
    question = SURVEYS[code]["questions"][0]
    for region, words in zip(gateway.regions(), ("the east", "the west"), strict=True):
        questions = [{**question, "required": True, "text": f"Why, asks {words}?"}]
        changed = change(row, {"title": f"As {words} wants it", "questions": questions}, now_ms=0)
        with gateway.at(region):
            own = next(iter(SurveyRow.query(code, SurveyRow.region == region, consistent_read=True)), None)
            put = put_on(own.row() if own else None, changed, region=region)
            SurveyRow(code, region, round=put.round, fields=packed(put)).put()
