"""Services of upstart jobs (/etc/init/*.conf) and systemd units (/etc/systemd/system/*.service), each under a
supervisor that starts it again when it ends by itself."""

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

from . import node

UPSTART = node.ERA['init'] == 'upstart'
RUN = Path('/run/juju-lab')


def names():
    directory, suffix = ('/etc/init', '.conf') if UPSTART else ('/etc/systemd/system', '.service')
    return sorted(file.name.removesuffix(suffix) for file in Path(directory).glob(f'*{suffix}'))


def command(name):
    """What the service runs; None when there is no such service."""
    file, key = (
        (f'/etc/init/{name}.conf', 'exec ') if UPSTART else (f'/etc/systemd/system/{name}.service', 'ExecStart=')
    )
    try:
        lines = Path(file).read_text().splitlines()
    except FileNotFoundError:
        return None
    return next(shlex.split(line.strip().removeprefix(key)) for line in lines if line.strip().startswith(key))


def read(name, kind):
    try:
        return int((RUN / f'{name}.{kind}').read_text())
    except (FileNotFoundError, ValueError):
        return 0


def alive(pid):
    try:
        os.kill(pid, 0)
        return pid > 0 and Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except (ProcessLookupError, FileNotFoundError):
        return False


def running(name):
    """The process id of a running service, 0 when it does not run."""
    return read(name, 'child') if alive(read(name, 'supervisor')) else 0


def start(name):
    RUN.mkdir(exist_ok=True)
    (RUN / f'{name}.failed').unlink(missing_ok=True)
    reader, writer = os.pipe()
    subprocess.Popen(
        [node.LIBRARY / 'bin/supervise', name, str(writer)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # As started by the first process: nothing of whoever asked for it.
        env={'PATH': os.environ.get('PATH', '/usr/bin:/bin')},
        pass_fds=[writer],
    )
    os.close(writer)
    with open(reader) as told:
        told.read()


def stop(name):
    supervisor = read(name, 'supervisor')
    if alive(supervisor):
        os.kill(supervisor, signal.SIGTERM)
    while alive(supervisor):
        time.sleep(0.02)


def failed(name):
    return (RUN / f'{name}.failed').exists()
