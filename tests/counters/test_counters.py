"""The peers as data: their conventions, versions and what is installed."""

import pytest
from packaging.version import Version

import resflops
from resflops.cost import Cost
from resflops.cost.convention import CONVENTIONS
from resflops.cost.quantities import QUANTITIES
from resflops.counters import PEERS, find_peer, register_peer
from resflops.counters.installed import find_installed_version
from resflops.errors import DuplicateError, UsageError


@pytest.fixture(scope="module")
def cost():
    return resflops.count(resflops.load("resnet20"), (1, 3, 32, 32))


def test_every_peer_has_an_adapter_and_conventions_of_its_own():
    from resflops.crosschecking.adapters import ADAPTERS

    assert set(ADAPTERS) == {name for name, each in PEERS.items() if each.takes == "modules"}
    assert {name: each.ask for name, each in PEERS.items() if each.takes == "onnx"} == {
        "onnx-tool": "resflops.crosschecking.graph_files:ask_onnx_tool"
    }
    names = [convention.name for each in PEERS.values() for convention in each.conventions]
    assert len(set(names)) == len(names)
    assert set(names) == {name for name, each in CONVENTIONS.items() if each.views}


def test_every_price_stands_on_a_known_quantity():
    for convention in CONVENTIONS.values():
        charges = [
            convention.prices,
            *convention.op_prices.values(),
            *(c for view in convention.views for c in view.charges.values()),
        ]
        assert {quantity for prices in charges for quantity in prices} <= set(QUANTITIES)


@pytest.mark.parametrize("name", [name for name, each in CONVENTIONS.items() if each.views])
def test_a_cost_under_the_convention_of_a_peer_is_stored_and_read(cost, tmp_path, name):
    under = cost.under(name)
    under.save(tmp_path / "cost.json")
    read = Cost.load(tmp_path / "cost.json")
    assert read == under
    assert (read.convention, read.total) == (name, under.total)
    assert read.under("macs").total == cost.macs


def test_the_convention_of_a_peer_says_nothing_of_a_backward_pass():
    model = resflops.load("resnet20")
    with pytest.raises(UsageError, match="convention 'thop' does not define the cost of a backward pass"):
        resflops.count(model, (1, 3, 32, 32), convention="thop", backward=True)


def test_peers_are_found_in_whatever_case_and_near_names_are_offered():
    assert find_peer("deepspeed") is PEERS["DeepSpeed"]
    with pytest.raises(UsageError, match="no peer named 'torchinfos'; closest: torchinfo"):
        find_peer("torchinfos")


def test_a_name_is_given_once():
    with pytest.raises(DuplicateError, match="a peer named 'thop' exists already"):
        register_peer(PEERS["thop"])


def test_a_version_is_verified_whatever_it_was_built_for():
    torch_counter = PEERS["FlopCounterMode"]
    assert torch_counter.is_verified_with("2.15.0+cu132")
    assert not torch_counter.is_verified_with("2.5.1")
    assert not torch_counter.is_verified_with("unknown")
    assert PEERS["thop"].is_verified_with("0.1.1-2209072238")


@pytest.mark.parametrize(
    ("version", "verification"),
    [
        ("2.15.0", "verified"),
        pytest.param("2.11.0", "verified", id="between two of one edition"),
        pytest.param("2.13.7", "verified", id="between two editions"),
        ("2.15.1", "newer"),
        ("3.0", "newer"),
        ("2.5.1", "older"),
        ("a fork's", "unknown"),
    ],
)
def test_a_version_stands_to_the_verified_ones(version, verification):
    assert PEERS["FlopCounterMode"].verify(version) == verification


@pytest.mark.parametrize(
    ("name", "version", "convention"),
    [
        ("FlopCounterMode", "2.5.1", "FlopCounterMode-2.6"),
        ("FlopCounterMode", "2.8.0", "FlopCounterMode-2.6"),
        ("FlopCounterMode", "2.9.0", "FlopCounterMode-2.9"),
        ("FlopCounterMode", "2.14.1+cpu", "FlopCounterMode-2.14"),
        pytest.param("FlopCounterMode", "2.15.0a0", "FlopCounterMode", id="a pre-release"),
        ("FlopCounterMode", "2.16.0", "FlopCounterMode"),
        ("FlopCounterMode", "a fork's", "FlopCounterMode"),
        ("ultralytics-thop", "2.2.1", "ultralytics-thop-2.2.0"),
        ("fvcore", "0.1.4", "fvcore"),
        pytest.param("ptflops-aten", "2.13.0", "ptflops-aten-torch-2.9", id="torch's version decides"),
    ],
)
def test_a_version_counts_by_the_convention_of_its_edition(name, version, convention):
    assert PEERS[name].find_conventions(version)[0].name == convention


def test_an_edition_has_a_convention_for_each_figure_which_is_found_and_not_listed(cost):
    editions = [(each, edition) for each in PEERS.values() for edition in each.editions]
    assert len(editions) >= 9
    for each, edition in editions:
        assert len(edition.conventions) == len(each.conventions)
        assert edition.versions == tuple(sorted(edition.versions, key=Version))
        for convention in edition.conventions:
            assert convention.name not in CONVENTIONS
            assert cost.under(convention.name).priced_by is convention
            assert {
                quantity
                for view in convention.views
                for prices in view.charges.values()
                for quantity in prices
            } <= set(QUANTITIES)


def test_editions_follow_each_other():
    for each in PEERS.values():
        begins = [*(edition.since for edition in each.editions), *([each.since] if each.since else [])]
        assert begins == sorted(begins, key=Version)
        assert bool(each.since) == bool(each.editions)


def make_distribution(folder, name, version, text):
    """A distribution as pip leaves it, with the one file of its package named thop."""
    import base64
    import hashlib

    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text(f"thop/__init__.py,sha256={digest},{len(text)}\n{info.name}/RECORD,,\n")
    (folder / "thop").mkdir(exist_ok=True)
    (folder / "thop" / "__init__.py").write_text(text)


def test_of_two_distributions_of_one_import_name_the_one_installed_last_is_there(tmp_path, monkeypatch):
    make_distribution(tmp_path, "thop", "1.0", "one = 1\n")
    make_distribution(tmp_path, "ultralytics-thop", "2.0", "two = 22\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_installed_version(PEERS["ultralytics-thop"]) == "2.0"
    assert find_installed_version(PEERS["thop"]) is None
