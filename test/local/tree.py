"""Tells everything that a node's files have: a line of JSON for each path below the arguments. With --destroy it removes what it can
of the paths instead, never through a mount, and never what --keep names."""
import hashlib, json, os, shutil, stat, sys, pwd, grp
mounts = set()
kernels = set()
for line in open('/proc/self/mountinfo', 'rb'):
    fields = line.split()
    point = fields[4].decode('unicode_escape').encode('latin-1')
    mounts.add(point)
    if fields[fields.index(b'-') + 1] in (b'proc', b'sysfs'): kernels.add(point)

def owner(get, number, field):
    try: return getattr(get(number), field)
    except KeyError: return number

def digest(path):
    sum = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20): sum.update(block)
    return sum.hexdigest()

inodes = {}
def tell(path):
    s = os.lstat(path)
    kind = stat.S_IFMT(s.st_mode)
    # No archive holds them, which a backup says.
    if kind in (stat.S_IFBLK, stat.S_IFCHR, stat.S_IFSOCK): return
    what = {'mode': oct(s.st_mode), 'owner': owner(pwd.getpwuid, s.st_uid, 'pw_name'), 'group': owner(grp.getgrgid, s.st_gid, 'gr_name'), 'time': s.st_mtime_ns}
    if kind == stat.S_IFLNK: what['target'] = repr(os.readlink(path))
    if kind == stat.S_IFREG:
        what['size'], what['content'] = s.st_size, digest(path)
        if s.st_blocks * 512 + 4096 < s.st_size: what['holes'] = True
        if s.st_nlink > 1: what['same'] = inodes.setdefault((s.st_dev, s.st_ino), repr(path))
    attributes = {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in sorted(os.listxattr(path, follow_symlinks=False))}
    if attributes: what['attributes'] = repr(attributes)
    print(json.dumps([repr(path)[2:-1], json.dumps(what)]))

def walk(path):
    if path in kernels: return
    tell(path)
    if stat.S_ISDIR(os.lstat(path).st_mode):
        # What a tablespace holds is PostgreSQL's, and another one after each restore.
        for name in sorted(os.listdir(path)):
            if not name.startswith(b'PG_'): walk(os.path.join(path, name))

def destroy(path, keep):
    inside = path + b'/'
    if path in mounts or path in keep or not os.path.lexists(path): return
    if os.path.isdir(path) and not os.path.islink(path) and any(p.startswith(inside) for p in mounts | keep):
        for name in os.listdir(path): destroy(os.path.join(path, name), keep)
    elif os.path.isdir(path) and not os.path.islink(path): shutil.rmtree(path, ignore_errors=True)
    else:
        try: os.unlink(path)
        except OSError: pass

arguments = [os.fsencode(one) for one in json.load(sys.stdin)]
if sys.argv[1] == 'destroy':
    keep = {b'/etc/puppetlabs/puppet/ssl/ca', b'/etc/puppetlabs/puppet/puppet.conf'}
    for path in arguments: destroy(path, keep)
else:
    for path in arguments:
        if os.path.lexists(path): walk(path)
