"""What transformers says is heard, told in a note where it matters, and never on standard error."""

import logging
import threading
from collections.abc import Iterator

import pytest

from resflops.cli import main
from resflops.sources import find
from resflops.sources.transformers_messages import describe_fallbacks, hear_transformers

transformers = pytest.importorskip("transformers")

SMALL = "hidden_size=16,num_hidden_layers=1,vocab_size=64,state_size=4"


def test_a_reference_implementation_is_a_note_of_each_model_and_standard_error_is_quiet(
    capfd: pytest.CaptureFixture[str],
) -> None:
    names = [f"hf/mamba,{SMALL}", f"hf/falcon_mamba,{SMALL}"]
    assert main(["table", *names, "--fresh", "--format", "json"]) == 0
    captured = capfd.readouterr()
    assert captured.err == ""
    for name in names:
        assert f"{name}: counted by transformers' reference implementation of" in captured.out


def test_what_does_not_matter_is_dropped() -> None:
    assert describe_fallbacks(["`BlipModel` is going to be deprecated", "set pad_token_id"]) == ()


def test_the_handlers_come_back_also_after_an_error() -> None:
    logger = logging.getLogger("transformers")
    before = list(logger.handlers)
    with hear_transformers():
        assert logger.handlers != before

    def fail() -> None:
        with hear_transformers(), hear_transformers():
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert logger.handlers == before


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What reaches a handler of the user's."""
    messages: list[str] = []

    class Theirs(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    theirs = Theirs()
    logging.getLogger("transformers").addHandler(theirs)
    yield messages
    logging.getLogger("transformers").removeHandler(theirs)


def test_another_thread_is_heard_where_it_was_before(said: list[str]) -> None:
    logger = logging.getLogger("transformers")
    with hear_transformers() as heard:
        other = threading.Thread(target=lambda: logger.warning("theirs"))
        other.start()
        other.join()
        logger.warning("ours")
    assert (said, heard) == (["theirs"], ["ours"])


def test_what_it_says_of_its_own_config_is_not_shown(
    said: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """MusicGen's default config has token ids beyond its vocabulary, which is said once in a process."""
    logging.Logger.warning_once.cache_clear()
    transformers.AutoConfig.for_model("musicgen")
    assert "pad_token_id" in said[0]
    said.clear()
    logging.Logger.warning_once.cache_clear()
    capfd.readouterr()
    assert find("hf/musicgen").variant == "MusicgenForConditionalGeneration"
    assert (said, *capfd.readouterr()) == ([], "", "")
