"""A mistake in a survey that an author wrote: a sentence for people, and its place in the survey
JSON.
"""

from dataclasses import dataclass

from django.utils.translation import gettext as _


@dataclass(frozen=True)
class Mistake:
    """One mistake. `what` is a sentence. `question` is the number of the question that it is about,
    counted from 1 (0: the survey itself), `option` the number of that question's option (0: no
    option), `field` the name of the property in the survey JSON (empty: all of it).
    """

    what: str
    question: int = 0
    option: int = 0
    field: str = ""

    @property
    def words(self) -> str:
        """The sentence, with the question and option that it is about."""
        if not self.question:
            return self.what
        place = {"place": self.question, "option": self.option, "what": self.what}
        if not self.option:
            return _("Question %(place)d: %(what)s") % place
        return _("Question %(place)d, option %(option)d: %(what)s") % place

    @property
    def path(self) -> str:
        """The place in the survey JSON, such as questions[2].options[0].text; empty for the whole
        of it.
        """
        steps = [f"questions[{self.question - 1}]"] if self.question else []
        steps += [f"options[{self.option - 1}]"] if self.option else []
        return ".".join([*steps, self.field] if self.field else steps)

    def __str__(self) -> str:
        """For the author of the JSON: the sentence and the path."""
        return f"{self.words} ({self.path})" if self.path else self.words
