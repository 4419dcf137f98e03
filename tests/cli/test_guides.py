"""``resflops help TOPIC`` shows the guides, which are files of the package."""

import re
from importlib.resources import files

import pytest

from resflops.cli import main
from resflops.cli.commands import COMMANDS
from resflops.cli.guides import list_guides

TOPICS = (
    "any-model", "commands", "conventions", "cost-gate", "curve", "extending", "files", "latency", "memory", "other-counters", "pruning",
    "python", "reports", "speed", "stored-traces", "sweeps", "training",
)  # fmt: skip


def read(guide):
    return (files("resflops") / "guide" / f"{guide}.md").read_text(encoding="utf-8")


def show(capsys, *words):
    assert main(["help", *words]) == 0
    return capsys.readouterr().out


def test_the_guides_are_those_of_the_folder():
    assert list_guides() == TOPICS


@pytest.mark.parametrize("topic", sorted(set(TOPICS) - set(COMMANDS)))
def test_a_guide_is_shown_in_a_pipe_as_it_is_written(capsys, topic):
    assert show(capsys, topic) == read(topic)


@pytest.mark.parametrize("topic", sorted(set(TOPICS) & set(COMMANDS)))
def test_a_topic_that_is_a_command_too_has_both(capsys, topic):
    assert main([topic, "--help"]) == 0
    explained = capsys.readouterr().out
    assert show(capsys, topic) == explained + read(topic)


@pytest.mark.parametrize(
    ("words", "guide"),
    [
        ("any model", "any-model"),
        ("Any-Model", "any-model"),
        ("the cost gate", "cost-gate"),
        ("gate", "cost-gate"),
        ("counters", "other-counters"),
        ("Python", "python"),
        ("training.md", "training"),
    ],
)
def test_a_guide_is_found_by_the_words_of_its_name(capsys, words, guide):
    assert show(capsys, *words.split()) == read(guide)


@pytest.mark.parametrize("line", ["help", "--help"])
def test_the_general_help_lists_the_guides(capsys, line):
    assert main([line]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"resflops help TOPIC shows a guide: {', '.join(TOPICS)}." in text


@pytest.mark.parametrize(
    ("topic", "closest"),
    [("trainning", "training"), ("latecy", "latency"), ("extend", "extending"), ("tabel", "table")],
)
def test_a_misspelt_topic_is_answered_with_near_names(capsys, topic, closest):
    assert main(["help", topic]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"resflops: no command or guide '{topic}' to explain; closest: {closest}")
    assert "available guides: any-model, commands" in message


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_gets_a_set_text_within_its_width(capsys, monkeypatch, topic, columns):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = show(capsys, topic)
    assert "\x1b[" in text
    guide = re.sub(r"\x1b\[[\d;]*m", "", text)[-len(read(topic)) // 2 :]
    assert "```" not in guide
    assert max(map(len, guide.splitlines())) <= columns


def test_a_terminal_without_colour_gets_none(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[\d;]*3\dm", show(capsys, "training"))


@pytest.mark.parametrize("topic", TOPICS)
def test_a_guide_begins_with_its_title_and_has_one(topic):
    titles = [line for line in read(topic).splitlines() if re.match(r"# \w", line) and line.count("#") == 1]
    assert read(topic).startswith("# ")
    assert titles[0] == read(topic).splitlines()[0]
