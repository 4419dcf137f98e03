"""Curves as a picture: every counted point, steps as steps, and the law of a single model."""

import pytest

import resflops
from resflops.report.pictures.curves import curves_of, draw, draw_file
from resflops.report.style import DARK, LIGHT

STEPPING = resflops.curve("resnet20", over="side", values=range(20, 30))
SMOOTH = resflops.curve("resnet20", over="batch", values=(1, 2, 4))


def find_texts(figure):
    return [text.get_text() for text in figure.findobj() if hasattr(text, "get_text")]


def test_every_point_is_drawn_and_steps_are_steps():
    data = curves_of((STEPPING,))
    assert data.lines[0].totals == tuple(point.total for point in STEPPING.points)
    axes = draw(data, LIGHT).axes[0]
    assert list(axes.lines[0].get_xdata()) == list(range(20, 30))
    assert axes.lines[0].get_drawstyle() == "steps-post"
    assert draw(curves_of((SMOOTH,)), LIGHT).axes[0].lines[0].get_drawstyle() == "default"


def test_no_level_is_drawn_where_nothing_was_counted():
    curve = resflops.curve("resnet20", over="side", values=range(20, 60, 2))
    assert curve.law.sizes[-1].divisor == 4
    axes = draw(curves_of((curve,)), LIGHT).axes[0]
    assert axes.lines[0].get_drawstyle() == "default"


def test_a_single_model_has_its_law_and_several_have_their_names():
    texts = "\n".join(find_texts(draw(curves_of((SMOOTH,)), LIGHT)))
    assert "MACs = 40,551,040·batch" in texts
    assert "MACs of resnet20 against batch" in texts
    texts = find_texts(draw(curves_of((SMOOTH, SMOOTH)), LIGHT))
    assert texts.count("resnet20: 162 M") == 2
    assert "MACs against batch" in texts


@pytest.mark.parametrize(("ending", "begin"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_a_file_is_the_same_for_the_same_curves_and_another_in_the_dark(ending, begin):
    drawn = draw_file((SMOOTH,), ending=ending)
    assert drawn.startswith(begin)
    assert draw_file((SMOOTH,), ending=ending) == drawn
    assert draw_file((SMOOTH,), ending=ending, theme=DARK) != drawn
