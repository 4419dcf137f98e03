"""The options of ``resflops memory``: how the models are run, what must fit, and what is written."""

from functools import partial

from resflops.cli.arguments import add_output, read_file_name
from resflops.cli.arrange import Values
from resflops.cli.drawing_options import add_page, add_picture
from resflops.cli.inputs import add_input
from resflops.cli.models_argument import add_models
from resflops.cli.parser import Parser
from resflops.cli.readers import make_number_reader, split_list
from resflops.peak_memory.options import ATTENTIONS, DEVICES, DTYPES, LOSSES, OPTIMIZERS
from resflops.peak_memory.sizes import read_size
from resflops.tables.memory import COLUMN_NAMES

__all__ = ["add_arguments"]


def add_arguments(parser: Parser) -> None:
    """Add the options of ``resflops memory``."""
    add_models(parser, text="the models, such as resnet34 vgg19, as resflops table takes them")
    add_input(parser)
    _add_ways(parser)
    parser.add_argument(
        "--fits",
        metavar="SIZE",
        type=partial(read_size, what="--fits"),
        help="find the largest batch that needs no more than this: 24GiB, of 2³⁰ bytes, which 24G means, "
        "too; 24GB, of 10⁹ bytes; or 512M",
    )
    parser.add_argument(
        "--from-trace",
        action="store_true",
        help="work it out by rules from the stored trace instead of running the model on shapes; "
        "faster, and less exact",
    )
    parser.add_argument(
        "--top",
        metavar="N",
        type=make_number_reader("--top"),
        default=10,
        help="of one model, how many of the layers that hold the most to show; 10 if not given",
    )
    _add_files(parser)
    # Elsewhere --precision sets decimals; here it is what people call the type that they train in.
    add_output(parser, columns=COLUMN_NAMES, decimals="--decimals")


def _add_ways(parser: Parser) -> None:
    parser.add_argument(
        "--training",
        action="store_true",
        help="take a step of training: forward, loss, backward, and the optimiser's step if one is named; "
        "inference if not given",
    )
    for name, known, text in (
        ("--optimizer", OPTIMIZERS, "for --training, the optimiser, whose state is there from the start"),
        ("--loss", LOSSES, "for --training, what the backward pass begins with; cross-entropy if not given"),
        ("--attention", ATTENTIONS, "the kernel of attention; what the device would take if not given"),
        ("--device", DEVICES, "whose kernels and allocator are assumed; cpu if not given"),
    ):  # fmt: skip
        parser.add_argument(name, metavar="NAME", help=f"{text}: {', '.join(known)}")
    parser.add_argument(
        "--dtype",
        "--precision",
        metavar="NAME",
        help=f"the type of weights and inputs: {', '.join(DTYPES)}, or short fp32, fp16, bf16; the model's "
        "own if not given",
    )
    parser.add_argument(
        "--autocast",
        action="store_true",
        help="keep weights and inputs in their own type, and compute in that of --dtype, as torch.autocast "
        "does (mixed precision, AMP)",
    )
    checkpointing = parser.add_argument(
        "--checkpointing",
        nargs="*",
        metavar="LAYER",
        help="for --training, layers whose forward pass runs again in the backward pass: paths such as "
        "layer1.0, or patterns in quotes such as 'layer*.*'; if none is named, the blocks that repeat",
    )
    parser.tell_values(checkpointing, Values(belong=_may_be_layer, split=split_list))


def _add_files(parser: Parser) -> None:
    add_picture(parser, text="of one model, draw what is in use at each step into this file")
    add_page(parser, text="of one model, write a page to look at each step in")
    parser.add_argument(
        "--save",
        metavar="FILE",
        type=partial(read_file_name, "--save", (".json",)),
        help="of one model, write every block of memory to this JSON file, for resflops.Memory.load",
    )


def _may_be_layer(word: str) -> bool:
    """Tell whether a word after ``--checkpointing`` is a layer or a pattern of layers, rather than a model.

    >>> [_may_be_layer(word) for word in ("layer1.0", "layer*.*", "vgg19", "vgg*", "nets.py:Net")]
    [True, True, False, False, False]
    """
    from fnmatch import fnmatchcase

    from resflops.models.catalog import NETWORKS
    from resflops.storage.writing import is_file

    name = (word.partition("=")[2] or word).partition(",")[0].lower()
    if any(mark in word for mark in "/:=") or is_file(word):
        return False
    # A bare star is every layer.
    return not any(name.strip("*") and fnmatchcase(network, name) for network in NETWORKS)
