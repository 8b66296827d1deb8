"""A page server's processes and their memory, as Linux counts them."""

from __future__ import annotations

from pathlib import Path


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    try:
        return [
            int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _read(task / "children").split()
        ]
    except OSError:  # it has ended
        return []


def family(pid: int) -> list[int]:
    """The process, its children, theirs, and so on."""
    return [pid, *(found for child in children(pid) for found in family(child))]


def kernels(pid: int) -> list[int]:
    """The kernels of a page server, in its pool or at a page: started by it, or by its fork server."""
    started = {child: _read(Path(f"/proc/{child}/cmdline")) for child in children(pid)}
    forked = [kernel for child, command in started.items() if ".forkserver" in command for kernel in children(child)]
    return [*(child for child, command in started.items() if "ipykernel" in command), *forked]


def megabytes(pid: int, field: str = "Pss") -> float:
    """A field of the process's memory: "Pss" counts a shared page by its share, "Private_Dirty" what is its own alone."""
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / 1024
    return 0.0


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
