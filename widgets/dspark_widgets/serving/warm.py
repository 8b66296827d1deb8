"""Imported by the fork server (see ``forks``): what is here once, every kernel forked from it shares, until it changes it.

No thread may be running when a kernel is forked, so nothing here may start one.
"""

from __future__ import annotations

import os

# Before torch is imported: pools of threads do not survive a fork.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # the debugger's warning, which is for who debugs

import gc
import logging

import ipykernel.debugger  # each kernel brings it, though none here is debugged
import ipykernel.ipkernel
import ipykernel.kernelapp
import ipykernel.zmqshell  # noqa: F401
import torch

from dspark_lab.loading import shared
from dspark_lab.settings import Settings
from dspark_widgets.app import RECORDED
from dspark_widgets.examples import find_examples

WARMING = Settings(max_new_tokens=8, policy="early-break", load=8)

try:
    torch.set_num_threads(1)
    # A first run imports what runs import late, and fills what is kept between runs.
    shared().generate("Tom has 3 apples.", WARMING)
    find_examples(RECORDED)  # but no widget: with one made here, none of a kernel is heard
except Exception:  # the page's own load meets it again, and tells it there
    logging.getLogger(__name__).exception("the models could not be loaded ahead")
gc.collect()
gc.freeze()  # a collection in a kernel then leaves these objects alone, and so their pages shared
