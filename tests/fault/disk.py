"""What a disk may hold after power was lost, made from a recording.

The model is what POSIX promises and no more.  A write, a size and a name may
reach the disk as soon as it was made and need not before something syncs it:
an fsync or fdatasync of a file its data and size, an fsync of a directory the
names in it.  What was not synced is there or not, each part for itself, in any
order; a write of more than a sector may be there in part, and a size without
its data, which then are zeros.  A rename is there as a whole or not at all.
"""

import collections
import hashlib
import itertools
import os
import random

from harness import require
from state_file import moved_state

SECTOR = 512

# One change.  at: the step after which it is in memory; nodes: a sync of any
# of them makes it durable; durable: the step after which it is, or None.
Op = collections.namedtuple('Op', 'at kind nodes args')

# A power loss after a step, and which changes that were pending then have
# reached the disk: (index of op, variant), the variant None for all of it.
Loss = collections.namedtuple('Loss', 'step applied')


class Recording:
    """A directory as it was, all of it durable, and what a command did."""

    def __init__(self, root):
        self.root = os.stat(root).st_ino
        self.names = {}     # directory's node -> {name: node}
        self.content = {}   # file's node -> bytes
        self.node = {}      # inode -> node; an inode that is used again is new
        self.nodes = 0
        self.ops = []
        self.durable = []   # of each op: a step, or None
        self.out = []       # (step, bytes) written to standard output
        self.steps = 0
        self.begun = {}
        self.inodes = {}    # node -> inode, for .strm-state
        self.cache = {}
        self.scan(root)

    def scan(self, path):
        node = self.new_node(os.stat(path).st_ino)
        names = self.names[node] = {}
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                names[entry.name] = self.scan(entry.path)
            else:
                # One file may have two names.
                inode = entry.inode()
                file_node = self.node.get(inode) or self.new_node(inode)
                names[entry.name] = file_node
                with open(entry.path, 'rb') as file:
                    self.content[file_node] = file.read()
        return node

    def new_node(self, inode):
        self.nodes += 1
        self.node[inode] = self.nodes
        self.inodes[self.nodes] = inode
        return self.nodes

    # ---- the recording

    def load(self, path):
        with open(path, encoding='ascii') as file:
            for line in file:
                word, *args = line.rstrip('\n').split(' ')
                getattr(self, 'on_' + word)(*args)

    def add(self, kind, nodes, *args):
        self.steps += 1
        self.ops.append(Op(self.steps, kind, nodes, args))
        self.durable.append(None)

    def on_create(self, directory, name, inode):
        where = self.node.get(int(directory))
        if where is not None:
            node = self.new_node(int(inode))
            self.content[node] = b''
            self.add('link', (where,), where, name, node)

    def on_mkdir(self, directory, name, inode):
        where = self.node.get(int(directory))
        if where is not None:
            node = self.new_node(int(inode))
            self.names[node] = {}
            self.add('link', (where,), where, name, node)

    def on_rename(self, from_dir, from_name, to_dir, to_name, inode):
        source, target = (self.node.get(int(d)) for d in (from_dir, to_dir))
        require(source and target and int(inode) in self.node,
                'a rename from or to outside of the store')
        self.add('rename', (source, target), source, from_name, target,
                 to_name, self.node[int(inode)])

    def on_link(self, directory, name, inode):
        where, node = (self.node.get(int(n)) for n in (directory, inode))
        require(where and node, 'a link from or to outside of the store')
        self.add('link', (where,), where, name, node)

    def on_unlink(self, directory, name):
        where = self.node.get(int(directory))
        if where is not None:
            self.add('unlink', (where,), where, name)

    def on_data(self, kind, inode, *args):
        node = self.node.get(int(inode))
        if node is not None:
            self.add(kind, (node,), node, *args)

    def on_write(self, inode, at, data):
        self.on_data('write', inode, int(at), bytes.fromhex(data))

    def on_truncate(self, inode, size):
        self.on_data('truncate', inode, int(size))

    def on_times(self, inode, nanoseconds):
        self.on_data('times', inode, int(nanoseconds))

    def on_begin(self, thread, inode):
        self.begun[thread] = (self.node.get(int(inode)), len(self.ops))

    def on_synced(self, thread, inode):
        node, count = self.begun.pop(thread)
        require(node == self.node.get(int(inode)), 'another file was synced')
        self.steps += 1
        for i in range(count):
            if self.durable[i] is None and node in self.ops[i].nodes:
                self.durable[i] = self.steps

    def on_out(self, data):
        self.steps += 1
        self.out.append((self.steps, bytes.fromhex(data)))

    # ---- losses

    def told(self, step):
        """What the command had printed by then."""
        return b''.join(data for at, data in self.out if at <= step)

    def pending(self, step):
        return [i for i, op in enumerate(self.ops) if op.at <= step and
                (self.durable[i] is None or self.durable[i] > step)]

    def losses(self, most):
        """All power losses to look at; of more than most changes that are
        pending, all subsets of the newest, with and without the others."""
        for step in range(self.steps + 1):
            pending = self.pending(step)
            for chosen in self.subsets(pending, most):
                yield Loss(step, tuple((i, None) for i in chosen))
            for torn in pending:
                for variant in self.variants(self.ops[torn]):
                    yield Loss(step, ((torn, variant),))
                    yield Loss(step, tuple(
                        (i, variant if i == torn else None) for i in pending))

    @staticmethod
    def subsets(pending, most):
        yield tuple(pending)
        yield ()
        for dropped in pending:
            yield tuple(i for i in pending if i != dropped)
        older, newest = pending[:-most], pending[-most:]
        for count in range(len(newest) + 1):
            for chosen in itertools.combinations(newest, count):
                yield chosen
                if older:
                    yield (*older, *chosen)

    @staticmethod
    def variants(op):
        """Other ways for a write to reach the disk: the size alone, the first
        sectors, or all but the first ones."""
        if op.kind != 'write':
            return []
        at, data = op.args[1:]
        cuts = [cut for cut in range(SECTOR - at % SECTOR, len(data), SECTOR)]
        if len(cuts) > 4:
            cuts = cuts[:2] + cuts[-2:]
        return ['size'] + [(side, cut) for cut in cuts
                           for side in ('head', 'tail')]

    # ---- states

    def key(self, loss):
        """Losses with the same key leave the same disk."""
        applied = [(i, None) for i, op in enumerate(self.ops)
                   if self.durable[i] is not None and
                   self.durable[i] <= loss.step]
        return tuple(sorted([*applied, *loss.applied], key=lambda a: a[0]))

    def tree(self, key):
        """The names that can be reached: {path: node}, and of each node what
        was done to it."""
        names = {node: dict(inside) for node, inside in self.names.items()}
        done = collections.defaultdict(list)
        for i, variant in key:
            op = self.ops[i]
            if op.kind == 'link':
                where, name, node = op.args
                names[where][name] = node
            elif op.kind == 'rename':
                source, name, target, new_name, node = op.args
                if names[source].get(name) == node:
                    del names[source][name]
                names[target][new_name] = node
            elif op.kind == 'unlink':
                where, name = op.args
                names[where].pop(name, None)
            else:
                done[op.args[0]].append((i, variant))
        paths = {}

        def walk(node, path):
            for name, inside in sorted(names[node].items()):
                paths[path + name] = inside
                if inside in names:
                    walk(inside, path + name + '/')
        walk(self.node[self.root], '')
        return paths, {node: tuple(what) for node, what in done.items()}

    def bytes_of(self, node, done):
        if (node, done) not in self.cache:
            data = bytearray(self.content[node])
            for i, variant in done:
                self.apply(data, self.ops[i], variant)
            data = bytes(data)
            self.cache[node, done] = data, hashlib.sha256(data).digest()
        return self.cache[node, done]

    @staticmethod
    def apply(data, op, variant):
        if op.kind == 'truncate':
            size = op.args[1]
            data[size:] = bytes(max(0, size - len(data)))
        elif op.kind == 'write':
            at, new = op.args[1:]
            end = at + len(new)
            data.extend(bytes(max(0, end - len(data))))
            if variant is None:
                data[at:end] = new
            elif variant == 'size':
                pass
            elif variant[0] == 'head':
                data[at:at + variant[1]] = new[:variant[1]]
            else:
                data[at + variant[1]:end] = new[variant[1]:]

    def digest(self, key):
        paths, done = self.tree(key)
        whole = hashlib.sha256()
        for path, node in paths.items():
            whole.update(path.encode() + b'\0')
            if node in self.content:
                whole.update(self.bytes_of(node, done.get(node, ()))[1])
        return whole.digest()

    def states(self, most):
        """The different disks, each with its last loss, which is the one by
        which most had been promised."""
        keys, states = {}, {}
        for loss in self.losses(most):
            key = self.key(loss)
            if key not in keys:
                keys[key] = self.digest(key)
            states.pop(keys[key], None)
            states[keys[key]] = loss
        return list(states.values())

    def build(self, loss, root):
        """Make the disk of a loss in the empty directory root."""
        paths, done = self.tree(self.key(loss))
        made = {}
        for path, node in paths.items():
            full = os.path.join(root, path)
            if node not in self.content:
                os.mkdir(full)
                continue
            if node in made:
                os.link(made[node], full)
                continue
            made[node] = full
            data = self.bytes_of(node, done.get(node, ()))[0]
            with open(full, 'wb') as file:
                if path.endswith('/.strm-state'):
                    status = os.fstat(file.fileno())
                    data = moved_state(data, self.inodes[node], status,
                                       boot=b'the boot before.')
                file.write(data)
            times = [self.ops[i].args[1] for i, _ in done.get(node, ())
                     if self.ops[i].kind == 'times']
            if times:
                os.utime(full, ns=(times[-1], times[-1]))

    def require_complete(self, root):
        """With all changes made the files are those that the command left: no
        call escaped the recording."""
        everything = Loss(self.steps, tuple(
            (i, None) for i in self.pending(self.steps)))
        paths, done = self.tree(self.key(everything))
        left = Recording(root)
        now = left.tree(())[0]
        require(paths.keys() == now.keys(), 'names escaped the recording:',
                sorted(paths.keys() ^ now.keys()))
        for path, node in paths.items():
            if node in self.content:
                require(self.bytes_of(node, done.get(node, ()))[0] ==
                        left.content[now[path]], 'data escaped:', path)


def sample(states, count):
    """Some of them, always the same, the first and the last among them."""
    if len(states) <= count:
        return states
    chosen = random.Random(1).sample(range(1, len(states) - 1), count - 2)
    return [states[0]] + [states[i] for i in sorted(chosen)] + [states[-1]]
