"""``python -m dspark_widgets.serving NOTEBOOK [options]``: the page server (see ``server.voila_command``)."""

from .page import PageServer

if __name__ == "__main__":
    PageServer.launch_instance()
