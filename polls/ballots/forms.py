"""The ballot as a Django form, built from the survey's definition."""

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from failover import gateway
from polls.ballots import answers
from polls.surveys.definitions import Kind, Question
from polls.surveys.survey import Survey

PREFIX = "q_"


class AnswerField(forms.Field):
    """One question. answers.py has the rules, which the API shares; this field translates from
    HTML.
    """

    def __init__(self, question: Question, initial: Any = None) -> None:
        self.question = question
        choices = [(option.id, option.text) for option in question.choices]
        widget: forms.Widget
        match question.kind:
            case Kind.SINGLE | Kind.RATING:
                widget = forms.RadioSelect(choices=choices)
            case Kind.MULTIPLE:
                widget = forms.CheckboxSelectMultiple(choices=choices)
            case Kind.TEXT:
                widget = forms.Textarea(attrs={"rows": 4, "maxlength": answers.LONGEST_ANSWER})
        super().__init__(
            label=question.text, help_text=_hint(question), required=question.required, initial=initial, widget=widget
        )

    def to_python(self, value: Any) -> Any:
        """The answer as a client of the API would send it."""
        if self.question.kind is not Kind.RATING or not isinstance(value, str):
            return value
        number = gateway.text.whole_number(value)
        return value if number is None else number

    def validate(self, value: Any) -> None:
        """Does nothing: `clean` applies the rules of the question."""

    def clean(self, value: Any) -> Any:
        """The canonical answer, or None. Raises ValidationError with a sentence for the voter."""
        try:
            return answers.check(self.question, self.to_python(value))
        except answers.AnswerInvalid as error:
            raise forms.ValidationError(str(error), code="invalid") from error


class BallotForm(forms.Form):
    """All questions of a survey, and two fields that make a repeat harmless: the signed token and
    the vote's name.
    """

    token = forms.CharField(widget=forms.HiddenInput, required=False)
    vote_id = forms.CharField(widget=forms.HiddenInput, required=False)
    use_required_attribute = False  # our summary names every mistake at once; a browser names one

    def __init__(self, survey: Survey, *args: Any, given: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for question in survey.definition.questions:
            self.fields[PREFIX + question.id] = AnswerField(question, (given or {}).get(question.id))

    @classmethod
    def typed(cls, survey: Survey, data: QueryDict) -> "BallotForm":
        """The form with what was typed so far, not validated: no answer is a mistake before it is
        sent.
        """
        fields = {name: field for name, field in cls(survey).fields.items() if name.startswith(PREFIX)}
        given = {name: field.widget.value_from_datadict(data, {}, name) for name, field in fields.items()}
        return cls(survey, given={name.removeprefix(PREFIX): value for name, value in given.items()})

    @property
    def questions(self) -> list[forms.BoundField]:
        """The visible fields, in the survey's order."""
        return self.visible_fields()

    def written(self) -> list[tuple[str, str]]:
        """The questions that take a text, each with what was typed there, valid or not."""
        texts = [field for field in self.questions if field.field.question.kind is Kind.TEXT]  # type: ignore[attr-defined]  # an AnswerField
        return [(str(field.label), typed) for field in texts if (typed := str(field.value() or "").strip())]

    def answers(self) -> dict[str, Any]:
        """Canonical answers by question id, of a valid form."""
        return {
            name.removeprefix(PREFIX): value
            for name, value in self.cleaned_data.items()
            if name.startswith(PREFIX) and value is not None
        }


class ImportForm(forms.Form):
    """A survey as a JSON file."""

    file = forms.FileField(
        label=gettext_lazy("Survey file"), error_messages={"required": gettext_lazy("Choose a file.")}
    )


def _hint(question: Question) -> str:
    match question.kind:
        case Kind.MULTIPLE:
            return _("Choose all that apply.")
        case Kind.RATING if question.labelled:
            return ""
        case Kind.RATING if question.ends:
            low, high = question.ends
            return _("1 means “%(low)s”, %(scale)d “%(high)s”.") % {"low": low, "high": high, "scale": question.scale}
        case Kind.RATING:
            return _("1 is the lowest, %(scale)d the highest.") % {"scale": question.scale}
        case Kind.TEXT:
            return _("At most 1,000 characters.")
        case Kind.SINGLE:
            return ""
