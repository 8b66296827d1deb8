"""A toy pair of distributions that makes plausible rounds without any model.

The toy target follows a script of words, with a few alternatives at each place; the toy drafter is a blunter copy. The
rules of drafting, acceptance and the residual are the real ones, so that every number in a round fits every other.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from dspark_lab.errors import LabError
from dspark_lab.rounds import Choice, Final, Position, Round, Timings, Token
from dspark_lab.settings import Overrides, Settings

SCRIPT = (  # noqa: SIM905
    "Tom| starts| with| 12| apples|.| Adding| 7| gives| 12| +| 7| =| 19| apples|.|\n|So| Tom| has| 19| apples| now|.|"
    "\n|The| answer| is| 19|.|\n|We| can| check| it|:| 19| -| 7| =| 12|,| which| is| what| Tom| had|.|<eos>"
).split("|")
EXTRA = [" 5", " 8", " 18", ",", " the", " 20", " and", " then", " more", "!", " He", " left", "\t"]
EXTRA += ["</script>", "<!--", "<b>x</b>", "\ufffd", " \n\n", "\u202e", " very-long-token-text"]
WORDS = list(dict.fromkeys([*SCRIPT, *EXTRA]))
EOS = WORDS.index("<eos>")
BLOCK = 7
HEAD = 8

Row = list[float]


def _softmax(logits: Row, temperature: float) -> Row:
    if temperature == 0:
        best = logits.index(max(logits))
        return [float(i == best) for i in range(len(logits))]
    top = max(logits)
    weights = [math.exp((value - top) / temperature) for value in logits]
    total = sum(weights)
    return [weight / total for weight in weights]


@cache
def _logits(kind: str, place: int, sharp: float) -> Row:
    noise = random.Random(f"{kind}:{place}")
    row = [noise.gauss(0.0, 1.3) - 2.0 for _ in WORDS]
    row[WORDS.index(SCRIPT[min(place, len(SCRIPT) - 1)])] += sharp
    return row


def _target_logits(place: int) -> Row:
    return _logits("target", place, 5.2 + 2.5 * random.Random(f"sharp:{place}").random())


def _base_logits(place: int, k: int) -> Row:
    own, near = _logits("draft", place, 0.0), _target_logits(place)
    fade = 0.92 - 0.05 * k
    return [fade * t + (1 - fade) * d for t, d in zip(near, own, strict=True)]


@cache
def _bias(previous: int, place: int) -> Row:
    noise = random.Random(f"bias:{previous}")
    row = [noise.gauss(0.0, 0.5) for _ in WORDS]
    row[WORDS.index(SCRIPT[min(place, len(SCRIPT) - 1)])] += 1.2
    return row


def _token(index: int) -> Token:
    return Token(index, WORDS[index])


def _head(values: Row, count: int = HEAD) -> tuple[Choice, ...]:
    order = sorted(range(len(values)), key=lambda i: -values[i])[:count]
    return tuple(Choice(_token(i), values[i]) for i in order if values[i] != 0.0)


def _draw(p: Row, u: float) -> tuple[int, tuple[float, float]]:
    low = 0.0
    for index, value in enumerate(p):
        if u < low + value and value > 0:
            return index, (low, low + value)
        low += value
    last = max(i for i, value in enumerate(p) if value > 0)
    return last, (1.0 - p[last], 1.0)


def _interval(p: Row, index: int) -> tuple[float, float]:
    return sum(p[:index]), sum(p[: index + 1])


def _residual(p_t: Row, p_d: Row) -> Row:
    rest = [max(0.0, t - d) for t, d in zip(p_t, p_d, strict=True)]
    total = sum(rest)
    return [value / total for value in rest] if total > 0 else p_t


@dataclass(frozen=True)
class Toy:
    """What kind of toy drafter: with a sequential head, with a confidence head, cutting where survival is below."""

    head: bool = True
    confidence: bool = True
    cut_below: float = 0.0
    script_end: int = len(SCRIPT)


def _uniforms(seed: int, number: int, overrides: Overrides) -> Callable[[str, int], float]:
    def uniform(purpose: str, k: int) -> float:
        return float(overrides.uniforms.get(f"{purpose}:{k}", random.Random(f"{seed}:{number}:{purpose}:{k}").random()))

    return uniform


def play_round(toy: Toy, settings: Settings, number: int, anchor: Token, place: int, text: str, o: Overrides) -> Round:
    """One round of the toy pair; ``place`` is the script's index of x_1."""
    uniform, heat = _uniforms(settings.seed, number, o), settings.temperature
    gamma = BLOCK if settings.gamma is None else settings.gamma
    prefix, previous, survival, drafts = 18 + place - 1, anchor.id, 1.0, []
    for k in range(1, gamma + 1):
        base = _base_logits(place + k - 1, k)
        bias = _bias(previous, place + k - 1) if toy.head else [0.0] * len(base)
        p_base, p_d = _softmax(base, heat), _softmax([a + b for a, b in zip(base, bias, strict=True)], heat)
        p_t = _softmax(_target_logits(place + k - 1), heat)
        x, cdf = _draw(p_d, uniform("draft", k))
        if k in o.tokens:
            x = o.tokens[k]
            if not 0 <= x < len(WORDS):
                raise LabError(f"token {x} is not in the vocabulary: take an id from 0 to {len(WORDS) - 1}.")
            cdf = _interval(p_d, x)
        overlap = sum(min(a, b) for a, b in zip(p_t, p_d, strict=True))
        confidence = min(0.99, max(0.02, overlap + random.Random(f"c:{place + k}").gauss(0, 0.05)))
        survival *= confidence
        drafts.append((k, x, cdf, base, bias, p_base, p_d, p_t, overlap, confidence, survival))
        previous = x
    wanted = sum(1 for d in drafts if d[-1] >= toy.cut_below) if toy.confidence else gamma
    verify = min(gamma, wanted if o.verify_length is None else o.verify_length)
    positions, accepted, alive, ended, rejected_at = [], 0, True, False, None
    for k, x, cdf, _base, bias, p_base, p_d, p_t, overlap, confidence, survival in drafts:
        seen, u, verdict = k <= verify, uniform("accept", k), "cut"
        if seen:
            verdict = "discarded" if not alive else "accepted" if u * p_d[x] < p_t[x] else "rejected"
            if verdict == "accepted":
                accepted += 1
                ended = alive and x == EOS
                alive = not ended
            elif verdict == "rejected":
                alive, rejected_at = False, k
        order = sorted(range(len(bias)), key=lambda i: -bias[i])
        positions.append(
            Position(
                k=k,
                token=_token(x),
                forced=k in o.tokens,
                u_draft=uniform("draft", k),
                cdf=cdf,
                p_base=p_base[x] if toy.head else None,
                bias=bias[x] if toy.head else None,
                p_d=p_d[x],
                confidence=confidence if toy.confidence else None,
                calibrated=None,
                survival=survival if toy.confidence else None,
                verified=seen,
                p_t=p_t[x] if seen else None,
                acceptance=(min(1.0, p_t[x] / p_d[x]) if p_d[x] > 0 else 1.0) if seen else None,
                overlap=overlap if seen else None,
                u_accept=u if seen else None,
                verdict=verdict,
                base=_head(p_base) if toy.head else (),
                biased_up=tuple(Choice(_token(i), bias[i]) for i in order[:5]) if toy.head else (),
                biased_down=tuple(Choice(_token(i), bias[i]) for i in order[:-6:-1]) if toy.head else (),
                draft=_head(p_d),
                target=_head(p_t) if seen else (),
                residual=_head(_residual(p_t, p_d)) if seen else (),
            )
        )
    emitted = [p.token for p in positions[:accepted]]
    final = Final("none", accepted + 1, None, None, None, ())
    if not ended:
        p_t = _softmax(_target_logits(place + accepted), heat)
        p = p_t if rejected_at is None else _residual(p_t, drafts[accepted][6])
        u = uniform("final", 0)
        x, cdf = _draw(p, u)
        final = Final("bonus" if rejected_at is None else "residual", accepted + 1, _token(x), u, cdf, _head(p))
        emitted.append(_token(x))
    tail = [t.text for t in emitted if t.id != EOS]
    return Round(
        index=number,
        anchor=anchor,
        context_length=prefix,
        gamma=gamma,
        verify_length=verify,
        temperature=heat,
        top_k=settings.top_k,
        top_p=settings.top_p,
        positions=tuple(positions),
        tree=None,
        schedule=None,
        final=final,
        accepted=accepted,
        emitted=tuple(emitted),
        finished="eos" if any(t.id == EOS for t in emitted) else "",
        cache_before=prefix,
        cache_after_verify=prefix + 1 + verify,
        cache_after_commit=prefix + 1 + accepted,
        text=text + "".join(tail),
        overrides=_overrides_json(o),
        timings=Timings(1.9, 0.4 * gamma, 5.1, 0.3, 0.2),
    )


def _overrides_json(o: Overrides) -> dict[str, Any]:
    if not o:
        return {}
    tokens = {str(k): v for k, v in o.tokens.items()}
    uniforms, settings, confidence = dict(o.uniforms), dict(o.settings), {str(k): c for k, c in o.confidence.items()}
    made = {"tokens": tokens, "uniforms": uniforms, "verify_length": o.verify_length, "settings": settings}
    return {**made, "confidence": confidence}
