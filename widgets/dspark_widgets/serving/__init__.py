"""How the lab is served, offline and with low latency: the page (``server``) and the course (``lab``)."""

from .server import free_port, serve, voila_command

__all__ = ["free_port", "serve", "voila_command"]
