"""Intervals, tests and corrections, against other ways to the same numbers."""

from itertools import product

import numpy as np
import pytest
from pinch import inference
from pinch.inference import corrected, interval, p_against_50, p_paired, p_paired_many, proportion, smallest_difference
from scipy import stats
from statsmodels.stats.multitest import multipletests

from benchmarks import interval_coverage as simulation


def outcomes(wins, ties, losses):
    return [1.0] * wins + [0.5] * ties + [0.0] * losses


# --- intervals ---


EXTREMES = {
    "nothing but wins": outcomes(617, 0, 0),
    "nothing but losses": outcomes(0, 0, 617),
    "nothing but ties": outcomes(0, 617, 0),
    "all but one win": outcomes(99, 0, 1),
    "ties and one win": outcomes(1, 616, 0),
    "one win": [1.0],
    "one tie": [0.5],
    "one loss": [0.0],
    "a third": [1 / 3],
    "thirds": [1 / 3] * 40 + [2 / 3] * 2,
    "as many of each": outcomes(1, 1, 1),
}


@pytest.mark.parametrize("found", EXTREMES.values(), ids=EXTREMES)
def test_no_interval_is_without_width_or_leaves_out_the_score(found):
    low, high = interval(found)
    assert 0 <= low <= 100 * np.mean(found) <= high <= 100
    assert high - low > 0.1


def test_all_small_cells_have_an_interval_around_their_score():
    for wins, ties, losses in product(range(0, 24, 3), repeat=3):
        if found := outcomes(wins, ties, losses):
            low, high = interval(found, resamples=200)
            assert 0 <= low <= 100 * np.mean(found) + 1e-9 and 100 * np.mean(found) - 1e-9 <= high <= 100


def test_the_order_of_the_prompts_does_not_matter():
    found = outcomes(30, 20, 25)
    shuffled = np.random.default_rng(0).permutation(found)
    assert interval(shuffled.tolist()) == interval(found)


def test_the_same_seed_gives_the_same_interval_and_another_one_nearly_the_same():
    found = outcomes(200, 217, 200)
    first = interval(found, seed=1)
    inference._interval.cache_clear()
    assert interval(found, seed=1) == first
    assert interval(found, seed=2) != first
    assert interval(found, seed=2) == pytest.approx(first, abs=0.5)


@pytest.mark.parametrize("found", [outcomes(200, 217, 200), outcomes(40, 30, 347), [k / 6 for k in range(7)] * 60])
def test_it_is_scipys_but_for_noise_and_the_lattice(found):
    ends = stats.bootstrap((found,), np.mean, n_resamples=5000, rng=np.random.default_rng(0)).confidence_interval
    assert interval(found) == pytest.approx((100 * ends.low, 100 * ends.high), abs=0.4)


@pytest.mark.parametrize("score", [20, 35, 50, 65, 80])
def test_exact_coverage_at_100_prompts_without_ties(score):
    """Not by simulation: every number of wins with its chance."""
    wins = range(101)
    covered = [low - 1e-9 <= score <= high + 1e-9 for low, high in (interval(outcomes(k, 0, 100 - k)) for k in wins)]
    assert 0.94 <= stats.binom.pmf(wins, 100, score / 100) @ covered <= 0.96


@pytest.mark.parametrize(("wins", "losses"), [(16, 0), (0, 16), (612, 5), (9, 91)])
def test_near_the_ends_it_is_that_of_clopper_and_pearson(wins, losses):
    exact = stats.binomtest(wins, wins + losses).proportion_ci(method="exact")
    assert interval(outcomes(wins, 0, losses)) == pytest.approx((100 * exact.low, 100 * exact.high))


def test_near_all_ties_wins_and_losses_have_half_of_the_error_each():
    wins = stats.binomtest(3, 100).proportion_ci(0.975, method="exact")
    losses = stats.binomtest(2, 100).proportion_ci(0.975, method="exact")
    expected = 50 + 50 * (wins.low - losses.high), 50 + 50 * (wins.high - losses.low)
    assert interval(outcomes(3, 95, 2)) == pytest.approx(expected)


