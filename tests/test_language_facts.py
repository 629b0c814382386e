"""Facts of languages: the paper's two tables, and distances that anybody would expect."""

import math

import pytest
from pinch.language_facts import facts, observed_features, typological_distance
from pinch.languages import PAPER, SLAVIC

# The paper's Table 2: language, family, script.
TABLE_2 = {
    "ar": ("Arabic", "Afro-Asiatic", "Arabic"),
    "zh": ("Chinese", "Sino-Tibetan", "Chinese"),
    "cs": ("Czech", "Indo-European", "Latin"),
    "en": ("English", "Indo-European", "Latin"),
    "et": ("Estonian", "Uralic", "Latin"),
    "fi": ("Finnish", "Uralic", "Latin"),
    "he": ("Hebrew", "Afro-Asiatic", "Hebrew"),
    "hi": ("Hindi", "Indo-European", "Devanagari"),
    "it": ("Italian", "Indo-European", "Latin"),
    "ru": ("Russian", "Indo-European", "Cyrillic"),
    "es": ("Spanish", "Indo-European", "Latin"),
    "sw": ("Swahili", "Niger-Congo", "Latin"),
}

# The paper's Table 1: language, Slavic branch, script, mutually intelligible with.
TABLE_1 = {
    "ru": ("Russian", "East Slavic", "Cyrillic", ()),
    "sr": ("Serbian", "South Slavic", "Cyrillic", ("hr",)),
    "hr": ("Croatian", "South Slavic", "Latin", ("sr",)),
    "sl": ("Slovenian", "South Slavic", "Latin", ()),
    "pl": ("Polish", "West Slavic", "Latin", ()),
    "sk": ("Slovak", "West Slavic", "Latin", ("cs",)),
    "cs": ("Czech", "West Slavic", "Latin", ("sk",)),
}


@pytest.mark.parametrize("code", PAPER)
def test_the_papers_table_2(code):
    found = facts(code)
    assert (found.name, found.family, found.script) == TABLE_2[code]


@pytest.mark.parametrize("code", SLAVIC)
def test_the_papers_table_1(code):
    found = facts(code)
    assert (found.name, found.branch, found.script, found.intelligible_with) == TABLE_1[code]
    assert found.family == "Indo-European"


@pytest.mark.parametrize(
    ("code", "family", "branch", "script"),
    [
        ("fr", "Indo-European", "Romance", "Latin"),
        ("de", "Indo-European", "Germanic", "Latin"),
        ("ja", "Japonic", "Japanese", "Japanese"),
        ("th", "Tai-Kadai", "Kam-Tai", "Thai"),
        ("yue", "Sino-Tibetan", "Sinitic", "Chinese"),
    ],
)
def test_other_languages_have_facts_too(code, family, branch, script):
    found = facts(code)
    assert (found.family, found.branch, found.script) == (family, branch, script)


def test_what_is_not_known_is_none():
    found = facts("xx")
    assert (found.name, found.family, found.branch, found.script, found.intelligible_with) == (
        "xx",
        None,
        None,
        None,
        (),
    )


def test_languages_are_as_far_from_each_other_as_readers_would_say():
    assert typological_distance("es", "it") < typological_distance("es", "en") < typological_distance("es", "zh")
    assert typological_distance("fi", "et") < typological_distance("fi", "en")
    assert typological_distance("cs", "sk") < typological_distance("cs", "hi")


def test_a_distance_is_a_share_the_same_in_both_directions():
    codes = sorted({*PAPER, *SLAVIC})
    for one in codes:
        for other in codes:
            distance = typological_distance(one, other)
            assert 0 <= distance <= 1
            assert distance == typological_distance(other, one)
            assert (distance == 0) == (one == other)


def test_there_is_no_distance_to_an_unknown_language():
    assert math.isnan(typological_distance("en", "xx"))


def test_how_much_of_a_language_is_described():
    assert observed_features("en") == 103
    # All of Slovak's features are imputed: a figure that uses them has to say so.
    assert observed_features("sk") == 0
    assert observed_features("xx") == 0
