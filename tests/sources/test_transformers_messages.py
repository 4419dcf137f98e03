"""What transformers says is heard, told in a note where it matters, and never on standard error."""

import logging
import subprocess
import sys
import threading

import pytest

from resflops.cli import main
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


def test_another_thread_is_heard_where_it_was_before() -> None:
    logger = logging.getLogger("transformers")
    said: list[str] = []

    class Theirs(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    theirs = Theirs()
    logger.addHandler(theirs)
    try:
        with hear_transformers() as heard:
            other = threading.Thread(target=lambda: logger.warning("theirs"))
            other.start()
            other.join()
            logger.warning("ours")
        assert (said, heard) == (["theirs"], ["ours"])
    finally:
        logger.removeHandler(theirs)


def test_what_it_says_of_its_own_config_is_not_shown():
    """MusicGen's default config has token ids beyond its vocabulary, which is said once in a process."""
    script = "from resflops.sources import find; print(find('hf/musicgen').variant)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "MusicgenForConditionalGeneration\n"
    assert "pad_token_id" not in done.stderr
