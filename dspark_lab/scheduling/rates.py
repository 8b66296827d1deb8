"""Step rates by name: measured, implied by the paper's Figure 8, from a roofline, or drawn by hand; and when one needs a note."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from dspark_lab.errors import LabError
from dspark_lab.scheduling.roofline import GPUS, MODELS, roofline
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.trace import ModelInfo

PAPER = {"deepseek-v4-flash": "DeepSeek-V4-Flash", "deepseek-v4-pro": "DeepSeek-V4-Pro"}
_PAPER_FILE = Path(__file__).with_name("paper_step_rate.json")
POCKET_FILE = Path(__file__).parents[1] / "pocket" / "step_rate.json"
ROOFLINE, CURVE = "roofline", "curve"
MOST_POINTS, MOST_TOKENS = 64, 1 << 20
"""The longest curve that is read from a name."""

RATES = {
    "pocket-cpu": "measured: the pocket target on the CPU that its file names",
    "deepseek-v4-flash": "modelled: what the paper's Figure 8 implies of DeepSeek-V4-Flash, per GPU",
    "deepseek-v4-pro": "modelled: what the paper's Figure 8 implies of DeepSeek-V4-Pro, per GPU",
    "roofline:GPU:MODEL[:CONTEXT]": f"modelled: from data sheets; GPU is one of {', '.join(GPUS)} (8xh100 for eight), "
    f"MODEL one of {', '.join(MODELS)}, CONTEXT tokens of context (1024)",
    "curve:B=SPS[,B=SPS...]": "drawn by hand: steps per second at some numbers of tokens, such as curve:1=95,64=80,512=31",
}
"""What ``step_rate_named`` knows, and what each is. It takes the path of a file too."""


def step_rate_named(name: str | Path) -> StepRate:
    """A step rate from its name in ``RATES``, such as "roofline:h100:qwen3-8b", or from a file of ``dspark-lab profile``.

    It is known up to its own ``most`` tokens: who needs more takes ``extended``, which says so in the title.

    Raises:
        LabError: there is neither such a name nor such a file, or the file holds no step rate.
    """
    text = str(name)
    if text in PAPER:
        return paper_step_rate(text)
    if text == "pocket-cpu":
        return StepRate.load(POCKET_FILE)
    if text.partition(":")[0] == ROOFLINE:
        return _roofline_named(text)
    if text.partition(":")[0] == CURVE:
        return _curve_named(text)
    if is_file(text) or Path(text).suffix == ".json":
        return StepRate.load(text)
    raise LabError(
        f"there is no step rate {text!r}: choose one of {', '.join(RATES)}, or name a file that dspark-lab profile wrote."
    )


def is_name(text: str) -> bool:
    """Whether ``step_rate_named`` takes it for a name, and so opens no file but those that ship with the lab."""
    return text in PAPER or text == "pocket-cpu" or text.partition(":")[0] in (ROOFLINE, CURVE)


def is_file(text: str) -> bool:
    """Whether it is the path of a file, which a name as long as a curve's can never be."""
    try:
        return not is_name(text) and Path(text).is_file()
    except OSError:
        return False


def curve_name(points: Iterable[tuple[int, float]]) -> str:
    """The name of a step rate drawn by hand, from (tokens, steps per second); rates keep five digits."""
    return f"{CURVE}:" + ",".join(f"{tokens}={float(f'{rate:.5g}'):.12g}" for tokens, rate in points)


