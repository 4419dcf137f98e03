"""In the command's own process torchvision is imported without torch's compiler, and otherwise as ever."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

OWN = "from resflops.process.own_process import claim_process; claim_process()\n"
IMPORT = """
import inspect, sys
from resflops.sources.packages import import_optional
import_optional("torchvision.models", extra="torchvision")
import torch
align = sys.modules["torchvision.ops.roi_align"]
"""
COUNT = """
import sys
import msgspec
import resflops.sources
from resflops.cost.convention import MACS
from resflops.sources.counting import count_model
for name in ("resnet18", "convnext_tiny", "mvit_v1_b", "raft_small", "fasterrcnn_mobilenet_v3_large_320_fpn"):
    trace = count_model(resflops.sources.find(f"torchvision/{name}"), input_shape=None, convention=MACS).trace
    print(msgspec.json.encode(trace))
"""


def run(code, **options):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_counts_a_model_of_torchvision_without_the_compiler():
    loaded = run(
        "import sys\nfrom resflops.cli import main\n"
        "sys.argv = ['resflops', 'table', '--models', 'torchvision/resnet18', '--fresh', '--format', 'csv']\n"
        "assert main() == 0\n"
        "print(*[name for name in ('torchvision', 'torch._dynamo', 'torch._inductor') if name in sys.modules])"
    )
    assert loaded.splitlines()[-1] == "torchvision"


def test_only_the_question_is_another_than_in_the_file_and_its_answer_is_that_of_torch():
    said = run(f"""{OWN}{IMPORT}
print("torch._dynamo" in sys.modules)
lines = open(align.__file__).read()
functions = [value for value in vars(align).values() if inspect.isfunction(value)]
own = [each for each in functions if each.__module__ == align.__name__ and each.__name__ != "is_compile_supported"]
print(len(own) > 2, all(inspect.getsource(each) in lines for each in own))
print(any("resflops" in getattr(each, "__module__", "") for each in sys.meta_path))
# Asked, it loads the compiler itself.
answers = [align.is_compile_supported(device) for device in ("cpu", "cuda", "meta")]
import torch._dynamo.utils
print(torch._dynamo.utils is sys.modules["torch._dynamo.utils"])
print(answers == [torch._dynamo.utils.is_compile_supported(device) for device in ("cpu", "cuda", "meta")])
""")
    assert said.split() == ["False", "True", "True", "False", "True", "True"]


def test_a_program_that_uses_the_library_imports_torchvision_as_ever_and_has_the_same_traces():
    said = run(f"""{IMPORT}
print(align.is_compile_supported is sys.modules["torch._dynamo.utils"].is_compile_supported)
print(type(align.__loader__).__name__)
{COUNT}""")
    its_own, kind, traces = said.split("\n", 2)
    assert (its_own, kind) == ("True", "SourceFileLoader")
    assert traces == run(OWN + COUNT)


@pytest.mark.parametrize(
    "source",
    [
        "asked = 1\n",
        "from torch._dynamo.utils import is_compile_supported\nimport torch._dynamo.config\n",
        "if True:\n    from torch._dynamo.utils import is_compile_supported\n",
    ],
    ids=["without the line", "that needs more of the compiler", "with the line elsewhere"],
)
def test_a_torchvision_of_another_kind_is_left_alone(tmp_path, source):
    package = tmp_path / "torchvision" / "ops"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("from torchvision.ops import roi_align\n")
    (package.parent / "models.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "roi_align.py").write_text(source)
    # A torch of no more than is imported, since the other one takes seconds.
    compiler = tmp_path / "torch" / "_dynamo"
    compiler.mkdir(parents=True)
    for name in ("../__init__.py", "__init__.py", "config.py"):
        (compiler / name).write_text("")
    (compiler / "utils.py").write_text("def is_compile_supported(): ...\n")
    root = find_spec("resflops").submodule_search_locations[0]
    said = run(
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {root.removesuffix('resflops')!r}]\n{OWN}{IMPORT}"
        "print(type(align.__loader__).__name__)"
    )
    assert said.strip() == "SourceFileLoader"
