"""Two instructors changed the same parts: the page with both versions side by side, and their
choices.
"""

from typing import Any

from django.contrib import admin
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from polls.builder import joining
from polls.builder.joining import ORDER, QUESTION, Conflict
from polls.builder.saving import EditConflict
from polls.surveys import definitions, reader, repairs
from polls.surveys.definitions import Definition
from polls.surveys.survey import Survey

PARTS_SALT = "polls.builder.joining.parts"


def conflict_page(
    request: HttpRequest, survey: Survey | None, conflict: EditConflict, mine: Definition, *, base: str
) -> HttpResponse:
    """The 409 page: for each part what the other one saved, what this one wants, and radio buttons."""
    joined = {
        "merged": conflict.merged,
        "conflicts": [[part.name, part.mine, part.theirs] for part in conflict.conflicts],
    }
    context = {"survey": survey, "base": base, "joined": signing.dumps(joined, salt=PARTS_SALT, compress=True)}
    return _page(request, context, list(conflict.conflicts), {}, conflict.theirs, mine)


def settle(request: HttpRequest, survey: Survey, theirs: Definition) -> Definition | HttpResponse:
    """The definition that the choices make of both versions; the page again while a choice is
    missing.

    `theirs` is the definition beside which the choices were made.
    """
    try:
        joined = signing.loads(request.POST.get("joined", ""), salt=PARTS_SALT)
    except signing.BadSignature:
        return redirect("surveys:edit", code=survey.code)
    conflicts = [Conflict(*part) for part in joined["conflicts"]]
    choices = {part.name: request.POST.get(f"choice-{place}", "") for place, part in enumerate(conflicts)}
    if any(choice not in ("mine", "theirs") for choice in choices.values()):
        mistake = _("Choose one of both for every part.")
    else:
        document = joining.assembled(joining.resolved(joined["merged"], conflicts, choices))
        try:
            return reader.parse({**document, "code": survey.code})
        except definitions.DefinitionInvalid as error:
            mistake = str(error)
    context = {
        "survey": survey,
        "base": request.POST["base"],
        "joined": request.POST["joined"],
        "mistake": mistake,
    }
    return _page(request, context, conflicts, choices, theirs, None, status=422)


def _page(
    request: HttpRequest,
    context: dict[str, Any],
    conflicts: list[Conflict],
    choices: dict[str, str],
    theirs: Definition,
    mine: Definition | None,
    *,
    status: int = 409,
) -> HttpResponse:
    texts = {question.id: question.text for side in (mine, theirs) if side for question in side.questions}
    shown = [
        {
            "name": heading(part.name, texts),
            "mine": lines(part.mine, part.name, texts),
            "theirs": lines(part.theirs, part.name, texts),
            "choice": choices.get(part.name, ""),
        }
        for part in conflicts
    ]
    return render(
        request,
        "polls/builder/conflict.html",
        {**admin.site.each_context(request), **context, "conflicts": shown},
        status=status,
    )


def heading(name: str, texts: dict[str, str]) -> str:
    """What people call a part; `texts` holds the text of each question by its id."""
    names = {**repairs.part_names(), ORDER: _("Order of the questions")}
    if name.startswith(QUESTION):
        return _("Question “%(text)s”") % {"text": texts.get(name.removeprefix(QUESTION), name)}
    return names.get(name, name)


def lines(value: Any, name: str, texts: dict[str, str]) -> list[str]:
    """A version of a part as lines for people."""
    if value is None:
        return [_("(not there)") if name.startswith(QUESTION) else _("(default)")]
    if name == ORDER:
        return [f"{place}. {texts.get(item, item)}" for place, item in enumerate(value, 1)]
    if isinstance(value, bool):
        return [_("yes") if value else _("no")]
    if not isinstance(value, dict):
        return _word(name, str(value)).splitlines()
    lines = [str(value["text"]), _("kind: %(kind)s") % {"kind": _word("kind", value["kind"])}]
    lines.append(_("an answer is required") if value["required"] else _("an answer is optional"))
    lines += [f"• {item['text'] if isinstance(item, dict) else item}" for item in value.get("options", [])]
    if "scale" in value:
        lines.append(_("scale: 1 to %(scale)d") % {"scale": value["scale"]})
    lines += [f"– {label}" for label in value.get("labels", [])]
    lines += str(value.get("help", "")).splitlines()
    return lines


def _word(name: str, value: str) -> str:
    """A choice in the words of the builder's form; any other value as it is."""
    words = {
        "kind": {
            "single": _("Choose one"),
            "multiple": _("Choose several"),
            "rating": _("Rating"),
            "text": _("Text"),
        },
        "results": {"shown": _("Voters see them at any time"), "hidden": _("Hidden until I reveal them")},
        "access": {"open": _("Whoever has the code"), "link": _("Only by voting link")},
    }
    return words.get(name, {}).get(value, value)
