"""The page for annotators in a real Chromium, from a file, without a network: filled, saved, brought back."""

import json

import pytest

from tests.annotations import HOSTILE, bring_back, export, make_run, read_key
from tests.harness import CHROMIUM

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture
def config(tmp_path):
    return make_run(tmp_path / "a run")


@pytest.fixture
def visit(chromium):
    """Opens a sheet as an annotator does; whatever the page should not do is an error of the test."""
    seen, contexts = [], []

    def open_sheet(path, context=None, **options):
        if context is None:
            context = chromium.new_context(accept_downloads=True, **options)
            context.set_default_timeout(10_000)
            contexts.append(context)
        page = context.new_page()
        page.on("dialog", lambda dialog: (seen.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("console", lambda line: seen.append(f"console: {line.text}"))
        page.on("request", lambda request: None if request.url == path.as_uri() else seen.append(request.url[:80]))
        page.goto(path.as_uri())
        return page

    yield open_sheet
    for context in contexts:
        context.close()
    assert [line for line in seen if not line.startswith("blob:")] == []


def texts(page):
    return [box.inner_text() for box in page.locator(".text").all()]


def pressed(page):
    return [button.get_attribute("data-choice") for button in page.locator("[data-choice][aria-pressed=true]").all()]


def download(page, folder):
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download answers").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_two_people_fill_their_sheets_and_the_answers_become_a_figure(config, visit, tmp_path):
    """By mouse and by keyboard, with a break between; then the import."""
    _, folder = export(config, "--mixtures", "baseline", "--languages", "he", task="ratings", prompts=4)
    page = visit(folder / "annotator-1/he.html")
    assert page.get_by_role("heading", name="Item 1 of 4").is_visible()
    page.get_by_role("button", name="Excellent").click()
    page.get_by_role("button", name="Next", exact=False).first.click()
    page.get_by_role("button", name="Pass").click()
    page.get_by_label("Comment").fill("1 2 3, טוב")
    assert page.get_by_role("status").first.inner_text() == "2 of 4 answered"

    page.reload()
    assert page.get_by_role("heading", name="Item 2 of 4").is_visible()
    assert pressed(page) == ["pass"]
    assert page.get_by_label("Comment").input_value() == "1 2 3, טוב"

    page.get_by_role("button", name="Next unanswered").click()
    page.get_by_role("button", name="Fail").click()
    page.get_by_role("button", name="Next unanswered").click()
    assert not page.get_by_text("All items are answered").is_visible()
    page.get_by_role("button", name="Fail").click()
    assert page.get_by_text("All items are answered").is_visible()
    files = [download(page, tmp_path)]

    page = visit(folder / "annotator-2/he.html")
    for key in ("1", "ArrowRight", "2", "ArrowRight", "3", "ArrowRight", "3", "3", "2", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.get_by_role("heading", name="Item 3 of 4").is_visible()
    assert pressed(page) == ["fail"]
    files.append(download(page, tmp_path))
    assert [path.name for path in files] == ["he-annotator-1.json", "he-annotator-2.json"]

    status, numbers, rows = bring_back(folder, files, draw=True)
    assert status == 0
    key = read_key(folder)
    for number, answers in ((1, ["excellent", "pass", "fail", "fail"]), (2, ["excellent", "pass", "fail", "pass"])):
        sheet = next(sheet for sheet in key["sheets"].values() if sheet["annotator"] == number)
        given = {row["item"]: row["rating"] for row in rows}
        assert [given[token] for token in sheet["items"]] == answers
    assert [row["comment"] for row in rows if row["comment"]] == ["1 2 3, טוב"]
    assert [line["answered"] for line in numbers["counts"]] == [4, 4]
    assert numbers["people"][0]["n"] == 4
    assert (folder.parent / "people/distribution.png").read_bytes().startswith(b"\x89PNG")


def test_pairs_are_chosen_and_a_saved_file_comes_back_elsewhere(config, visit, tmp_path):
    _, folder = export(config, "--mixtures", "en9+he3", "--languages", "en", prompts=2, annotators=1)
    page = visit(folder / "annotator-1/en.html")
    page.keyboard.press("2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("3")
    saved = download(page, tmp_path)

    elsewhere = visit(folder / "annotator-1/en.html")
    assert elsewhere.get_by_text("0 of 2 answered").is_visible()
    elsewhere.locator("#upload").set_input_files(saved)
    elsewhere.get_by_text("was loaded; 2 of 2 items are answered").wait_for()
    assert pressed(elsewhere) == ["second"]
    _, _, rows = bring_back(folder, [download(elsewhere, tmp_path)])
    key = read_key(folder)
    sheet = next(iter(key["sheets"].values()))
    other = {"candidate": "baseline", "baseline": "candidate"}
    given = {row["item"]: row["choice"] for row in rows}
    assert [given[token] for token in sheet["items"]] == [other[key["items"][sheet["items"][0]]["first"]], "tie"]


def test_files_of_another_sheet_change_nothing(config, visit, tmp_path):
    _, folder = export(config, "--mixtures", "en9+he3", prompts=2, annotators=1)
    page = visit(folder / "annotator-1/en.html")
    page.keyboard.press("1")
    foreign = tmp_path / "foreign.json"
    for content in (json.dumps({"export": "x", "sheet": "y", "answers": []}), "{", "null"):
        foreign.write_text(content, encoding="utf-8")
        page.locator("#upload").set_input_files(foreign)
        page.get_by_role("alert").filter(has_text="nothing was changed").wait_for()
        assert pressed(page) == ["first"]


def test_keys_write_in_the_comment_and_a_second_press_takes_an_answer_back(config, visit):
    _, folder = export(config, "--mixtures", "en9+he3", prompts=2, annotators=1)
    page = visit(folder / "annotator-1/en.html")
    page.get_by_label("Comment").click()
    page.keyboard.type("1, 2")
    page.keyboard.press("ArrowRight")
    assert (pressed(page), page.get_by_label("Comment").input_value()) == ([], "1, 2")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    assert pressed(page) == ["first"]
    page.keyboard.press("1")
    assert pressed(page) == []


def test_two_windows_of_a_sheet_do_not_lose_each_others_answers(config, visit):
    _, folder = export(config, "--mixtures", "en9+he3", prompts=2, annotators=1)
    one = visit(folder / "annotator-1/en.html")
    two = visit(folder / "annotator-1/en.html", one.context)
    one.keyboard.press("1")
    two.get_by_text("1 of 2 answered").wait_for()
    two.keyboard.press("ArrowRight")
    two.keyboard.press("3")
    one.get_by_text("2 of 2 answered").wait_for()
    assert pressed(one) == ["first"]


def test_hostile_responses_are_shown_as_text(config, visit):
    """No dialog, no request, no error: the fixture says so when the test ends."""
    _, folder = export(config, "--mixtures", "untuned", "--languages", "en", task="ratings", prompts=6)
    page = visit(folder / "annotator-1/en.html")
    seen = []
    for _ in range(6):
        seen.append(texts(page)[1])
        page.keyboard.press("ArrowRight")
    assert HOSTILE in seen
    assert "(empty)" in seen
    assert page.locator("img").count() == 0


def test_hebrew_stands_on_the_right_and_says_its_language(config, visit):
    _, folder = export(config, "--mixtures", "en9+he3", "--languages", "he", prompts=2, annotators=1)
    page = visit(folder / "annotator-1/he.html")
    found = page.locator(".text").evaluate_all(
        "boxes => boxes.map(box => [box.lang, box.matches(':dir(rtl)'), getComputedStyle(box).direction])"
    )
    assert found == [["he", True, "rtl"]] * 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_nothing_is_wider_than_the_window(config, visit, width, scheme):
    _, folder = export(config, "--mixtures", "untuned", "--languages", "en", prompts=6, annotators=1)
    size = {"width": width, "height": 800}
    page = visit(folder / "annotator-1/en.html", viewport=size, color_scheme=scheme)
    for _ in range(6):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.keyboard.press("ArrowRight")
    paper, ink = page.evaluate("(style => [style.backgroundColor, style.color])(getComputedStyle(document.body))")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    assert paper != ink


def test_every_control_has_a_name(config, visit):
    _, folder = export(config, "--mixtures", "en9+he3", prompts=2, annotators=1)
    page = visit(folder / "annotator-1/en.html")
    tree = page.locator("body").aria_snapshot()
    for line in ('group "Your answer"', 'button "1 First', 'textbox "Comment', 'progressbar "Items answered"'):
        assert line in tree
    assert 'region "First response"' in tree
    assert "- button\n" not in tree
