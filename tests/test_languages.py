"""Languages have codes and names, and texts are recognised by them, or said to be beyond telling."""

import json
from pathlib import Path

import pytest
from pinch.languages import PAPER, SLAVIC, candidates, identify, is_code, match, name, suggestions

SEED = Path(__file__).parents[1] / "resources" / "seed"
SEED_LANGS = ["en", "es", "it", "ru", "fi", "he"]
ALLOWED = candidates(SEED_LANGS)


def seed_texts(lang, field):
    files = [
        SEED / (f"{split}.en.jsonl" if lang == "en" else f"memory/{split}.{lang}.jsonl") for split in ("train", "eval")
    ]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").split("\n") if line]
    return [json.loads(line)[field] for line in lines]


# --- codes and names ---


@pytest.mark.parametrize("code", [*PAPER, *SLAVIC, "gsw", "no", "nb", "yue"])
def test_codes_are_known(code):
    assert is_code(code)


@pytest.mark.parametrize("word", ["xx", "spanish", "ES", "es-ES", "e", "", "zzz"])
def test_other_words_are_no_codes(word):
    assert not is_code(word)


@pytest.mark.parametrize(("code", "english"), [("es", "Spanish"), ("zh", "Chinese"), ("gsw", "Swiss German")])
def test_languages_are_named_in_english(code, english):
    assert name(code) == english


def test_every_name_of_the_paper_is_in_ascii():
    assert [code for code in (*PAPER, *SLAVIC) if not name(code).isascii() or name(code) == code] == []


@pytest.mark.parametrize(
    ("word", "codes"),
    [
        ("spanish", ["es"]),
        ("Swahili", ["sw"]),
        ("RUSSIAN", ["ru"]),
        ("fin", ["fi"]),
        ("spa", ["es"]),
        ("eng", ["en"]),
        ("es_ES", ["es"]),
        ("EN", ["en"]),
    ],
)
def test_what_somebody_may_have_meant(word, codes):
    assert suggestions(word) == codes


def test_nothing_is_suggested_for_nonsense():
    assert suggestions("zzzzzzzz") == []


# --- identification ---


@pytest.mark.parametrize("lang", SEED_LANGS)
def test_every_response_of_the_seed_is_recognised(lang):
    texts = seed_texts(lang, "response")
    assert len(texts) >= 64 + 24
    assert [text for text in texts if match(text, lang, ALLOWED) != "right"] == []


@pytest.mark.parametrize("lang", SEED_LANGS)
def test_no_instruction_of_the_seed_is_mistaken_and_few_are_beyond_telling(lang):
    """Instructions are shorter: of 600, four (three of them Russian) are too short to be sure of."""
    matches = [match(text, lang, ALLOWED) for text in seed_texts(lang, "instruction")]
    assert matches.count("wrong") == 0
    assert matches.count("right") >= 0.97 * len(matches)


@pytest.mark.parametrize("lang", SEED_LANGS)
def test_no_response_of_the_seed_is_taken_for_another_language(lang):
    others = [other for other in SEED_LANGS if other != lang]
    assert [text for other in others for text in seed_texts(other, "response") if identify(text, ALLOWED) == lang] == []


NEIGHBOURS = {
    "pt": [
        "Lave o arroz até a água ficar limpa e cozinhe em fogo baixo com a panela tampada.",
        "Não sei onde deixei as chaves do carro, mas acho que estão na cozinha.",
        "Para dormir melhor, evite usar o telemóvel antes de ir para a cama.",
        "A capital da França é Paris, uma cidade muito visitada por turistas.",
        "Misture iogurte natural com aveia, banana e uma colher de mel.",
    ],
    "fr": [
        "Rincez le riz jusqu'à ce que l'eau soit claire, puis faites-le cuire à feu doux.",
        "Pour mieux dormir, évitez de regarder votre téléphone avant de vous coucher.",
    ],
    "de": ["Spülen Sie den Reis, bis das Wasser klar ist, und kochen Sie ihn bei schwacher Hitze."],
    "uk": [
        "Промийте рис, доки вода не стане прозорою, і варіть на слабкому вогні під кришкою.",
        "Щоб краще спати, не користуйтеся телефоном перед сном і щовечора провітрюйте кімнату.",
    ],
    "bg": ["Измийте ориза, докато водата стане бистра, и го варете на слаб огън под капак."],
    "et": ["Loputage riisi, kuni vesi on selge, ja keetke seda kaane all madalal kuumusel."],
}


@pytest.mark.parametrize(("lang", "text"), [(lang, text) for lang, texts in NEIGHBOURS.items() for text in texts])
def test_neighbours_are_not_taken_for_languages_of_the_experiment(lang, text):
    assert identify(text, candidates(["en", "es"])) == lang


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "42",
        "Paris",
        "Sí.",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
        "x = [1, 2, 3]; print(sum(x))",
        # More than enough letters, but fewer than numbers and signs.
        "Rinse the rice with water: 12345 67890 12345 67890 12345 67890",
        "for (int i = 0; i < 10; i++) { x[i] += 1; }",
        "🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂",
    ],
)
def test_short_texts_numbers_and_code_are_beyond_telling(text):
    assert identify(text, ALLOWED) == "undetermined"
    assert match(text, "es", ALLOWED) == "undetermined"


def test_in_a_script_without_spaces_fewer_letters_are_enough():
    assert identify("今天天气很好。", ALLOWED) == "zh"
    assert identify("好。", ALLOWED) == "undetermined"


def test_a_text_in_another_language_is_wrong():
    assert match("Rinse the rice until the water runs clear.", "es", ALLOWED) == "wrong"


def test_a_language_that_the_identifier_does_not_know_is_beyond_telling():
    assert match("Rinse the rice until the water runs clear.", "gsw", candidates(["gsw"])) == "undetermined"


def test_the_candidates_hold_the_languages_of_an_experiment_and_their_neighbours():
    assert {"ja", "pt", "uk", *PAPER, *SLAVIC} <= candidates(["ja"])
    assert "ja" not in candidates()
