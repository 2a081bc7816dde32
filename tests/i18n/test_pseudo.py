"""The pseudo language finds what it is there for."""

import pytest
from django.utils.translation import gettext

from tests.i18n.pseudo import leftovers, marked


def test_letters_change_and_fields_tags_and_entities_stay() -> None:
    assert marked("Round %(n)s: %%") == "Ｒｏｕｎｄ %(n)s: %%"
    assert marked("<strong>Auto</strong> {ms:.1f} &amp; %s") == "<strong>Ａｕｔｏ</strong> {ms:.1f} &amp; %s"


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("<p>Send my vote</p>", ["Send my vote"]),
        ("<p>{}</p>", []),
        ('<button aria-label="Close">×</button>', ["Close"]),
        ('<img alt="QR code"><input placeholder="Code">', ["QR code", "Code"]),
        ('<div data-ago="%s s ago" data-digest="abcdef" class="card">7</div>', ["%s s ago"]),
        (
            '<meta name="description" content="A survey"><meta name="viewport" content="width=device-width">',
            ["A survey"],
        ),
        ("<title>Join – surveyapp</title>", ["Join – surveyapp"]),
        ("<script>let later</script><style>p</style><code>vote-id</code>", []),
        ('<html lang="en"><button lang="de">Deutsch</button><b>Vote</b></html>', ["Vote"]),
        ("<p>us-east-1: 2.6 ms, A B C</p>", []),
        ("<p>Ｎｏ ａｎｓｗｅｒ: timeout</p>", ["Ｎｏ ａｎｓｗｅｒ: timeout"]),
    ],
)
def test_what_went_through_no_catalogue_is_found_wherever_a_person_meets_it(html, plain, pseudo_language) -> None:
    assert leftovers(html.format(gettext("Send my vote"))) == plain
