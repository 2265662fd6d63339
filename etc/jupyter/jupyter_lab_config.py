"""`jupyter lab`, started anywhere in the course's folder, opens the course's start page.

The wheel (an editable one too) puts this file into `etc/jupyter` of the environment, where JupyterLab looks by itself.
Elsewhere than in the course's folder it changes nothing, and what is said on the command line goes before it.
"""

from pathlib import Path

here = Path.cwd()
course = next(
    (
        folder
        for folder in (here, *here.parents)
        if (folder / "notebooks" / "start.ipynb").is_file()
    ),
    None,
)
if course is not None:
    c = get_config()  # noqa: F821  (Jupyter puts it into this file's namespace)
    c.ServerApp.root_dir = str(course)
    c.LabApp.default_url = "/lab/tree/notebooks/start.ipynb"
    # In a container one often is root, and Jupyter then refuses to start. It listens on this computer only, and asks
    # for the token in the address that it prints (the default, deliberately left as it is).
    c.ServerApp.allow_root = True
    c.ServerApp.ip = "127.0.0.1"

    from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

    class AtOnce(ZMQChannelsWebsocketConnection):
        """Sends small messages at once. By default the system waits for an acknowledgement of the one before, up to 40 ms (Nagle's
        algorithm and delayed acknowledgements): a panel would follow the hand that much later."""

        def connect(self):
            self.websocket_handler.set_nodelay(True)
            return super().connect()

    c.ServerApp.kernel_websocket_connection_class = AtOnce

    # Pictures follow the dark theme by edalab/custom.css, also in a notebook that is not trusted.
    c.LabApp.custom_css = True
    c.ServerApp.tornado_settings = {"static_custom_path": [str(Path(__file__).parent / "edalab")]}

    VIEW, STATE = (f"application/vnd.jupyter.widget-{what}+json" for what in ("view", "state"))

    def keep_pictures(model, **_):
        """Saves no view of a widget that is not saved with it: once its kernel is gone, JupyterLab
        shows an error for such a view, and not the picture that is saved beside it."""
        if model["type"] != "notebook":
            return
        notebook = model["content"]
        saved = notebook["metadata"].get("widgets", {}).get(STATE, {}).get("state", {})
        for cell in notebook.get("cells", []):
            for output in cell.get("outputs", []):
                data = output.get("data", {})
                if len(data) > 1 and data.get(VIEW, {}).get("model_id") not in saved:
                    data.pop(VIEW, None)

    c.ContentsManager.pre_save_hook = keep_pictures
