"""The key of a stored trace has everything that can change the trace; changed one by one."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from resflops.sources.cache_key import find_surroundings, list_installed_folders, make_key

TRACE = ("trace", "timm/resnet18", None, None)


@pytest.fixture
def site(tmp_path):
    """A folder with two distributions installed, last changed a while ago."""
    folder = tmp_path / "site-packages"
    for name in ("torch-2.14.1.dist-info", "timm-1.0.31.dist-info", "torch", "timm"):
        (folder / name).mkdir(parents=True)
    os.utime(folder, (1_000_000_000, 1_000_000_000))
    return folder


@pytest.fixture
def project(tmp_path):
    """A current folder, where nothing is installed."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "nets.py").write_text("", encoding="utf-8")
    return folder


def key(site: Path, project: Path, **environment: str) -> str:
    return make_key(*TRACE, within=find_surroundings(path=[str(project), str(site)], environment=environment))


def upgrade(site: Path, project: Path) -> None:
    (site / "torch-2.14.1.dist-info").rename(site / "torch-2.15.0.dist-info")
    # Even if the time stays.
    os.utime(site, (1_000_000_000, 1_000_000_000))


def install(site: Path, project: Path) -> None:
    (site / "flash_attn-2.8.3.dist-info").mkdir()
    (site / "flash_attn").mkdir()


def remove(site: Path, project: Path) -> None:
    (site / "timm-1.0.31.dist-info").rmdir()


def install_again(site: Path, project: Path) -> None:
    os.utime(site, (1_000_000_001, 1_000_000_001))


def shadow(site: Path, project: Path) -> None:
    (project / "timm.py").write_text("", encoding="utf-8")


def shadow_by_a_folder(site: Path, project: Path) -> None:
    (project / "flash_attn").mkdir()


@pytest.mark.parametrize("change", [upgrade, install, remove, install_again, shadow, shadow_by_a_folder])
def test_what_is_installed_changes_the_key(site, project, change):
    before = key(site, project)
    assert key(site, project) == before
    change(site, project)
    assert key(site, project) != before


def test_what_is_not_imported_does_not_change_the_key(site, project):
    before = key(site, project)
    os.utime(project / "nets.py", (1_000_000_000, 1_000_000_000))
    (project / "costs.md").write_text("a table", encoding="utf-8")
    (project / ".cache").mkdir()
    assert key(site, project) == before


def test_the_order_and_the_folders_of_the_path_change_the_key(site, project):
    keys = {
        make_key(*TRACE, within=find_surroundings(path=map(str, path), environment={}))
        for path in ([site, project], [project, site], [site], [site, project, site.parent / "missing"])
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    "name",
    [
        "TIMM_FUSED_ATTN",
        "TORCH_LOGS",
        "TORCHVISION_TEST",
        "PYTORCH_ENABLE_MPS_FALLBACK",
        "TRANSFORMERS_OFFLINE",
        "HF_HOME",
        "USE_TORCH",
        "FLASH_ATTENTION_FORCE_BUILD",
        "XFORMERS_DISABLED",
        "CUDA_VISIBLE_DEVICES",
        "DISABLE_KERNEL_MAPPING",
    ],
)
def test_a_variable_that_the_packages_read_changes_the_key(site, project, name):
    keys = {key(site, project), key(site, project, **{name: "0"}), key(site, project, **{name: "1"})}
    assert len(keys) == 3


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGINGFACE_HUB_TOKEN", "RESFLOPS_CACHE", "COLUMNS", "HOME"])
def test_a_variable_that_changes_no_model_does_not_change_the_key(site, project, name):
    assert key(site, project, **{name: "1"}) == key(site, project)


@pytest.mark.parametrize(
    "other",
    [
        {"entry_version": 0},
        {"schema_version": 2},
        {"resflops": "0.0.9"},
        {"own_source": (0, 0, 0)},
        {"python": "3.10.0"},
        {"flags": ("2", "0", "0")},
        {"machine": ("win32",)},
    ],
    ids=lambda each: next(iter(each)),
)
def test_each_other_part_changes_the_key(other):
    here = find_surroundings()
    assert make_key(*TRACE, within=replace(here, **other)) != make_key(*TRACE, within=here)


def test_what_is_asked_for_changes_the_key():
    keys = {
        make_key(*parts)
        for parts in (
            TRACE,
            ("names", "timm/resnet18", None, None),
            ("trace", "timm/resnet34", None, None),
            ("trace", "timm/resnet18,num_classes=10", None, None),
            ("trace", "timm/resnet18", (3, 224, 224), None),
            ("trace", "timm/resnet18", (1, 3, 224, 224), None),
            ("trace", "timm/resnet18", (3, 22, 4224), None),
            ("trace", "timm/resnet18", None, "float16"),
        )
    }
    assert len(keys) == 8
    assert all(len(each) == 64 for each in keys)


def test_only_folders_with_distributions_are_installed_ones(site, project):
    assert list_installed_folders([str(project), str(site), "/nonexistent"]) == (str(site),)
