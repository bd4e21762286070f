"""An agent's files: its agent.conf, its tools, its service; and a new machine's, as they come with its first boot."""

import base64
import os
import shutil
from pathlib import Path

import yaml

from . import node, services

AGENTS = node.DATA / 'agents'
TOOLS = node.DATA / 'tools'


class Block(str):
    """A text of several lines, written as it is."""


yaml.SafeDumper.add_representer(
    Block, lambda dumper, text: dumper.represent_scalar('tag:yaml.org,2002:str', text, style='|')
)


def load(name):
    return yaml.safe_load((AGENTS / name / 'agent.conf').read_text())


def dump(settings):
    settings = {
        key: Block(value) if '\n' in str(value) and isinstance(value, str) else value for key, value in settings.items()
    }
    head = f"# format {'1.18' if node.CLASSIC else '2.0'}\n"
    return head + yaml.safe_dump(settings, default_flow_style=False, sort_keys=False)


def save(settings):
    file = AGENTS / settings['tag'] / 'agent.conf'
    partial = file.with_name('agent.conf-new')
    partial.write_text(dump(settings))
    partial.chmod(0o600)
    partial.rename(file)


def names():
    return sorted(file.parent.name for file in AGENTS.glob('*/agent.conf'))


def install_tools(name, version):
    """Makes the version's tools the agent's; they are a copy of the stand-in."""
    directory = f"{version}-{node.ERA['series']}-amd64" if node.CLASSIC else f'{version}-ubuntu-amd64'
    (TOOLS / directory).mkdir(parents=True, exist_ok=True)
    shutil.copy(node.LIBRARY / 'bin/jujud', TOOLS / directory / 'jujud')
    (TOOLS / directory / 'downloaded-tools.txt').write_text(f'{{"version":"{directory}"}}')
    link = TOOLS / f'{name}.new'
    link.unlink(missing_ok=True)
    link.symlink_to(directory)
    os.rename(link, TOOLS / name)


def service(name, command, description):
    if services.UPSTART:
        Path(f'/etc/init/{name}.conf').write_text(
            f'description "{description}"\nrespawn\nrespawn limit 10 5\nexec {command}\n'
        )
    else:
        text = f'[Unit]\nDescription={description}\n[Service]\nExecStart={command}\nRestart=on-failure\n'
        Path(f'/etc/systemd/system/{name}.service').write_text(text)


def install(name):
    """Makes what the package would: tools and services of an agent whose agent.conf is there."""
    settings = load(name)
    install_tools(name, settings['upgradedToVersion'])
    identity = name.removeprefix('machine-')
    command = f'{TOOLS}/{name}/jujud machine --data-dir {node.DATA} --machine-id {identity} --debug'
    service(f'jujud-{name}', command, f'juju agent for {name}')
    if settings.get('jobs') == [node.STATE_JOB]:
        mongod = (
            f'{node.tool("mongod")} --auth --dbpath {node.DATABASE} --port 37017 --sslPEMKeyFile {node.DATA}/server.pem'
        )
        mongod += f' --keyFile {node.SHARED_SECRET} --replSet juju'
        service(node.MONGO_SERVICE, mongod, 'juju state database')
        node.DATABASE.mkdir(parents=True, exist_ok=True)
    if services.UPSTART:
        Path('/etc/rsyslog.d/25-juju.conf').write_text('$ModLoad imfile\n')
    log = Path('/var/log/juju')
    log.mkdir(exist_ok=True)
    for file in (f'{name}.log', 'all-machines.log'):
        (log / file).touch()


def file(path, content, mode=0o600):
    return {'path': str(path), 'mode': mode, 'content': base64.b64encode(content.encode()).decode()}


def machine_files(settings, authorized_key, secrets=None, seed=None):
    """The files of a new machine: of a state server with its secrets, of the first one with what its state is to be."""
    files = [
        file(AGENTS / settings['tag'] / 'agent.conf', dump(settings)),
        file(node.DATA / 'nonce.txt', settings['nonce'], 0o644),
        file('/home/ubuntu/.ssh/authorized_keys', f'{authorized_key}\n'),
    ]
    for name, content in (secrets or {}).items():
        files.append(file(node.SHARED_SECRET if name == 'shared-secret' else node.DATA / name, content))
    if seed:
        files.append(file(node.DATA / 'bootstrap.yaml', yaml.safe_dump(seed)))
    return files
