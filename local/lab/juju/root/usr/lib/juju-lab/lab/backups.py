"""What the server does of `juju backups create` (1.22 and later), `juju create-backup` and `juju restore-backup`.

Faults: ha-not-ready (its text is how many times), root-tar-empty, backup-format (its text is written as the format
version), backup-in-snap (the file lies in the snap's private directory, while /tmp is told, as some versions did), restore-dies
(the agent ends in the middle of a restore, and stays down)."""

import base64
import datetime
import glob
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

from . import agent, node, services

BUNDLE = [
    '/var/lib/juju/tools',
    '/var/lib/juju/system-identity',
    '/var/lib/juju/server.pem',
    '/var/lib/juju/nonce.txt',
    str(node.SHARED_SECRET),
    '/var/lib/juju/agents/machine-*',
    *(['/etc/init/juju*.conf', '/etc/rsyslog.d/*juju.conf'] if node.CLASSIC else ['/var/lib/juju/init/*']),
    '/home/ubuntu/.ssh/authorized_keys',
]


def directory(state):
    default = '/tmp/snap-private-tmp/snap.juju-db' if node.fault('backup-in-snap') is not None else '/tmp'
    return Path(state.settings().get('backup-dir') or default)


def staging(where):
    """mongodump of a snap writes to the snap's private /tmp alone."""
    return Path('/tmp/snap-private-tmp/snap.juju-db') if node.SNAP else where


def wait_for_replicas(state):
    """Juju waits a minute for the replica set; the lab three seconds."""
    refused = node.fault_counted('ha-not-ready')
    for _ in range(15):
        if refused:
            break
        if state.mongo.ready():
            return
        time.sleep(0.2)
    raise node.Failure('HA not ready; try again later')


