"""The client's side: its directory (~/.juju or ~/.local/share/juju), its choice of environment, its connection, its
bootstrap."""

import os
import secrets
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import yaml

from . import agent, node, provider, ssh, wire

KEY = node.CLIENT / 'ssh/juju_id_rsa'


def read(name, default=None):
    try:
        return yaml.safe_load((node.CLIENT / name).read_text())
    except FileNotFoundError:
        return default


def write(name, content):
    file = node.CLIENT / name
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.write_text(yaml.safe_dump(content, default_flow_style=False))
    file.chmod(0o600)


def current():
    """The name of the environment or controller that commands go to."""
    if not node.CLASSIC:
        # Known from 2.5 on only, so no stand-in knows it.
        name = read('controllers.yaml', {}).get('current-controller')
        if not name:
            raise node.Failure('No controllers registered.')
        return name
    chosen = os.environ.get('JUJU_ENV')
    if not chosen and (node.CLIENT / 'current-environment').exists():
        chosen = (node.CLIENT / 'current-environment').read_text().strip()
    return chosen or environments().get('default') or ''


def environments():
    found = read('environments.yaml')
    if found is None:
        raise node.Failure(
            f'couldn\'t read the environment: open {node.CLIENT}/environments.yaml: no such file or directory'
        )
    return found


def environment(name):
    known = environments()['environments']
    if name not in known:
        raise node.Failure(f'environment "{name}" not found')
    return known[name]


class Connection:
    """Calls the API of an environment or controller."""

    def __init__(self, name):
        self.name = name
        if node.CLASSIC:
            environment(name)
            known = read(f'environments/{name}.jenv')
            if not known or 'state-servers' not in known:
                raise node.Failure('environment is not bootstrapped')
            self.addresses, self.user, self.password = known['state-servers'], known['user'], known['password']
        else:
            known = read('controllers.yaml', {}).get('controllers', {}).get(name)
            account = read('accounts.yaml', {}).get('controllers', {}).get(name)
            if not known or not account:
                raise node.Failure(f'controller {name} not found')
            self.addresses, self.user, self.password = known['api-endpoints'], account['user'], account['password']
        self.cacert = known['ca-cert']

    def call(self, op, timeout=300, **request):
        """Asks the first API server that answers; Juju retries for minutes when none does, the lab for five seconds."""
        request |= {'op': op, 'user': self.user, 'password': self.password, 'cacert': self.cacert}
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for place in self.addresses:
                host, port = place.split(':')
                try:
                    return wire.call(host, int(port), request, timeout)
                except ConnectionRefusedError:
                    continue
                except ConnectionError:
                    if op != 'status':
                        raise
                except wire.Refused as error:
                    raise node.Failure(str(error)) from error
            time.sleep(0.2)
        what = 'environment' if node.CLASSIC else 'API'
        raise node.Failure(
            f'unable to connect to {what} "{self.name}": no API server answers at {", ".join(self.addresses)}'
        )

    def address(self, machine):
        """The address of a machine, which may be named as MODEL:ID since 2.x."""
        status = self.call('status')
        model, _, name = machine.rpartition(':')
        uuid = next((each['_id'] for each in status['models'] if each['name'] == model), status['model-uuid'])
        for each in status['machines']:
            if each['id'] == name and (each['model'] == uuid):
                return each['address']
        raise node.Failure(f'machine {machine} not found')

    def ssh(self, machine, command, data=b''):
        return ssh.ssh(self.address(machine), command, KEY, data)


def certificates():
    """A CA's certificate and the server's certificate with its key."""
    with tempfile.TemporaryDirectory() as directory:

        def make(name, subject):
            subprocess.run(
                ['openssl', 'req', '-x509', '-newkey', 'ed25519', '-nodes', '-days', '3650', '-subj', f'/CN={subject}']
                + ['-keyout', f'{directory}/{name}.key', '-out', f'{directory}/{name}.crt'],
                check=True,
                capture_output=True,
            )
            return [Path(f'{directory}/{name}.{kind}').read_text() for kind in ('crt', 'key')]

        return make('ca', 'juju-generated CA'), ''.join(make('server', 'anything'))


def ensure_key():
    if not KEY.exists():
        KEY.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'juju-client-key', '-f', KEY], check=True)
    return KEY.with_suffix('.pub').read_text().strip()


