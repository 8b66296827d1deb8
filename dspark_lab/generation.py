"""Speculative decoding behind transformers' own ``generate``: ``model.generate(..., custom_generate=speculate())``.

transformers prepares everything as always (generation config, stopping criteria, lengths) and hands the decoding itself
to the callable. What comes out has the distribution that ``generate`` samples from, greedy decoding gives the same
tokens up to floating-point ties; what cannot be honoured is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList
from transformers.generation import (
    GenerateDecoderOnlyOutput,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.generation.configuration_utils import GenerationMode
from transformers.generation.streamers import BaseStreamer

from dspark_lab.decoding import decode_round, prefill
from dspark_lab.drafters.base import Drafter
from dspark_lab.errors import LabError
from dspark_lab.loading import load_drafter, name_of
from dspark_lab.session import check_gamma
from dspark_lab.settings import Overrides, Settings
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo

Decode = Callable[..., Tensor | GenerateDecoderOnlyOutput]

_WARPERS = (TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper)
"""What a session's settings can say, in the order in which they apply."""

_PREPARED = {"attention_mask", "position_ids", "past_key_values", "cache_position", "use_cache", "logits_to_keep"}
"""Arguments for the model's forward that ``generate`` adds by itself."""

_OUTPUTS = ("output_scores", "output_logits", "output_attentions", "output_hidden_states")


def speculate(
    drafter: str | Path | Drafter = "dspark",
    *,
    gamma: int | None = None,
    tree: int = 0,
    seed: int | None = None,
    streamer: BaseStreamer | None = None,
) -> Decode:
    """What ``model.generate`` takes as ``custom_generate`` to decode speculatively.

    ``do_sample``, ``temperature``, ``top_k``, ``top_p``, ``max_new_tokens`` or ``max_length``, ``eos_token_id``, the
    stopping criteria (``max_time`` and your own among them, asked after every token) and ``return_dict_in_generate``
    (sequences alone) mean what they always mean, but that ties at the k-th place of top-k keep the lower ids, and that the
    model's context is never overrun. Stop strings go in as ``stopping_criteria=[StopStringCriteria(tokenizer, [...])]``:
    transformers hands the ``tokenizer`` of ``generate``, which ``stop_strings`` needs, on to no callable.

    Args:
        drafter: a kind, folder or hub id as in ``dspark_lab.load``, or a loaded drafter for this model. It is loaded once
            a model and kept with it.
        gamma, tree: as in ``dspark_lab.Settings``.
        seed: addresses the uniforms, so that the same call gives the same text; None draws one from torch's own CPU
            generator, which ``torch.manual_seed`` governs. Seeds do not give what ``generate`` alone would sample.
        streamer: is given the prompt, then each round's tokens. It belongs here: the ``streamer`` of ``generate`` is handed on
            to no callable either.

    Raises:
        LabError: when generating, where an option cannot be honoured: more than one sequence, beams, logits
            processors (penalties and the like), scores or states to be returned, padding, a cache with content.
    """
    chosen = Settings(gamma=gamma, tree=tree, seed=0 if seed is None else seed)

    def decode(
        model: PreTrainedModel,
        input_ids: Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        **model_kwargs: Any,
    ) -> Tensor | GenerateDecoderOnlyOutput:
        _check(model, input_ids, generation_config, model_kwargs)
        settings = chosen.with_changes(_sampling(generation_config, logits_processor))
        if seed is None and settings.temperature:
            settings = settings.with_changes({"seed": int(torch.randint(2**63 - 1, ()))})
        target, loaded = _pair(model, drafter)
        check_gamma(settings, loaded)
        target = copy(target)
        vars(target)["stop_tokens"] = _stop_tokens(generation_config)
        limit = min(int(generation_config.max_length), target.context_limit)
        if input_ids.shape[1] >= limit:
            raise LabError(
                f"the prompt has {input_ids.shape[1]:,} tokens, but with the answer at most {limit:,} fit: shorten it."
            )
        if streamer:
            streamer.put(input_ids.cpu())
        state, sequence, index, done = prefill(target, loaded, input_ids[0].tolist()), input_ids, 0, False
        while not done:
            room = limit - len(state.tokens)
            emitted = decode_round(target, loaded, state, index, settings, room, Overrides()).emitted
            whole = torch.cat([sequence, torch.tensor([emitted], device=sequence.device)], dim=1)
            fresh, done = _until_stopped(whole, sequence.shape[1], stopping_criteria)
            if streamer:
                streamer.put(fresh[0, sequence.shape[1] :].cpu())
            sequence, index = fresh, index + 1
            done = done or sequence.shape[1] >= limit
        if streamer:
            streamer.end()
        if generation_config.return_dict_in_generate:
            return GenerateDecoderOnlyOutput(sequences=cast(torch.LongTensor, sequence))
        return sequence

    return decode


