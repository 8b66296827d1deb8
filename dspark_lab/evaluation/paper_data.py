"""The paper's own numbers, read from a file that the lab does not ship."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dspark_lab.errors import LabError
from dspark_lab.scheduling.rates import PAPER, paper_step_rate

PAPER_MODEL = "Qwen3-4B"
"""The target of the paper's Figures 2 to 4, and the rows of Table 1 that are shown."""

PARTS, MORE_PARTS = ("table1", "figure2", "figure3", "figure4"), ("figure5", "figure6", "figure7", "figure8")

Points = dict[Any, float]
"""y by x, a number or a category."""


@dataclass(frozen=True)
class PaperData:
    """The paper's numbers, from a file laid out as {"table1": {"domains", "rows"}, "figure2": ..., "figure3", "figure4"}, and
    perhaps "figure5" to "figure8"."""

    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path | None) -> PaperData:
        """Raises LabError where the file cannot be read or holds no such numbers."""
        if file is None:
            return cls()
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            data = cls({part: values[part] for part in (*PARTS, *(p for p in MORE_PARTS if p in values))})
            figures = (data.figure2, data.figure3, data.figure4, data.overhead, data.figure5, data.figure6)
            for part in (data.table1, *figures, data.figure7, data.figure8):
                part()
        except OSError as error:
            raise LabError(f"--paper-data {file} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise LabError(
                f"--paper-data {file} does not hold the paper's numbers ({type(error).__name__}: {error}): "
                f"it needs table1, figure2, figure3 and figure4."
            ) from error
        return data

    @classmethod
    def implied(cls) -> PaperData:
        """What of Figures 7 and 8 follows from the step rates that ship with the lab: the lines of MTP-1, which verifies
        2 tokens a request."""
        seven, eight = {}, {}
        for name, model in PAPER.items():
            rate = paper_step_rate(name)
            speeds = [
                (tokens / 2, rate.about["tau"] * sps) for tokens, sps in zip(rate.tokens, rate.rates, strict=True)
            ]
            throughput = [(requests, requests * speed) for requests, speed in speeds]
            seven[model] = {"mtp": [(speed, made) for (_, speed), (_, made) in zip(speeds, throughput, strict=True)]}
            budget = [(requests, 2.0) for requests, _ in speeds]
            eight[model] = {"mtp": {"throughput_per_gpu": throughput, "verification_budget": budget}}
        return cls({"figure7": seven, "figure8": eight})

    def table1(self) -> dict[str, Points]:
        """tau by method and domain, the mean of its three benchmarks, and the mean of the domains."""
        if "table1" not in self.values:
            return {}
        table = self.values["table1"]
        result = {}
        for method, row in table["rows"][PAPER_MODEL].items():
            means = {d: statistics.mean(float(row[b]) for b in names) for d, names in table["domains"].items()}
            result[method] = means | {"macro": statistics.mean(means.values())}
        return result

    def figure2(self) -> dict[str, dict[str, Points]]:
        """Conditional acceptance by domain, method, position."""
        figure = self.values.get("figure2", {})
        return {d: {m: _floats(points) for m, points in methods.items()} for d, methods in figure.items()}

    def figure3(self) -> dict[str, dict[str, Points]]:
        """tau by domain, method and number of draft layers."""
        from dspark_lab.evaluation.suites import DOMAIN_OF  # which bring in transformers

        values: dict[str, dict[str, dict[float, list[float]]]] = {}
        for benchmark, bars in self.values.get("figure3", {}).items():
            domain = DOMAIN_OF[benchmark.lower().replace(" ", "-")]
            for bar, tau in bars.items():
                method, layers = bar.removesuffix("L").split("_")
                values.setdefault(domain, {}).setdefault(method, {}).setdefault(int(layers), []).append(float(tau))
        return {
            d: {m: {x: statistics.mean(v) for x, v in sorted(p.items())} for m, p in methods.items()}
            for d, methods in values.items()
        }

    def figure4(self) -> dict[str, dict[str, Points]]:
        """tau by domain, series and draft length (anchor counted)."""
        figure = self.values.get("figure4", {})
        return {
            d: {s: _floats(points) for s, points in series.items()} for d, series in figure.items() if d != "latency_ms"
        }

    def overhead(self) -> dict[str, Points]:
        """Round latency over DFlash's at the same draft length, in percent, by series; batch 128."""
        latency = self.values.get("figure4", {}).get("latency_ms", {})
        plain = _floats(latency.get("dflash", []))
        return {
            s: {x: (float(ms) / plain[x] - 1) * 100 for x, ms in points}
            for s, points in latency.items()
            if s != "dflash"
        }

    def figure5(self) -> dict[str, dict[str, Points]]:
        """By domain: accepted and rejected tokens a step and acceptance_rate, by confidence threshold."""
        return {
            domain: {
                name: {float(point["threshold"]): float(point[name]) for point in points}
                for name in ("accepted", "rejected", "acceptance_rate")
            }
            for domain, points in self.values.get("figure5", {}).items()
        }

    def figure6(self) -> dict[int, PaperReliability]:
        """Reliability by draft position."""
        return {
            int(position): PaperReliability(
                float(part["ece_before"]),
                float(part["ece_after"]),
                float(part["auc"]),
                _floats(part["before"]),
                _floats(part["after"]),
                _floats(part["histogram"]),
            )
            for position, part in self.values.get("figure6", {}).items()
        }

    def figure7(self) -> dict[str, dict[str, Points]]:
        """Throughput per GPU by model, method ("mtp", "dspark") and tokens per second and user."""
        return {
            model: {method: _floats(figure[method]) for method in ("mtp", "dspark") if method in figure}
            for model, figure in self.values.get("figure7", {}).items()
        }

    def figure8(self) -> dict[str, dict[str, dict[str, Points]]]:
        """By model, method, and throughput_per_gpu or verification_budget: by concurrent requests per GPU."""
        return {
            model: {
                method: {name: _floats(curves[name]) for name in ("throughput_per_gpu", "verification_budget")}
                for method, curves in methods.items()
            }
            for model, methods in self.values.get("figure8", {}).items()
        }


@dataclass(frozen=True)
class PaperReliability:
    """A panel of Figure 6: errors and AUC; the share accepted by mean confidence, before and after STS; and the height of
    the histogram's bars by bin centre, the highest 1."""

    ece_before: float
    ece_after: float
    auc: float
    before: Points
    after: Points
    histogram: Points


def _floats(points: Sequence[tuple[float, float]]) -> Points:
    return {x: float(y) for x, y in points}
