"""LaTeX as a paper takes it in: compiled, within the width of the column, nothing lost off a page."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from resflops.cli import main
from resflops.render import find_renderer
from resflops.tables import Column, Figure, Note, Table

TWO_COLUMNS = r"\documentclass[twocolumn]{article}"
A4 = r"\documentclass[a4paper,twocolumn]{article}"
ONE_COLUMN = r"\documentclass{article}"

compiled = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex is installed")


def write_table(folder: Path, *arguments: str) -> str:
    assert main([*arguments, "--out", str(folder / "table.tex")]) in {0, 1}
    return (folder / "table.tex").read_text(encoding="utf-8")


def compile_table(folder: Path, head: str) -> str:
    """Compile a document with the table in it, and give the log; the table's comment names its packages."""
    text = (folder / "table.tex").read_text(encoding="utf-8")
    packages = re.findall(r"needs (\\usepackage\{[\w,]+\})", text)
    assert len(packages) == 1
    labels = re.findall(r"\\label\{(.*?)\}", text)
    document = [
        head,
        *packages,
        r"\begin{document}",
        *(rf"Table~\ref{{{label}}}." for label in labels),
        r"\input{table.tex}",
        r"\end{document}",
    ]
    (folder / "paper.tex").write_text("\n".join(document), encoding="utf-8")
    for _ in range(3):  # longtable settles its columns in the third run
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
            cwd=folder,
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-2000:]
    return (folder / "paper.log").read_text(encoding="utf-8", errors="replace")


def assert_nothing_is_lost(log: str, *, pages: int) -> None:
    assert "Overfull" not in log
    assert "too large" not in log  # a float that is taller than a page
    assert "undefined" not in log
    (written,) = re.findall(r"Output written on paper.pdf \((\d+) page", log.replace("\n", ""))
    assert int(written) == pages


FOUR = ["torchvision/resnet50", "torchvision/vit_b_16", "resnet34", "vgg19"]

TABLES = {
    "four models": ["table", *FOUR],
    "labels with special signs": [
        "table",
        "Ours & 50% #1_x {$y$} ~^\\=resnet34",
        "A [1]=vgg19",
        "*=resnet20",
    ],
    "units": ["table", *FOUR, "--units", "auto"],
    "a batch": ["table", "resnet34", "vgg19", "--input", "32x3x224x224"],
    "several inputs": ["table", "resnet34", "vgg19", "--input", "3x224x224", "--input", "3x384x384"],
    "another convention": ["table", "resnet34", "vgg19", "--convention", "flops"],
    "training": ["table", "resnet34", "vgg19", "--training"],
    "a model that failed": ["table", "resnet34", "no_such_model"],
    "columns of the reader's": ["table", *FOUR, "--columns", "model,input,params,macs,ratio"],
    "a name as long as a line": ["table", f"{'A_very_long_name/of-a.model_' * 3}=resnet34", "vgg19"],
    "published figures": ["table", "resnet34", "vgg19", "--columns", "model,macs,published_macs"],
    "modules": ["layers", "resnet34", "--depth", "1"],
    "a difference": ["diff", "Base=resnet34", "Ours=resnet50", "--columns", "figure,before,after,share"],
    "the built-in networks": ["models", "resnet3*"],
}


@compiled
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("head", [TWO_COLUMNS, A4], ids=["letter", "a4"])
def test_a_table_fits_a_column_of_a_two_column_article(tmp_path: Path, name: str, head: str) -> None:
    text = write_table(tmp_path, *TABLES[name])
    # LaTeX puts what goes across both columns at the top of the next page.
    pages = 2 if r"\begin{table*}" in text else 1
    assert_nothing_is_lost(compile_table(tmp_path, head), pages=pages)


@compiled
@pytest.mark.parametrize(
    ("words", "pages"),
    [
        (["layers", "resnet34"], 3),
        (["layers", "resnet34", "--convention", "flops"], 3),
        (["layers", "resnet20", "--training"], 2),
        (["table", "resnet*", "vgg*"], 1),
        (["layers", "resnet152", "--columns", "layer,op,input,output,macs,share"], 10),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_long_table_fits_the_pages_of_an_article(tmp_path: Path, words: list[str], pages: int) -> None:
    write_table(tmp_path, *words)
    assert_nothing_is_lost(compile_table(tmp_path, ONE_COLUMN), pages=pages)


def test_a_printed_table_has_the_columns_of_a_paper(tmp_path: Path) -> None:
    text = write_table(tmp_path, "table", "Ours=resnet34", "vgg19")
    assert r"Model & Parameters & MACs \\" in text
    assert r"Ours & 21,797,672 & 3,663,761,408 \\" in text
    assert "macs" not in re.sub("(?m)^%.*$", "", text)


def test_a_caption_is_clear_of_the_rule_and_can_be_referred_to(tmp_path: Path) -> None:
    text = write_table(tmp_path, "table", "resnet34", "vgg19")
    caption = text.index(r"\caption{Cost of models on an input of 1$\times$3$\times$224$\times$224.")
    label = text.index(r"\label{tab:cost}")
    space = text.index(r"\vspace{\medskipamount}")
    assert caption < label < space < text.index(r"\toprule")


def test_layers_are_a_long_table_with_its_heading_on_every_page(tmp_path: Path) -> None:
    text = write_table(tmp_path, "layers", "resnet34")
    assert text.startswith("% needs \\usepackage{booktabs,longtable}\n")
    first, _, rest = text.partition(r"\endfirsthead")
    assert r"\label{tab:resnet34-layers} \\[\medskipamount]" in first
    assert r"Layer & Op & Output & Parameters & MACs \\" in rest.partition(r"\endhead")[0]
    assert r"\label{tab:resnet34-stages}" in text


def test_what_is_left_out_is_said_and_what_is_asked_for_is_kept(tmp_path: Path) -> None:
    text = write_table(tmp_path, "layers", "resnet34")
    assert "% left out, to fit the width: window; --columns chooses others\n" in text
    chosen = write_table(tmp_path, "layers", "resnet34", "--columns", "layer,window,macs")
    assert r"Layer & Window & MACs \\" in chosen
    assert "left out, to" not in chosen


def test_notes_that_qualify_a_figure_are_printed_and_others_are_comments() -> None:
    one = Table(
        title="t",
        columns=(Column(key="a", heading="a"),),
        rows=({"a": "x"},),
        notes=(
            Note(text="a & b \x1b {new}", figures={"new": Figure("text", "line\nline ×")}),
            Note(text="at least", qualifies=True),
        ),
    )
    text = find_renderer("latex").render(one)
    assert "% a & b \\x1b line\\nline x\n" in text
    assert "{\\footnotesize at least\\par}" in text
    assert "\n& b" not in text