def paper_step_rate(name: str, tau: float | None = None) -> StepRate:
    """SPS(B) per GPU as the MTP-1 line of the paper's Figure 8 implies it: T / R = tau SPS(2R). Modelled.

    Args:
        name: in ``PAPER``. tau: the accepted length of MTP-1 that turns tokens into steps, constant; 1.85 by default,
            assumed. Only absolute rates hang on it: what a scheduler decides does not.

    Raises:
        LabError: there is none of that name, or tau is not from 1 to 2.
    """
    if name not in PAPER:
        raise LabError(f"the paper has no step rate of {name!r}: choose one of {', '.join(PAPER)}.")
    data = json.loads(_PAPER_FILE.read_text(encoding="utf-8"))
    tau = data["tau"] if tau is None else tau
    if not 1 <= tau <= 2:
        raise LabError(f"tau of MTP-1 is {tau}, but one draft token a round gives from 1 to 2.")
    points = data[PAPER[name]]
    about = {key: data[key] for key in ("source", "method", "tau_source", "caveats")}
    return StepRate(
        tuple(b for b, _ in points),
        tuple(rate / tau for _, rate in points),
        "modelled",
        f"{PAPER[name]} as the paper's Figure 8 implies, per GPU",
        {"model": PAPER[name], "tau": tau, **about},
    )


def _roofline_named(text: str) -> StepRate:
    parts = re.fullmatch(rf"{ROOFLINE}:([^:]+):([^:]+)(?::(\d{{1,9}}))?", text)
    if not parts:
        raise LabError(
            f"the step rate {text!r} is not roofline:GPU:MODEL[:CONTEXT], such as roofline:h100:qwen3-8b:2048."
        )
    gpu, model, context = parts.groups()
    return roofline(gpu, model, int(context or 1024))


def _curve_named(text: str) -> StepRate:
    """A curve by its points. Raises LabError for what is no such list, or too long a one."""
    points = [re.fullmatch(r"(\d{1,9})=([0-9.eE+-]{1,24})", part.strip()) for part in text.partition(":")[2].split(",")]
    try:
        read = [(int(point[1]), float(point[2])) for point in points if point]
    except ValueError:
        read = []
    if len(read) < len(points):
        raise LabError(
            f"the step rate {text[:60]!r} is not curve:B=SPS[,B=SPS...]: write the steps per second at some numbers of tokens, "
            f"such as curve:1=95,64=80,512=31."
        )
    if len(read) > MOST_POINTS or read[-1][0] > MOST_TOKENS:
        raise LabError(
            f"the curve has {len(read)} points up to {max(b for b, _ in read):,} tokens, but at most {MOST_POINTS} points up to "
            f"{MOST_TOKENS:,} are read from a name: leave some out, or write a file as dspark-lab profile does."
        )
    return StepRate(tuple(b for b, _ in read), tuple(sps for _, sps in read), "modelled", "a curve drawn by hand")


def note_for(
    rate: StepRate, target: ModelInfo | None = None, device: str | None = None, processor: str | None = None
) -> str:
    """What a person must be told where ``rate`` stands for that ``target`` on that ``device``; "" where it was measured so.

    Args:
        target: the model that decodes; None where there is none, as in a simulation. device: as ``describe_device`` has it.
        processor: the CPU's name, as ``describe.processor`` tells it, where it is this machine's.
    """
    modelled = "" if rate.source == "measured" else f"The step rate is modelled, not measured: {rate.title}."
    return " ".join(filter(None, (modelled, foreign(rate, target, device, processor))))


def foreign(
    rate: StepRate, target: ModelInfo | None = None, device: str | None = None, processor: str | None = None
) -> str:
    """The part of ``note_for`` that says on what else it was measured, also where that measurement is carried on; "" where it was
    measured on no other."""
    about = rate.about
    if rate.source != "measured" and "target" not in about:
        return ""
    was = about.get("target")
    was = was if isinstance(was, dict) else {}
    differs = []
    if target and (was.get("name"), was.get("revision")) != (target.name, target.revision):
        differs.append(f"of {was.get('name', 'an unknown target')} {was.get('revision', '')}".rstrip())
    if device and about.get("device") != device:
        differs.append(f"on {about.get('device', 'an unknown device')}")
    elif processor and about.get("processor", processor) != processor:
        differs.append(f"on {about['processor']}")
        device = processor
    if not differs:
        return ""
    here = " ".join(
        part
        for part in (f"{target.name} {target.revision}".rstrip() if target else "", device and f"on {device}")
        if part
    )
    return f"The step rate was measured {' '.join(differs)}, not for {here}: measure one here with dspark-lab profile."