def bootstrap(name, constraints=''):
    """Starts an instance that becomes machine 0, and returns its address and id when its API answers."""
    known = (read(f'environments/{name}.jenv') if node.CLASSIC else None) or {}
    config = known.get('bootstrap-config') or (dict(environment(name)) if node.CLASSIC else {})
    authority, server = certificates()
    config.setdefault('admin-secret', secrets.token_hex(16))
    config.setdefault('ca-cert', authority[0])
    config.setdefault('ca-private-key', authority[1])
    own = ensure_key()
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(
            ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'juju-system-key', '-f', f'{directory}/key'],
            check=True,
        )
        identity, system = (Path(f'{directory}/{each}').read_text() for each in ('key', 'key.pub'))
    controller, model = (str(uuid.uuid4()) for _ in range(2))
    if node.CLASSIC:
        controller = model
    password, old = (secrets.token_hex(16) for _ in range(2))
    settings = {
        'tag': 'machine-0',
        'datadir': '/var/lib/juju',
        'logdir': '/var/log/juju',
        'nonce': 'user-admin:bootstrap',
        'jobs': [node.STATE_JOB],
        'controller': controller,
        'model': model,
        'upgradedToVersion': node.ERA['version'],
        'cacert': config['ca-cert'],
        'stateaddresses': ['localhost:37017'],
        'statepassword': password,
        'apiaddresses': ['localhost:17070'],
        'apipassword': password,
        'oldpassword': old,
        'stateport': 37017,
        'apiport': 17070,
    }
    seed = {
        'name': name if node.CLASSIC else 'controller',
        'model-uuid': model,
        'workload-uuid': str(uuid.uuid4()),
        'controller-uuid': controller,
        'admin-secret': config['admin-secret'],
        'machine-password': password,
        'old-password': old,
        'nonce': settings['nonce'],
        'settings': {
            **{key: value for key, value in config.items() if key not in ('admin-secret', 'ca-private-key')},
            'name': name if node.CLASSIC else 'controller',
            'type': 'ec2',
            'uuid': model,
            'agent-version': node.ERA['version'],
        },
    }
    pem = {'server.pem': server, 'system-identity': identity, 'shared-secret': secrets.token_urlsafe(48)}
    files = agent.machine_files(settings, f'{own}\n{system.strip()}', pem, seed)
    label = name if node.CLASSIC else 'controller'
    tags = {'juju-controller-uuid': controller, 'juju-is-controller': 'true', 'juju-model-uuid': model}
    launched = provider.launch('0', f'juju-{label}-machine-0', files, None if node.CLASSIC else tags, constraints)
    address = launched['address']
    if node.CLASSIC:
        save_provider_state(config, launched['instanceId'])
        write(
            f'environments/{name}.jenv',
            {
                'user': 'admin',
                'password': config['admin-secret'],
                'environ-uuid': model,
                'state-servers': [f'{address}:17070'],
                'ca-cert': config['ca-cert'],
                'bootstrap-config': config,
            },
        )
    else:
        details = {
            'uuid': controller,
            'api-endpoints': [f'{address}:17070'],
            'ca-cert': config['ca-cert'],
            'cloud': 'aws',
            'region': 'us-east-1',
            'agent-version': node.ERA['version'],
        }
        write('controllers.yaml', {'controllers': {name: details}, 'current-controller': name})
        write(
            'accounts.yaml',
            {
                'controllers': {
                    name: {'user': 'admin', 'password': config['admin-secret'], 'last-known-access': 'superuser'}
                }
            },
        )
        models = {
            'admin/controller': {'uuid': model, 'type': 'iaas'},
            'admin/default': {'uuid': seed['workload-uuid'], 'type': 'iaas'},
        }
        write('models.yaml', {'controllers': {name: {'models': models, 'current-model': 'admin/default'}}})
    wait(name)
    return address, launched['instanceId']


def wait(name):
    for _ in range(200):
        try:
            return Connection(name).call('status', timeout=5)
        except (node.Failure, OSError):
            time.sleep(0.1)
    raise node.Failure('no API server after the bootstrap')


def provider_state(config):
    return f'/{config["control-bucket"]}/provider-state'


def save_provider_state(config, instance):
    provider.call('PUT', provider_state(config), yaml.safe_dump({'state-instances': [instance]}))
