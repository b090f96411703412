"""Operations that change who may write to a store: promote and fence.

For harness.py.  A store is a leader, a replica or fenced at every point, and
whatever was cut off can be done again.
"""

import json
import os
import shutil

from strmtest import STRM, consume, require, run, strm

PARTITIONS = 3


def write_role(store, name, fields):
    own = os.path.join(store, '.strm')
    os.makedirs(own, exist_ok=True)
    with open(os.path.join(own, name), 'w', encoding='ascii') as file:
        json.dump({'version': 1, 'since': 1, **fields}, file)


def epochs(store, name):
    """(epoch, start) of each entry of leader-epoch-checkpoint."""
    path = os.path.join(store, name, 'leader-epoch-checkpoint')
    with open(path, encoding='ascii') as file:
        lines = file.read().split('\n')
    require(lines[0] == '0' and int(lines[1]) == len(lines) - 3, path, lines)
    return [tuple(map(int, line.split())) for line in lines[2:-1]]


class Promote:
    """A replica is promoted, or stays one: all of it the replica that it was,
    which is replicated to as before, or one whose promotion must be finished
    first, and can be."""

    done = 0
    # Topic, partition, records.
    all = [('t', p, p + 1) for p in range(PARTITIONS)] + [('u', 0, 2)]

    def prepare(self, store):
        strm(store, 'topic', 'create', 't', '--partitions', str(PARTITIONS))
        strm(store, 'topic', 'create', 'u')
        for topic, p, records in self.all:
            strm(store, 'produce', f'{topic}:{p}', data=b'old\n' * records)
        write_role(store, 'replica.json', {'of': 'x'})

    @staticmethod
    def replicate(store, code):
        """From a leader that holds the same."""
        source = store + '-source'
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(store, source)
        os.remove(os.path.join(source, '.strm/replica.json'))
        got = run([STRM, 'replicate-rsync', '-q', source, store])
        shutil.rmtree(source)
        require(got.code == code, 'replication exits', got.code, got.err)
        require(code == 0 or 'promotion was begun and is not finished'
                in got.err, got.err)

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
            self.judge_replica(store)
            strm(store, *self.command(store)[1:])
        for topic, p, records in self.all:
            found = epochs(store, f'{topic}-{p}')
            require(found[0] == (0, 0) and len(found) == 2 and
                    found[1][0] in (1, 2, 3) and found[1][1] == records,
                    'epochs of partition', topic, p, found)
            strm(store, 'produce', f'{topic}:{p}', data=b'new\n')
            told = strm(
                store, 'consume', f'{topic}:{p}', '-f', '%e %s\n').out
            require(told == b'0 old\n' * records +
                    b'%d new\n' % found[1][0], 'partition', topic, p, told)
        strm(store, 'verify', 't', 'u')

    def judge_replica(self, store):
        with open(os.path.join(store, '.strm/replica.json'),
                  encoding='ascii') as file:
            promoting = json.load(file).get('promoting', False)
        begun = [topic for topic, p, _ in self.all
                 if len(epochs(store, f'{topic}-{p}')) > 1]
        require(promoting or not begun, 'begun, and not said:', begun)
        self.replicate(store, 5 if promoting else 0)


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
