"""The client of the stand-in for sshd."""

import subprocess
import sys

from . import node, wire


def ssh(host, command, key, data=b'', user='ubuntu'):
    """Runs a command and returns its output, its errors and its exit code; 255 when there is no connection."""
    public = subprocess.run(['ssh-keygen', '-y', '-f', key], capture_output=True, text=True)
    if public.returncode:
        return b'', f'{key}: not a usable key\n'.encode(), 255
    request = {'user': user, 'key': public.stdout.split()[1], 'command': command, 'input': data}
    try:
        answer = wire.call(host, 22, request, timeout=600)
    except (OSError, wire.Refused) as error:
        return b'', f'ssh: {user}@{host}: {error}\n'.encode(), 255
    return answer['out'], answer['err'], answer['code']


def show(result):
    """Passes output and exit code of a remote command on."""
    out, err, code = result
    sys.stdout.buffer.write(out)
    sys.stdout.flush()
    sys.stderr.buffer.write(err)
    sys.stderr.flush()
    return code


def default_key():
    return str(node.HOME / '.ssh/id_ed25519')