def _until_stopped(sequence: Tensor, start: int, criteria: StoppingCriteriaList) -> tuple[Tensor, bool]:
    """``sequence`` [1, n] up to the first token from place ``start`` on with which a criterion stops it, and whether one
    did. Every prefix is asked, as if the tokens had come one by one."""
    for end in range(start + 1, sequence.shape[1] + 1):
        if bool(criteria(sequence[:, :end], cast(Any, None)).any()):
            return sequence[:, :end], True
    return sequence, False


def _pair(model: PreTrainedModel, drafter: str | Path | Drafter) -> tuple[Target, Drafter]:
    """The model as a target, and its drafter; what is loaded once lives as long as the model does."""
    kept: dict[Any, Any] = vars(model).setdefault("_dspark_lab", {})
    if "target" not in kept:
        name = Path(model.name_or_path) if model.name_or_path else "the model"
        info = ModelInfo(name_of(name), "target", "", model.num_parameters())
        # Nothing here turns ids into text; packing would move the weights of a model that is not ours.
        kept["target"] = Target(model, cast(Any, None), info, packed=False)
    target = kept["target"]
    if not isinstance(drafter, (str, Path)):
        return target, drafter
    key = str(drafter), model.device, model.dtype
    if key not in kept:
        kept[key] = load_drafter(drafter, target)
    return target, kept[key]


def _sampling(config: GenerationConfig, processors: LogitsProcessorList) -> dict[str, float | int]:
    """Temperature, top-k and top-p as the prepared processors apply them. Raises LabError for any other processor."""
    found: dict[str, float | int] = {"temperature": 1.0 if config.do_sample else 0.0}
    places = []
    for processor in processors:
        if type(processor) not in _WARPERS:
            raise LabError(
                f"speculative decoding applies no {type(processor).__name__}: leave out the option that asks for it; "
                f"temperature, top_k and top_p are there."
            )
        places.append(_WARPERS.index(type(processor)))
        name = ("temperature", "top_k", "top_p")[places[-1]]
        if config.do_sample:
            found[name] = getattr(processor, name)
    if places != sorted(set(places)):
        raise LabError("temperature, top_k and top_p can be applied once each and in this order: give them as options.")
    return found


def _stop_tokens(config: GenerationConfig) -> frozenset[int]:
    eos = config.eos_token_id
    ids = eos if isinstance(eos, (list, tuple)) else [eos]
    return frozenset(int(i) for i in ids if i is not None)


def _check(model: PreTrainedModel, input_ids: Tensor, config: GenerationConfig, given: dict[str, Any]) -> None:
    """Raises LabError for what ``generate`` was asked and speculative decoding cannot do."""
    mode = config.get_generation_mode()
    if mode not in (GenerationMode.GREEDY_SEARCH, GenerationMode.SAMPLE):
        raise LabError(
            f"the options ask for {mode.value.replace('_', ' ')}, but this decodes greedily or samples: leave out what "
            f"asks for more, such as num_beams."
        )
    if model.config.is_encoder_decoder:
        raise LabError(f"{type(model).__name__} is an encoder-decoder, but only causal LMs can be targets.")
    if model.training:
        raise LabError("the model is in training mode, where dropout blurs its distribution: call model.eval().")
    if input_ids.shape[0] != 1:
        raise LabError(
            f"{input_ids.shape[0]} sequences are asked for, but this decodes one: call generate once for each."
        )
    if not input_ids.shape[1]:
        raise LabError("the prompt has no tokens: give at least one.")
    wanted = [name for name in _OUTPUTS if getattr(config, name, None)]
    if wanted and config.return_dict_in_generate:
        raise LabError(f"{wanted[0]} is set, but sequences are all that this returns: leave it out.")
    unknown = [name for name, value in given.items() if value is not None and name not in _PREPARED]
    if unknown:
        raise LabError(f"{unknown[0]} is given, but the target reads input_ids alone: leave it out.")
    mask, positions, cache = (given.get(name) for name in ("attention_mask", "position_ids", "past_key_values"))
    if mask is not None and not bool(mask.all()):
        raise LabError("the attention mask hides tokens, but a single prompt needs no padding: leave the padding out.")
    if positions is not None and positions.flatten().tolist() != list(range(input_ids.shape[1])):
        raise LabError("position_ids do not count from 0, but a prompt is read from its start: leave them out.")
    if cache is not None and cache.get_seq_length():
        raise LabError(
            f"past_key_values holds {cache.get_seq_length()} tokens, but speculative decoding keeps a cache of its own: "
            f"leave it out."
        )