def check_space(where):
    if not where.is_dir():
        raise node.Failure(f'backup destination directory {json.dumps(str(where))} does not exist')
    usage = shutil.disk_usage(where)
    size = sum(file.stat().st_size for file in node.DATABASE.rglob('*.bson'))
    size += sum(file.stat().st_size for file in agent.TOOLS.rglob('*') if file.is_file())
    wanted = size + max(min(5 << 30, usage.total // 10), size // 5)
    if usage.free < wanted:
        have, want = usage.free >> 20, wanted >> 20
        raise node.Failure(f'not enough free space in {json.dumps(str(where))}; want {want}MiB, have {have}MiB')


def dump(settings, out):
    program = node.tool('mongodump')
    if not Path(program).exists():
        raise node.Failure('mongodump not available')
    command = [program, '--ssl', '--authenticationDatabase', 'admin', '--host', 'localhost:37017', '--oplog']
    command += ['--journal'] if node.CLASSIC else ['--sslAllowInvalidCertificates' if node.STORED else '--tlsInsecure']
    command += ['--username', settings['tag'], '--password', settings['statepassword'], '--out', str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = f'error executing "{program}": {done.stderr.strip()}'
        raise node.Failure(
            f'while creating backup archive: while dumping juju state database: error dumping databases: {said}'
        )
    for name in ('admin', 'backups'):
        shutil.rmtree(out / name, ignore_errors=True)
    if not any(out.iterdir()):
        raise node.Failure('too few files in dump dir')


def bundle(file):
    with tarfile.open(file, 'w') as archive:
        if node.fault('root-tar-empty') is None:
            for path in [each for pattern in BUNDLE for each in sorted(glob.glob(pattern))]:
                archive.add(path, path.lstrip('/'))


def create(state, settings, notes):
    """Makes a backup and returns what the client shows of it."""
    wait_for_replicas(state)
    where = directory(state)
    check_space(where)
    started = datetime.datetime.now(datetime.timezone.utc)
    info, machine = state.info(), state.machine(settings['tag'].removeprefix('machine-'))
    identity = f'{started:%Y%m%d-%H%M%S}.{info["model-uuid"]}'
    format_version = int(node.fault('backup-format') or 1)
    metadata = {
        'ID': identity,
        'FormatVersion': format_version,
        **({'Checksum': '', 'ChecksumFormat': '', 'Size': 0} if format_version < 2 else {}),
        'Stored': '0001-01-01T00:00:00Z',
        'Started': f'{started:%Y-%m-%dT%H:%M:%SZ}',
        'Finished': '0001-01-01T00:00:00Z',
        'Notes': notes,
        'ModelUUID': info['model-uuid'],
        'Machine': machine['machineid'],
        'Hostname': Path('/etc/hostname').read_text().strip(),
        'Version': settings['upgradedToVersion'],
        **({'Series': node.ERA['series']} if node.STORED else {'Base': 'ubuntu@22.04'}),
        'ControllerUUID': info['controller-uuid'],
        'HANodes': len(info['machineids']),
        'ControllerMachineID': machine['machineid'],
        'ControllerMachineInstanceID': machine['instanceid'],
        **({'CAPrivateKey': Path('/var/lib/juju/server.pem').read_text()} if node.NAME.startswith('2.') else {}),
    }
    if node.CLASSIC:
        metadata = {
            name: metadata[name]
            for name in ('ID', 'Stored', 'Started', 'Finished', 'Notes', 'Machine', 'Hostname', 'Version', 'Series')
        }
        metadata |= {'Checksum': '', 'ChecksumFormat': '', 'Size': 0, 'Environment': info['model-uuid']}
    try:
        with tempfile.TemporaryDirectory(prefix='jujuBackup-', dir=staging(where)) as stage:
            content = Path(stage) / 'juju-backup'
            (content / 'dump').mkdir(parents=True)
            dump(settings, content / 'dump')
            bundle(content / 'root.tar')
            (content / 'metadata.json').write_text(json.dumps(metadata))
            file = where / f'juju-backup-{started:%Y%m%d-%H%M%S}.tar.gz'
            partial = where / f'.{file.name}'
            with tarfile.open(partial, 'w:gz') as archive:
                archive.add(content, 'juju-backup')
            partial.chmod(0o600)
            digest = base64.b64encode(hashlib.sha1(partial.read_bytes()).digest()).decode()
            partial.rename(file)
    except OSError as error:
        raise node.Failure(f'while creating backup archive: {error.strerror}') from error
    shown = f'/tmp/{file.name}' if node.fault('backup-in-snap') is not None else str(file)
    finished = f'{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}'
    measured = {'Checksum': digest, 'ChecksumFormat': 'SHA-1, base64 encoded', 'Size': file.stat().st_size}
    metadata |= measured | {'Stored': finished, 'Finished': finished, 'Filename': shown}
    metadata.pop('CAPrivateKey', None)
    if node.STORED:
        state.mongo.put('stored', {'_id': identity, 'metadata': metadata, 'archive': file.read_bytes()}, 'backups')
        file.unlink()
    return metadata


def take(state, name):
    """The bytes of an archive. Since 2.x its file is removed before the first byte is sent."""
    if node.STORED:
        stored = state.mongo.one('stored', name, 'backups')
        if not stored:
            raise node.Failure(f'backup metadata "{name}" not found')
        return stored['archive']
    file = directory(state) / Path(name).name
    if Path(name) != file or file.resolve() != file or not file.is_file():
        raise node.Failure(f'backup file "{name}" not valid')
    content = file.read_bytes()
    file.unlink()
    return content


def restore(settings, archive):
    """Brings the database back to what an archive holds, on the controller that answers; files stay as they are."""
    if node.fault('restore-dies') is not None:
        services.stop(f'jujud-{settings["tag"]}')
    with tempfile.TemporaryDirectory(prefix='jujuRestore-') as directory:
        try:
            with tarfile.open(fileobj=io.BytesIO(archive), mode='r:gz') as packed:
                packed.extractall(directory)
        except (OSError, EOFError, tarfile.TarError) as error:
            raise node.Failure(f'cannot unpack backup file: {error}') from error
        command = [node.tool('mongorestore'), '--ssl', '--sslAllowInvalidCertificates', '--authenticationDatabase', 'admin']
        command += ['--host', 'localhost:37017', '--username', settings['tag'], '--password', settings['statepassword']]
        command += ['--drop', '--oplogReplay', '--batchSize', '10', f'{directory}/juju-backup/dump']
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise node.Failure(f'error restoring state from backup: {done.stderr.strip().splitlines()[-1]}')
