"""What medrecon writes itself is no finding; what looks like it is one."""

import pytest

from medrecon.loading import BURNED_IN
from medrecon.privacy.vocabulary import strange, vocabulary


def test_a_warning_that_names_an_attribute_is_medrecons_own():
    assert strange(BURNED_IN, vocabulary()) == []


@pytest.mark.parametrize(
    "text", ["0028,0301", "(19500101)", "(0028,03015)", "12.03.1950", "Mueller"]
)
def test_numbers_dates_and_names_are_not(text):
    assert strange(text, vocabulary())
