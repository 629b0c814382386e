"""ROUGE-L by the package rouge-score, with words of its own: the package's would drop all that is not ASCII."""

import unicodedata
from collections.abc import Sequence

SPACELESS = ("CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""How Unicode's names of letters begin in scripts written without spaces between words."""


class Words:
    """A tokenizer as rouge-score takes one."""

    def tokenize(self, text: str) -> list[str]:
        r"""The words of a text, casefolded; in scripts without spaces every letter is one.

        Combining marks stay with their letter: \w does not know them, and would break most words of Hindi.
        """
        words: list[str] = []
        before = "none"  # what the next character may continue: none, a word, a letter that is one
        for character in unicodedata.normalize("NFKC", text).casefold():
            category = unicodedata.category(character)
            if category == "Cf":  # invisible joiners within words
                continue
            if category[0] == "M" and before != "none":
                words[-1] += character
            elif category[0] not in "LNM":
                before = "none"
            elif unicodedata.name(character, "").startswith(SPACELESS):
                words.append(character)
                before = "letter"
            elif before == "word":
                words[-1] += character
            else:
                words.append(character)
                before = "word"
        return words


def mean_rouge_l(references: Sequence[str], responses: Sequence[str]) -> float:
    """Mean F1 of the longest common subsequences of words (Lin 2004), 0 to 1; a response without words scores 0."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], tokenizer=Words())
    scores = [
        scorer.score(reference, response)["rougeL"].fmeasure
        for reference, response in zip(references, responses, strict=True)
    ]
    return float(sum(scores) / len(scores))
