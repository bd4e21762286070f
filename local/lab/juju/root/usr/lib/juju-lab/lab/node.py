"""What a stand-in asks of its node: the era of Juju it plays, its address, and the faults it was told to play."""

import os
import socket
import sys
from pathlib import Path

LIBRARY = Path('/usr/lib/juju-lab')
FAULTS = Path('/etc/juju-lab')
DATA = Path('/var/lib/juju')

ERAS = {
    '1.20': dict(
        version='1.20.11',
        next='1.20.14',
        series='trusty',
        init='upstart',
        mongo='/usr/lib/juju/bin',
        prefix=False,
    ),
    '1.25': dict(
        version='1.25.10',
        next='1.25.13',
        series='trusty',
        init='upstart',
        mongo='/usr/lib/juju/bin',
        prefix=True,
    ),
    '2.9': dict(
        version='2.9.18',
        next='2.9.21',
        series='focal',
        init='systemd',
        mongo='/usr/lib/juju/mongo4.0/bin',
        prefix=True,
    ),
    '3.6': dict(
        version='3.6.4', next='3.6.9', series='jammy', init='systemd', mongo='/snap/bin', prefix=True
    ),
}
NAME = (LIBRARY / 'era').read_text().strip()
ERA = ERAS[NAME]
CLASSIC = NAME.startswith('1.')
# Backups lie in the database until they are removed; later ones are files of the controller that made them.
STORED = NAME in ('1.25', '2.9')
SNAP = ERA['mongo'] == '/snap/bin'
DATABASE = Path('/var/snap/juju-db/common/db' if SNAP else DATA / 'db')
SHARED_SECRET = Path('/var/snap/juju-db/common/shared-secret' if SNAP else DATA / 'shared-secret')
MONGO_SERVICE = 'snap.juju-db.daemon' if SNAP else 'juju-db'
APPLICATIONS = 'services' if CLASSIC else 'applications'
CONTROLLERS = 'stateServers' if CLASSIC else 'controllers'
MODELS = 'environments' if CLASSIC else 'models'
STATE_JOB = 'JobManageEnviron' if CLASSIC else 'JobManageModel'
HOME = Path(os.environ.get('HOME') or '/')
CLIENT = Path(
    os.environ.get('JUJU_HOME', HOME / '.juju') if CLASSIC else os.environ.get('JUJU_DATA', HOME / '.local/share/juju')
)


def tool(name):
    """The path of one of MongoDB's programs as this era names it."""
    return f'/snap/bin/juju-db.{name}' if SNAP else f"{ERA['mongo']}/{name}"


def address():
    return socket.gethostbyname(socket.gethostname())


def fault(name):
    """The text of a fault's file, which may be empty; None when the fault is not to be played."""
    try:
        return (FAULTS / name).read_text().strip()
    except FileNotFoundError:
        return None


def fault_counted(name):
    """Like fault, for as many times as its file says."""
    left = int(fault(name) or 0)
    if left > 0:
        (FAULTS / name).write_text(str(left - 1))
    return left > 0


class Failure(Exception):
    """What a program ends with: its message on stderr and its exit code."""

    def __init__(self, message, code=1):
        super().__init__(message)
        self.code = code


def run(main, prefix='error: '):
    try:
        sys.exit(main(sys.argv[1:]) or 0)
    except Failure as failure:
        print(f'{prefix}{failure}', file=sys.stderr)
        sys.exit(failure.code)
