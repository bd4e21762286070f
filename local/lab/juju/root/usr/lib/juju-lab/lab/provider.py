"""A client of the stand-in for the cloud: instances, and the control bucket of Juju 1.x."""

import http.client
import json

from . import node


def call(method, path, body=None):
    host, port = (node.LIBRARY / 'provider').read_text().strip().split(':')
    connection = http.client.HTTPConnection(host, int(port), timeout=120)
    connection.request(method, path, body)
    response = connection.getresponse()
    content = response.read()
    if response.status == 404:
        return None
    if response.status >= 400:
        raise node.Failure(content.decode())
    return content


def instances():
    return json.loads(call('GET', '/instances'))


def launch(machine, name, files, tags=None, constraints=''):
    """Starts an instance that is a new machine and returns its id and address."""
    return json.loads(
        call(
            'POST',
            '/instances',
            json.dumps(
                {'machine': machine, 'name': name, 'files': files, 'tags': tags or {}, 'constraints': constraints}
            ),
        )
    )


def terminate(instance):
    call('DELETE', f'/instances/{instance}')


def own():
    """The id of this very instance."""
    return (node.LIBRARY / 'instance').read_text().strip()