def test_the_exact_interval_takes_over_below_ten_prompts_that_differ_from_the_commonest():
    assert interval(outcomes(91, 9, 0), seed=0) == interval(outcomes(91, 9, 0), seed=1)
    assert interval(outcomes(90, 10, 0), seed=0) != interval(outcomes(90, 10, 0), seed=1)


@pytest.mark.parametrize("found", [[], [1.2], [-0.1, 0.5], [float("nan"), 1.0]])
def test_what_is_no_outcome_is_refused(found):
    with pytest.raises(ValueError, match="outcomes"):
        interval(found)


def test_a_share_has_an_exact_interval_and_none_of_nothing():
    exact = stats.binomtest(7, 40).proportion_ci(0.9, method="exact")
    assert proportion(7, 40, 0.9) == pytest.approx((100 * exact.low, 100 * exact.high))
    assert proportion(0, 10)[0] == 0 and proportion(10, 10)[1] == 100
    assert proportion(0, 0) is None


# --- tests ---


@pytest.mark.parametrize(
    ("wins", "losses", "ties", "p"),
    [
        (5, 0, 0, 2 / 32),
        (0, 5, 7, 2 / 32),
        (6, 2, 1, 2 * (1 + 8 + 28) / 256),
        (3, 3, 0, 1.0),
        (0, 0, 9, 1.0),
        (0, 0, 0, None),
    ],
)
def test_a_score_against_50_is_a_sign_test_to_which_ties_say_nothing(wins, losses, ties, p):
    assert p_against_50(wins, losses, ties) == (None if p is None else pytest.approx(p))


DIFFERENCES = [
    [1, 0.5, -0.5, 1, 0.5, 0, 1],
    [0.5, 0.5, 0.5, 0.5, 0.5, 1, 1, -1],
    [1, -1, 0.5, -0.5],
    [1 / 3, 0.5, -1 / 6, 1, 1 / 3, 2 / 3],
    [0, 0, 0],
]


@pytest.mark.parametrize("differences", DIFFERENCES)
def test_the_paired_test_goes_through_all_signs(differences):
    """As scipy's permutation test, which tries out every one of them."""
    found = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert p_paired(differences) == pytest.approx(found.pvalue)


def test_the_paired_test_of_what_is_too_much_to_try_out():
    differences = np.random.default_rng(0).choice([-1, -0.5, 0, 0.5, 1], p=[0.1, 0.2, 0.3, 0.25, 0.15], size=617)
    drawn = stats.permutation_test(
        (differences,),
        lambda x, axis: x.sum(axis=axis),
        permutation_type="samples",
        n_resamples=20000,
        rng=np.random.default_rng(0),
    )
    assert p_paired(differences) == pytest.approx(drawn.pvalue, abs=0.005)


def test_a_chance_may_be_very_small():
    assert p_paired([1.0] * 617) == pytest.approx(2.0**-616, rel=1e-6)


def test_invalid_prompts_are_left_out_of_the_paired_test():
    assert p_paired([1, float("nan"), 0.5, 1]) == p_paired([1, 0.5, 1]) == 0.25
    assert p_paired([float("nan")] * 3) is None
    assert p_paired([]) is None


def test_the_sign_of_all_differences_does_not_matter():
    for differences in DIFFERENCES:
        assert p_paired([-difference for difference in differences]) == p_paired(differences)


def test_many_comparisons_at_once():
    found = p_paired_many([[1, 0.5, 1], [float("nan")] * 3, [1, -1, 0]])
    assert found.tolist()[::2] == [p_paired([1, 0.5, 1]), 1.0]
    assert np.isnan(found[1])


def test_means_of_seven_seeds_are_tested_nearly_exactly():
    differences = np.array([3, 1, -2, 5, 7, 4, -1, 2]) / 7
    found = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert p_paired(differences) == pytest.approx(found.pvalue, abs=0.02)


