"""The stand-in for a MongoDB: collections as files of BSON, DIRECTORY/<database>/<collection>.bson, and a client of
its server."""

import fcntl
import hashlib
import os
from pathlib import Path

import bson

from . import node, wire

PORT = 37017


def digest(password):
    return hashlib.sha1(password.encode()).hexdigest()


def key(document):
    return bson.encode({'': document['_id'] if '_id' in document else document['ts']})


def matches(document, query):
    return all(document.get(name) == value for name, value in query.items())


class Locked(Exception):
    """A server is running on the data files."""


class Store:
    """The data files of one server."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.lock = open(self.directory / 'mongod.lock', 'a+')
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Locked from error
        self.lock.truncate(0)
        self.lock.write(f'{os.getpid()}\n')
        self.lock.flush()
        self.databases = {}
        for file in sorted(self.directory.glob('*/*.bson')):
            documents = bson.decode_all(file.read_bytes())
            self.databases.setdefault(file.parent.name, {})[file.stem] = {key(each): each for each in documents}

    def close(self):
        self.lock.truncate(0)
        self.lock.close()

    def find(self, database, collection, query=None):
        documents = self.databases.get(database, {}).get(collection, {})
        return [each for each in documents.values() if matches(each, query or {})]

    def put(self, database, collection, document, most=None):
        documents = self.databases.setdefault(database, {}).setdefault(collection, {})
        documents[key(document)] = document
        while most and len(documents) > most:
            documents.pop(next(iter(documents)))
        self.save(database, collection)

    def remove(self, database, collection, query):
        for document in self.find(database, collection, query):
            del self.databases[database][collection][key(document)]
        self.save(database, collection)

    def drop(self, database, collection):
        self.databases.get(database, {}).pop(collection, None)
        (self.directory / database / f'{collection}.bson').unlink(missing_ok=True)

    def save(self, database, collection):
        file = self.directory / database / f'{collection}.bson'
        file.parent.mkdir(exist_ok=True)
        partial = file.with_suffix('.partial')
        partial.write_bytes(b''.join(bson.encode(each) for each in self.find(database, collection)))
        partial.rename(file)


class Mongo:
    """A client of a server; writes find the primary by themselves."""

    def __init__(self, user=None, password=None, host='localhost', port=PORT):
        self.user, self.password, self.host, self.port = user, password, host, port

    def call(self, op, **request):
        request |= {'op': op, 'user': self.user, 'password': self.password}
        answer = wire.call(self.host, self.port, request)
        if 'primary' in answer and answer.get('redirect'):
            host, port = answer['primary'].split(':')
            answer = wire.call(host, int(port), request)
        if answer.get('redirect'):
            raise wire.Refused('not master and no primary known')
        return answer

    def find(self, collection, query=None, database='juju'):
        return self.call('find', database=database, collection=collection, query=query or {})['documents']

    def one(self, collection, identity, database='juju'):
        return next(iter(self.find(collection, {'_id': identity}, database)), None)

    def put(self, collection, document, database='juju'):
        self.call('put', database=database, collection=collection, document=document)

    def remove(self, collection, query, database='juju'):
        self.call('remove', database=database, collection=collection, query=query)

    def add_user(self, name, password):
        self.put('system.users', {'_id': f'admin.{name}', 'user': name, 'credentials': digest(password)}, 'admin')

    def members(self):
        return self.call('status')['members']

    def ready(self):
        """Whether there is a primary and every member of the replica set is well."""
        try:
            members = self.members()
        except (OSError, wire.Refused):
            return False
        states = [member['state'] for member in members]
        return states.count('PRIMARY') == 1 and all(state in ('PRIMARY', 'SECONDARY') for state in states)
