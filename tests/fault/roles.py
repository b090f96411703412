"""Operations that change who may write to a store: promote and fence.

For harness.py.  A store is a leader, a replica or fenced at every point, and
whatever was cut off can be done again.
"""

import json
import os

from strmtest import STRM, consume, require, strm

PARTITIONS = 3


def write_role(store, name, fields):
    own = os.path.join(store, '.strm')
    os.makedirs(own, exist_ok=True)
    with open(os.path.join(own, name), 'w', encoding='ascii') as file:
        json.dump({'version': 1, 'since': 1, **fields}, file)


def epochs(store, partition):
    """(epoch, start) of each entry of leader-epoch-checkpoint."""
    path = os.path.join(store, f't-{partition}', 'leader-epoch-checkpoint')
    with open(path, encoding='ascii') as file:
        lines = file.read().split('\n')
    require(lines[0] == '0' and int(lines[1]) == len(lines) - 3, path, lines)
    return [tuple(map(int, line.split())) for line in lines[2:-1]]


class Promote:
    """A replica is promoted, or stays one that can be promoted again."""

    done = 0

    def prepare(self, store):
        strm(store, 'topic', 'create', 't', '--partitions', str(PARTITIONS))
        for p in range(PARTITIONS):
            strm(store, 'produce', f't:{p}', data=b'old\n' * (p + 1))
        write_role(store, 'replica.json', {'of': 'x'})

    def command(self, store):
        return [STRM, 'promote', store]

    def input(self):
        return b''

    def judge(self, store, code, out):
        replica = os.path.exists(os.path.join(store, '.strm/replica.json'))
        require(code != 0 or not replica, 'exit 0 and still a replica')
        refused = strm(store, 'produce', 't:0', code=None).code
        require(refused == (5 if replica else 0), 'produce exits', refused)
        if replica:
            strm(store, *self.command(store)[1:])
        for p in range(PARTITIONS):
            found = epochs(store, p)
            require(found[0] == (0, 0) and len(found) == 2 and
                    found[1][0] in (1, 2) and found[1][1] == p + 1,
                    'epochs of partition', p, found)
            strm(store, 'produce', f't:{p}', data=b'new\n')
            told = strm(store, 'consume', f't:{p}', '-f', '%e %s\n').out
            require(told == b'0 old\n' * (p + 1) +
                    b'%d new\n' % found[1][0], 'partition', p, told)
        strm(store, 'verify', 't')


class Fence:
    """A fence is there for all who open the store, or not at all; done again
    it stops who has it open.  Taking it away is the same."""

    done = 0

    def __init__(self, lift):
        self.lift = lift

    def prepare(self, store):
        strm(store, 'topic', 'create', 't', '--partitions', str(PARTITIONS))
        for p in range(PARTITIONS):
            strm(store, 'produce', f't:{p}', data=b'old\n')
        if self.lift:
            strm(store, 'fence', '--reason', 'why', store)

    def command(self, store):
        return [STRM, 'fence', store,
                *(['--lift'] if self.lift else ['--reason', 'why'])]

    def input(self):
        return b''

    def judge(self, store, code, out):
        fenced = os.path.exists(os.path.join(store, '.strm/fenced.json'))
        require(code != 0 or fenced != self.lift, 'exit 0 and', fenced)
        for p in range(PARTITIONS):
            got = strm(store, 'produce', f't:{p}', data=b'new\n', code=None)
            require(got.code == (5 if fenced else 0), 'produce exits',
                    got.code, got.err)
            require(not fenced or 'why' in got.err, got.err)
        strm(store, *self.command(store)[1:])
        code = 0 if self.lift else 5
        for p in range(PARTITIONS):
            strm(store, 'produce', f't:{p}', data=b'more\n', code=code)
            lines = consume('-C', store, f't:{p}')[0]
            require(len(lines) == 1 + (not fenced) + self.lift, 'partition', p,
                    'has', lines)
        strm(store, 'verify', 't')


OPERATIONS = {
    'promote': Promote(),
    'fence': Fence(False),
    'lift': Fence(True),
}
