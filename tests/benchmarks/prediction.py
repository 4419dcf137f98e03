"""How good predictions from a profile are: on 20 networks of torchvision that nothing of it has seen.

    python tests/benchmarks/prediction.py [--profile FILE] [--save FILE] [--batch N] [--threads N] [MODEL ...]

A profile of this machine is made (two minutes), or taken from FILE if there is one. Then the networks are
predicted, and after that timed in rounds, in which all take turns with the device's peaks. Printed are, per
network, the measured time with its interval, the prediction and its error, and below the median error and
Spearman's rank correlation: of the profile's predictions, of times proportional to the MACs (with the constant
that suits these networks best), and of the roofline times. ``--save`` keeps the figures as JSON, from which
``resflops.tables.prediction_quality`` makes the table again.

None of these networks may have a part in a profile, nor in the choice of anything in the model of time.
"""

import argparse
import sys
from pathlib import Path

from resflops.cost.convention import MACS
from resflops.latency.bench import measure
from resflops.latency.configuration import grid
from resflops.latency.devices import open_device
from resflops.latency.flags import Flags, set_flags
from resflops.latency.measurements import Measurements
from resflops.latency.models import MeasurableSpec
from resflops.latency.prediction import Predictor, Profile
from resflops.latency.prediction.evaluation import make_profile
from resflops.latency.prediction.quality import HeldOut, Predictions
from resflops.latency.roofline import analyze_roofline
from resflops.latency.schedule import Effort
from resflops.sources import find
from resflops.sources.counting import count_model
from resflops.tables.prediction_quality import build_prediction_quality_table

HELD_OUT = (
    "alexnet", "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_large", "mnasnet1_0", "shufflenet_v2_x1_0", "densenet121",
    "googlenet", "inception_v3", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "regnet_y_400mf", "regnet_x_1_6gf",
    "efficientnet_b0", "efficientnet_v2_s", "convnext_tiny", "vit_b_32", "swin_t", "maxvit_t",
)  # fmt: skip

EFFORT = Effort(rounds=5, most_rounds=8, precision=0.05, warm_up=0.1, seconds=0.3, least=3, most=30)


def obtain_profile(path: Path | None) -> Profile:
    """Read a profile, or make one, and keep it if it has a file."""
    if path and path.exists():
        return Profile.load(path)
    profile = make_profile(say=show)
    if path:
        profile.save(path)
    return profile


def show(text: str) -> None:
    """Show a line of progress in place of the one before."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")


def compare(measured: Measurements, predicted: dict[str, tuple[float, int]], profile: Profile) -> Predictions:
    """Set the predictions, which were made before, beside the measured times."""
    rows = []
    for row in measured.rows:
        time, meaning = row.series.time, analyze_roofline(row, measured)
        if time is None:
            print(f"{row.configuration.describe()}: {row.series.failure}", file=sys.stderr)
            continue
        seconds, macs = predicted[row.configuration.model]
        rows.append(
            HeldOut(
                model=row.configuration.model,
                batch=row.configuration.batch,
                measured=time.median,
                half_width=time.width / 2,
                predicted=seconds,
                macs=macs,
                roof_seconds=meaning.roof_seconds if meaning else None,
            )
        )
    run = measured.runs[-1]
    return Predictions(
        environment=measured.environment,
        command=run.command,
        started=run.started,
        profiled=profile.started,
        ops=len(profile.samples),
        rows=tuple(rows),
    )


def main() -> None:
    """Read the command line, predict, measure and compare."""
    parser = argparse.ArgumentParser(description="Predicted beside measured times of networks held out.")
    parser.add_argument("models", nargs="*", default=[f"torchvision/{name}" for name in HELD_OUT])
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    found = {spec: find(spec) for spec in options.models}
    shapes = [(spec, model.input_shape) for spec, model in found.items()]
    with set_flags(Flags(threads=options.threads)):
        profile = obtain_profile(options.profile)
        profile.require_machine(open_device("cpu")[1])
        predictor = Predictor(profile)
        predicted = {}
        for spec, shape in shapes:
            cost = count_model(found[spec], input_shape=(options.batch, *shape), convention=MACS)
            predicted[spec] = predictor.predict(cost).seconds, cost.macs
        print(f"networks take {profile.find_pace(''):.3f} times as long as their ops")
        for each in profile.evaluations:
            print(
                f"ops of {each.model}, batch {each.batch}: {each.error:+.1%} of {each.measured * 1e3:.2f} ms"
            )
        measured = measure(
            {spec: MeasurableSpec(model) for spec, model in found.items()},
            grid(shapes, device="cpu", batches=[options.batch]),
            effort=EFFORT,
            command=" ".join(["python", "tests/benchmarks/prediction.py", *sys.argv[1:]]),
            say=show,
        )
    result = compare(measured, predicted, profile)
    if options.save:
        result.save(options.save)
    print(build_prediction_quality_table(result))


if __name__ == "__main__":
    main()