# --- corrections, power ---


def test_holm_and_benjamini_hochberg_by_hand():
    # Holm: 3 * 0.01, 2 * 0.03, then at least as much; BH: 3 * 0.01, the smaller of 3 / 2 * 0.03 and 0.04, 0.04.
    p = [0.01, 0.04, None, 0.03]
    assert corrected(p, "holm") == [pytest.approx(0.03), pytest.approx(0.06), None, pytest.approx(0.06)]
    assert corrected(p, "bh") == [pytest.approx(0.03), pytest.approx(0.04), None, pytest.approx(0.04)]


@pytest.mark.parametrize(("method", "theirs"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_a_correction_is_the_textbooks(method, theirs):
    """As statsmodels has it, ties among them; it is not imported in a job because that takes half a second."""
    p = (np.random.default_rng(0).random(60) ** 4).round(2).tolist()
    assert corrected(p, method) == pytest.approx(multipletests(p, method=theirs)[1].tolist(), abs=1e-12)


@pytest.mark.parametrize("p", [[], [None, None]])
def test_where_nothing_is_tested_nothing_is_corrected(p):
    assert corrected(p, "holm") == p


@pytest.mark.parametrize(("prompts", "sd"), [(16, 40.0), (617, 40.0), (617, 20.0)])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 1413])
def test_the_smallest_difference_is_found_in_four_of_five(prompts, sd, alpha):
    """Corrected for many tests too, where statsmodels' own solver stops at half of them."""
    rng, draws = np.random.default_rng(0), 200_000
    means = rng.normal(smallest_difference(prompts, sd, alpha), sd / prompts**0.5, draws)
    errors = sd * np.sqrt(rng.chisquare(prompts - 1, draws) / (prompts - 1) / prompts)
    found = np.abs(means / errors) > stats.t.isf(alpha / 2, prompts - 1)
    assert found.mean() == pytest.approx(0.8, abs=0.005)


def test_one_prompt_shows_no_difference():
    assert smallest_difference(1, 40) == float("inf")


# --- the simulation ---


def test_chances_have_the_score_and_ties_that_were_asked_for():
    chances, ties = simulation.shares(35, 30)
    assert chances == pytest.approx([0.5, 0.3, 0.2])
    assert (chances @ [0, 0.5, 1], ties) == (pytest.approx(0.35), 30)
    assert simulation.shares(20, 60)[1] == 36


def test_findings_are_counted_by_family():
    findings = simulation.Findings([True, True, False])
    findings.add([0.04, 0.9, 0.0001])
    findings.add([0.5, None, 0.5])
    # Of the first family, uncorrected, one finding of two is false; corrected, none.
    assert findings.line() == "50.00 | 0.00 | 0.00 | 0.00 | 50.0 | 50.0"


@pytest.mark.long
@pytest.mark.parametrize("prompts", simulation.PROMPTS)
def test_intervals_cover_what_they_claim(prompts):
    """4,000 draws have a standard error of 0.34: three of them around 94 to 96."""
    rng = np.random.default_rng(1)
    for score, ties in product(simulation.SCORES, simulation.TIES):
        assert 93 <= simulation.coverage(score, ties, prompts, 4000, rng)[0] <= 97, (score, ties)


@pytest.mark.long
def test_false_findings_stay_below_the_chosen_rate():
    """2,000 families have a standard error of 0.49 at 5 %: three of them above."""
    rng = np.random.default_rng(1)
    for cells, different, shared in ((24, 0, 0.0), (24, 0, 0.5), (132, 0, 0.5), (24, 8, 0.5)):
        line = simulation.against_50(cells, different, shared, 2000, rng).split(" | ")
        _, holm, _, of_findings, *_ = (float(part) for part in line if part != "–")
        assert holm < 6.5 and of_findings < 6.5, (cells, different, shared)
    assert float(simulation.pairwise(6, 0, 100, 2000, rng).split(" | ")[1]) < 6.5
