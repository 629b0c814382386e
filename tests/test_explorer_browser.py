"""The explorer in a real Chromium, opened from a file: every way through it, hostile texts, and no mouse."""

import shutil
from urllib.parse import quote

import pytest
from pinch.__main__ import main
from pinch.rows import TranslatedRow, VerdictRow, write_rows

from tests.annotations import make_run, write_responses
from tests.harness import CHROMIUM

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

PROMPTS = [f"e{number:03}" for number in range(1, 101)]

HOSTILE = [
    "</script><script>alert(1)</script>",
    '<img src="https://example.org/x.png" onerror="alert(2)">',
    '<svg onload="alert(3)"><a href="javascript:alert(4)">x</a></svg>',
    "\u202egnippilf\u202c \u2066inner\u2069 \u202d",
    '<iframe src="https://example.org"></iframe><style>body{display:none}</style>',
    "'; window.pinch.give('index', ''); //",
    "{{ 7 * 7 }} ${alert(5)} <!-- ]]> %3Cscript%3E",
    "\x1b[2J\x00\x07 control \u2028 and \u2029 line separators \ufeff",
    '<base href="https://example.org/"><meta http-equiv="refresh" content="0;url=https://example.org">',
    "\U0001f600 תשובה بالعربية 中文 हिन्दी",
]


def said(mixture, lang, id):
    """A hundred responses: ten kinds of hostile ones, a very long one, an empty one."""
    number = PROMPTS.index(id)
    if mixture != "untuned":
        return f"תשובה של {mixture} ל-{id}, שנייה" if lang == "he" else f"A sensible answer of {mixture} to {id}."
    if number == 50:
        return "word " * 200_000  # 1 MB
    if number == 51:
        return ""
    return f"{HOSTILE[number % len(HOSTILE)]} {number}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Responses and verdicts of three training sets in two languages; English and Hebrew are their own baselines."""
    folder = tmp_path_factory.mktemp("explored") / "a run"
    config = make_run(folder)
    for lang in ("en", "he"):
        rows = [
            TranslatedRow(
                id=id,
                lang=lang,
                instruction=f"<b>שאלה</b> {id}?" if lang == "he" else f"<i>Question</i> {id}?",
                response="A reference.",
                source=f"Question {id}?",
                engine="memory" if lang == "he" else "none",
            )
            for id in PROMPTS
        ]
        write_rows(folder / f"results/translations/eval/{lang}.jsonl", rows)
        for mixture in ("en12", "he12", "en9+he3", "untuned"):
            write_responses(folder, mixture, lang, PROMPTS, said)
            if mixture != f"{lang}12":
                verdicts(folder, mixture, lang)
    assert main(["explorer", str(config)]) == 0
    return folder / "results/partial/explorer/index.html"


def verdicts(folder, mixture, lang):
    """By number: wins, losses, disagreement, ties, invalid; with a judge's words that are hostile too."""
    winners = [("candidate",) * 2, ("baseline",) * 2, ("baseline", "candidate"), ("tie",) * 2, ("invalid", "tie")]
    write_rows(
        folder / f"results/judgments/rubric/monolingual/tiny/{mixture}/d0t0/{lang}.jsonl",
        [
            VerdictRow(
                id=id, order=order, winner=winners[number % 5][place], reason=f"{HOSTILE[0]} {id}", raw=HOSTILE[1]
            )
            for number, id in enumerate(PROMPTS)
            for place, order in enumerate(("baseline_first", "candidate_first"))
        ],
    )


