"""Juju's state in MongoDB, as far as backups, restores and upgrades touch it."""

import datetime

from . import mongo, node


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class State:
    def __init__(self, client):
        self.mongo = client

    def info(self):
        info = self.mongo.one(node.CONTROLLERS, 'e')
        if not info:
            raise node.Failure('the state is not initialised')
        return info

    def id(self, name, model=None):
        return f'{model or self.info()["model-uuid"]}:{name}' if node.ERA['prefix'] else name

    def settings(self):
        return self.mongo.one('settings', self.id('e'))

    def set(self, **values):
        self.mongo.put('settings', {**self.settings(), **values})

    def version(self, model=None):
        """The version that the agents of a model shall have; since 2.x each model has one of its own."""
        own = self.mongo.one(node.MODELS, model) if model and not node.CLASSIC else None
        return (own or {}).get('agent-version') or self.settings()['agent-version']

    def models(self):
        return self.mongo.find(node.MODELS)

    def workload_model(self):
        """The model that machines and applications are added to."""
        info = self.info()
        return next((each['_id'] for each in self.models() if each['_id'] != info['model-uuid']), info['model-uuid'])

    def machines(self, model=None):
        found = self.mongo.find('machines', {'model-uuid': model} if model else {})
        return sorted(found, key=lambda machine: (machine['model-uuid'], int(machine['machineid'])))

    def machine(self, name, model=None):
        return self.mongo.one('machines', self.id(name, model))

    def state_servers(self):
        info = self.info()
        return [machine for machine in self.machines(info['model-uuid']) if machine['machineid'] in info['machineids']]

    def api_addresses(self):
        return [f'{machine["address"]}:17070' for machine in self.state_servers() if machine.get('address')]

    def alive(self, machine):
        ping = self.mongo.one('pings', machine['_id'], 'presence')
        if not ping:
            return False
        return (now().replace(tzinfo=None) - ping['at']).total_seconds() < 5

    def ping(self, machine, version, address):
        self.mongo.put('pings', {'_id': machine['_id'], 'at': now()}, 'presence')
        if (machine.get('tools'), machine.get('address')) != (version, address):
            self.mongo.put('machines', {**machine, 'tools': version, 'address': address})

    def add_machine(self, name, model, password, instance, jobs, nonce):
        identity = self.id(name, model)
        machine = {
            '_id': identity,
            'model-uuid': model,
            'machineid': name,
            **({'base': {'os': 'ubuntu', 'channel': '22.04'}} if node.NAME == '3.6' else {'series': node.ERA['series']}),
            'jobs': jobs,
            'hasvote': jobs == [node.STATE_JOB],
            'nonce': nonce,
            'passwordhash': mongo.digest(password),
            'instanceid': instance,
            'principals': [],
            'life': 0,
        }
        self.mongo.put('machines', machine)
        self.mongo.put(
            'instanceData', {'_id': identity, 'model-uuid': model, 'machineid': name, 'instanceid': instance}
        )

    def set_state_servers(self, names):
        self.mongo.put(node.CONTROLLERS, {**self.info(), 'machineids': names, 'votingmachineids': names})
        if not node.CLASSIC:
            for document in self.mongo.find('controllerNodes'):
                self.mongo.remove('controllerNodes', {'_id': document['_id']})
            for name in names:
                self.mongo.put('controllerNodes', {'_id': name, 'has-vote': True, 'wants-vote': True})

    def applications(self):
        return sorted(each['name'] for each in self.mongo.find(node.APPLICATIONS))

    def deploy(self, name):
        model = self.workload_model()
        document = {
            '_id': self.id(name, model),
            'model-uuid': model,
            'name': name,
            'charmurl': f'cs:{name}-1',
            'life': 0,
        }
        self.mongo.put(node.APPLICATIONS, document)

    def destroy(self, name):
        self.mongo.remove(node.APPLICATIONS, {'name': name})


def initialise(seed, client, instance, address):
    """The state of a new environment or controller; seed is what the client decided."""
    member = {'_id': 1, 'host': f'{address}:{mongo.PORT}', 'tags': {'juju-machine-id': '0'}}
    client.call('initiate', config={'_id': 'juju', 'version': 1, 'members': [member]})
    state = State(client)
    uuid = seed['model-uuid']
    info = {
        '_id': 'e',
        'model-uuid': uuid,
        'controller-uuid': seed['controller-uuid'],
        'machineids': ['0'],
        'votingmachineids': ['0'],
    }
    client.put(node.CONTROLLERS, info)
    client.put('settings', {'_id': state.id('e', uuid), **seed['settings']})
    client.put(node.MODELS, {'_id': uuid, 'name': seed['name'], 'life': 0})
    if not node.CLASSIC:
        client.put(
            node.MODELS,
            {'_id': seed['workload-uuid'], 'name': 'default', 'life': 0, 'agent-version': node.ERA['version']},
        )
        client.put('clouds', {'_id': 'aws', 'type': 'ec2'})
        client.put('statuseshistory', {'_id': '1', 'status': 'started'})
        client.put('logs.controller', {'_id': '1', 'text': 'started'}, 'logs')
    client.put('users', {'_id': 'admin', 'name': 'admin', 'passwordhash': mongo.digest(seed['admin-secret'])})
    client.put('managedResources', {'_id': '1', 'path': 'tools'}, 'blobstore')
    state.add_machine('0', uuid, seed['machine-password'], instance, [node.STATE_JOB], seed['nonce'])
    if not node.CLASSIC:
        state.set_state_servers(['0'])
    # The first user must be the client's own: from then on the server wants to know who asks.
    client.add_user('machine-0', seed['machine-password'])
    client.add_user('admin', seed['old-password'])
