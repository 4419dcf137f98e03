"""The page of the full matrix: made from its data alone, and what the data must say."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from resflops.counters import PEERS
from resflops.crosschecking.reconciliation import CrossCheck
from resflops.models import NETWORKS
from resflops.report.crosscheck_tables import MODULE_PEERS
from resflops.report.environment import read_versions
from resflops.report.pages.crosscheck import build_document

REPORTS = Path(__file__).parents[2] / "reports"


@pytest.fixture(scope="module")
def matrix():
    return CrossCheck.load(REPORTS / "data" / "crosscheck.json")


def page(results):
    return build_document(results, made_with=read_versions()).text


def test_every_peer_has_run_on_every_built_in_network_and_is_explained(matrix):
    ours = [row for row in matrix.rows if row.model in NETWORKS]
    figures = {(each.name, using.name) for each in MODULE_PEERS.values() for using in each.conventions}
    assert {(row.model, row.peer, row.convention) for row in ours} == {
        (model, name, convention) for model in NETWORKS for name, convention in figures
    }
    assert [(row.model, row.convention) for row in ours if not row.explained or not row.verified] == []


def test_of_torchvisions_classification_models_at_least_95_percent_are_explained(matrix):
    pairs = {}
    for row in matrix.rows:
        if row.model.startswith("torchvision/"):
            pair = (row.model, row.peer)
            pairs[pair] = pairs.get(pair, True) and row.explained
    assert len(pairs) >= 80 * len(MODULE_PEERS)
    assert sum(pairs.values()) >= 0.95 * len(pairs)
    known = {name for name, each in PEERS.items() if each.limits}
    assert {peer for (_, peer), explained in pairs.items() if not explained} <= known


def test_the_causes_of_every_figure_add_up_to_its_difference(matrix):
    for row in matrix.rows:
        if row.figure is not None:
            assert row.difference == sum(cause.amount for cause in row.causes) + row.unexplained
    for row in matrix.rows:
        if row.peer_params is not None:
            causes = sum(cause.amount for cause in row.parameter_causes)
            assert row.peer_params - row.params == causes + row.unexplained_params


def test_the_report_tells_who_misses_attention_by_how_much_and_where(matrix):
    report = page(matrix)
    section = report.partition("## Who misses attention")[2].partition("\n## ")[0]
    for model in ("torchvision/vit_b_16", "torchvision/swin_t"):
        missed = {row.convention for row in matrix.rows if row.model == model
                  for cause in row.causes if cause.name == "attention not seen"}  # fmt: skip
        assert {"thop", "torchinfo"} <= missed
        assert model in section
    assert "self\\_attention" in section or "self_attention" in section


def test_a_remainder_and_a_failure_are_in_the_report(matrix):
    first, second, *rest = matrix.rows
    changed = (replace(first, unexplained=12_345), replace(second, figure=None, failure="it crashed"), *rest)
    report = page(replace(matrix, rows=changed))
    assert "+12,345" in report
    assert f"- {second.peer} on {second.model}: it crashed" in report


def test_what_is_known_of_remainders_is_said_once_for_all_peers_that_share_it(matrix):
    section = page(matrix).partition("## What is not explained")[2].partition("\n## ")[0]
    known = PEERS["calflops"].limits
    assert known == PEERS["ptflops"].limits
    assert section.count(known[0].partition("@")[0]) == 1
    assert section.count("- calflops, ptflops: ") == 1


def test_what_a_peer_said_when_it_failed_is_shown_as_it_stands(matrix):
    first, *rest = matrix.rows
    failed = replace(first, figure=None, failure="<b> in forward_*\nand more")
    assert rf"- {first.peer} on {first.model}: \<b\> in forward\_\*<br>and more" in page(
        replace(matrix, rows=(failed, *rest))
    )