@pytest.fixture
def visit(chromium, run):
    """Opens the explorer at an address; dialogs, errors and requests to elsewhere are errors of the test."""
    seen, contexts = [], []

    def watch(page, root):
        page.on("dialog", lambda dialog: (seen.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("console", lambda line: seen.append(f"console: {line.text}"))
        page.on("request", lambda one: None if one.url.startswith(root) else seen.append(f"request: {one.url[:99]}"))

    def at(address="", index=run, **options):
        context = chromium.new_context(**options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        watch(page, index.parent.as_uri())
        page.goto(f"{index.as_uri()}{f'#{address}' if address else ''}")
        page.wait_for_selector("html[data-shown]")
        return page

    yield at
    for context in contexts:
        context.close()
    assert seen == []


def heading(page):
    return page.get_by_role("heading", level=1).inner_text()


def listed(page):
    return [row.inner_text() for row in page.locator("table.dataTable tbody tr").all()]


def test_from_the_heatmap_to_a_verdict_and_back(visit):
    page = visit()
    assert heading(page) == "Score"
    assert "8 of 8 cells" not in page.inner_text("main")  # two of them are another's baselines
    square = page.get_by_role("link", name="untuned, Hebrew")
    square.hover()
    assert "interval" in page.get_by_role("tooltip").inner_text()
    square.click()
    page.wait_for_selector("h1:has-text('untuned in Hebrew')")
    assert "20 wins, 40 ties, 20 losses, 20 invalid" in page.inner_text("main").replace("\n", " ")
    page.get_by_role("button", name="judge disagrees with itself (20)").click()
    assert "20 of 100 prompts" in page.inner_text("main")
    page.get_by_role("link", name="<b>שאלה</b> e003?").click()
    page.wait_for_selector("h1:has-text('Prompt 1 of 20')")
    text = page.inner_text("main")
    assert "the judge disagrees with itself" in text
    assert "</script><script>alert(1)</script> e003" in text, "the judge's words are shown"
    page.keyboard.press("j")
    page.wait_for_selector("h1:has-text('Prompt 2 of 20')")
    page.keyboard.press("k")
    page.wait_for_selector("h1:has-text('Prompt 1 of 20')")
    page.keyboard.press("u")
    page.get_by_text("20 of 100 prompts").wait_for()  # the filter is still there
    page.go_back()
    page.wait_for_selector("h1:has-text('Prompt 1 of 20')")


def test_the_explorer_that_a_run_makes(visit, finished):
    """The tiny experiment, run whole by the workflow: real responses of a model, real verdicts."""
    page = visit(index=finished.results / "explorer/index.html")
    assert "6 of 6 cells" in page.inner_text("main")
    page.get_by_role("link", name="untuned, Spanish").click()
    page.get_by_text("4 prompts").first.wait_for()
    page.locator("a.prompt").first.click()
    page.get_by_role("heading", name="Verdicts").wait_for()
    page.get_by_role("link", name="Up").click()
    page.get_by_role("link", name="Compare with another training set").click()
    page.get_by_text("the two are not of one design").wait_for()
    page.get_by_label("First training set").select_option("en12")
    page.get_by_role("heading", name="English and").wait_for()
    page.get_by_label("Second training set").select_option("en9+es3")
    page.get_by_text("The difference in all languages").wait_for()


def test_a_cell_is_searched_sorted_and_filtered(visit):
    page = visit("view=cell&set=untuned&lang=en")
    page.get_by_label("Search").fill("refresh")
    assert "10 of 100 prompts" in page.inner_text("main")
    page.get_by_label("Search").fill("")
    page.get_by_role("button", name="empty response (1)").click()
    assert "1 of 100 prompts" in page.inner_text("main")
    assert len(listed(page)) == 1 and "(empty)" in listed(page)[0]
    page.get_by_role("button", name="empty response (1)").click()
    page.get_by_label("Order").select_option("worst")
    assert all("loss" in row for row in listed(page)[:20])
    page.reload()
    page.wait_for_selector("html[data-shown]")
    page.wait_for_selector("table.dataTable tbody tr")
    assert all("loss" in row for row in listed(page)[:20]), "the address holds what was chosen"


def test_one_prompt_is_followed_down_the_training_sets_and_across_languages(visit):
    page = visit("view=prompt&set=untuned&lang=en&prompt=e007")
    page.get_by_role("link", name="This prompt in all training sets").click()
    page.wait_for_selector("table.dataTable tbody tr")
    assert [row.split("\t")[0] for row in listed(page)][-1].startswith("untuned")
    assert "A sensible answer of en9+he3 to e007." in page.inner_text("main")
    page.get_by_role("link", name="In all languages").click()
    page.wait_for_selector("h1:has-text('in all languages')")
    page.wait_for_selector("table.dataTable tbody tr")
    assert ["English" in row or "Hebrew" in row for row in listed(page)] == [True, True]


def test_two_training_sets_are_compared(visit):
    page = visit("view=compare&set=untuned&other=en9%2Bhe3&lang=he")
    assert "0.0 points on 80 prompts that are valid for both, of 100" in page.inner_text("main")
    page.get_by_label("Show").select_option("alike")
    page.get_by_label("Second training set").select_option("en12")
    page.get_by_text("English on ").wait_for()


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_texts_are_shown_as_text(visit, number):
    """No dialog, no request, no error: see `visit`."""
    page = visit(f"view=prompt&set=untuned&lang=he&prompt={PROMPTS[number]}")
    shown = page.locator(".response.candidate .text").inner_text()
    visible = [word for word in HOSTILE[number].split() if word.isascii() and word.isprintable()]
    assert all(word in shown for word in visible)
    assert page.locator(".text script, .text img, .text svg, .text iframe, main base, main style").count() == 0


def test_all_hostile_responses_in_one_list(visit):
    page = visit("view=cell&set=untuned&lang=en")
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    page.wait_for_selector(".chart svg")
    assert page.locator("main script, main img, main iframe").count() == 0


def test_a_megabyte_is_cut_until_it_is_asked_for(visit):
    page = visit(f"view=prompt&set=untuned&lang=en&prompt={PROMPTS[50]}")
    assert len(page.locator(".response.candidate .text").inner_text()) < 10_000
    page.get_by_role("button", name="Show all 1,000,000 characters").click()
    assert len(page.locator(".response.candidate .text").text_content()) == 1_000_000


def test_right_to_left_texts_run_so(visit):
    page = visit("view=prompt&set=en9%2Bhe3&lang=he&prompt=e001")
    box = page.locator(".response.candidate .text")
    assert box.get_attribute("lang") == "he"
    assert box.evaluate("(box) => getComputedStyle(box).direction") == "rtl"


VIEWS = {
    "matrix": "",
    "cell": "view=cell&set=untuned&lang=he",
    "prompt": "view=prompt&set=untuned&lang=he&prompt=e003",
    "sets": "view=sets&set=untuned&lang=he&prompt=e003",
    "languages": "view=languages&set=untuned&lang=he&prompt=e003",
    "compare": "view=compare&set=untuned&other=en12&lang=he",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(visit, view, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(VIEWS[view], color_scheme=scheme, viewport={"width": 1200, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    page.wait_for_timeout(300)
    # axe would fetch the style sheets once more, which the page's policy forbids.
    found = Axe().run(page, options={"preload": False})
    told = [
        f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
        for one in found.response["violations"]
    ]
    assert told == []


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wider_than_a_phone(visit, view):
    page = visit(VIEWS[view], viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_arrow_keys_go_from_square_to_square(visit):
    page = visit()
    page.get_by_role("link", name="untuned, Hebrew").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("untuned, English")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('untuned in English')")


def test_what_an_address_names_and_is_not_there_is_said(visit):
    page = visit("view=cell&set=klingon12&lang=en")
    assert "This run has no set klingon12" in page.get_by_role("alert").first.inner_text()
    page = visit("view=prompt&set=untuned&lang=en&prompt=" + quote("<script>alert(1)</script>"))
    assert "There is no prompt <script>alert(1)</script>" in page.get_by_role("alert").inner_text()


def test_a_data_file_that_is_gone_is_named(visit, run, tmp_path):
    copy = tmp_path / "explorer"
    shutil.copytree(run.parent, copy)
    gone = copy / "data/responses/tiny/untuned/d0t0/en.js"
    gone.write_text("", encoding="utf-8")
    page = visit("view=cell&set=untuned&lang=en", copy / "index.html")
    said = page.get_by_role("alert").inner_text()
    assert "data/responses/tiny/untuned/d0t0/en.js holds no data" in said
