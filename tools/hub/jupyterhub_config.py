"""JupyterHub for a class on one server: what tools/hub/load.py tests, and docs/places.md explains.

Each learner is an ordinary user of the machine. Lines that name a folder are those to change.
"""

import subprocess
import sys
from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub gives it

environment = Path(sys.executable).parent  # of JupyterHub, JupyterLab and dockerlab
bases = "/srv/dockerlab/bases"  # dockerlab bases --into /srv/dockerlab/bases


def bring_the_course(spawner):  # type: ignore[no-untyped-def]
    """Make the learner's copy of the course, or bring new lessons into it, as that learner."""
    line = ["runuser", "--login", spawner.user.name, "--command", f"{environment}/dockerlab start my-lab"]
    subprocess.run(line, check=True, capture_output=True, timeout=60)


c.Spawner.pre_spawn_hook = bring_the_course
c.Spawner.default_url = "/lab/tree/my-lab/notebooks/00-start-here.ipynb"
c.Spawner.environment = {
    "PATH": f"{environment}:/usr/local/bin:/usr/bin:/bin",  # `dockerlab` in a terminal and in !cells
    "DOCKERLAB_ENGINE": "embedded",  # a class shares no Docker daemon: who may use it is root
    "DOCKERLAB_BASES": bases,
}
# Kernels on sockets in the learner's own folder: a TCP port that was free may be another's a moment later.
c.Spawner.args = ["--KernelManager.transport=ipc"]
c.Spawner.http_timeout = c.Spawner.start_timeout = 120  # a whole class logs in at once

# A server that nobody used for an hour is stopped; what was built stays in the learner's store.
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    }
]
c.JupyterHub.services = [
    {"name": "idle-culler", "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"]}
]
