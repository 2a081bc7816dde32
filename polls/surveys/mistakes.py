"""What is wrong with a survey as somebody wrote it: a sentence for people, and where it stands in the JSON."""

from dataclasses import dataclass

from django.utils.translation import gettext as _


@dataclass(frozen=True)
class Mistake:
    """One mistake. `what` is a sentence; `question` the number of the question that it is about (0: the survey itself),
    `option` the number of that question's option (0: none), `field` the name that the survey JSON has for what is wrong
    there (empty: all of it).
    """

    what: str
    question: int = 0
    option: int = 0
    field: str = ""

    @property
    def words(self) -> str:
        """The sentence, and which question it is about."""
        if not self.question:
            return self.what
        place = {"place": self.question, "option": self.option, "what": self.what}
        if not self.option:
            return _("Question %(place)d: %(what)s") % place
        return _("Question %(place)d, option %(option)d: %(what)s") % place

    @property
    def path(self) -> str:
        """Where it stands in the survey JSON, such as questions[2].options[0].text; empty for the whole of it."""
        steps = [f"questions[{self.question - 1}]"] if self.question else []
        steps += [f"options[{self.option - 1}]"] if self.option else []
        return ".".join([*steps, self.field] if self.field else steps)

    def __str__(self) -> str:
        """For whoever wrote the JSON: the sentence and the path."""
        return f"{self.words} ({self.path})" if self.path else self.words
