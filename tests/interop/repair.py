#!/usr/bin/python3
"""Repair copies of a directory that Kafka wrote.

    repair.py readable DIR      Kafka's records are all there afterwards
    repair.py salvage DIR       and in what is salvaged
    repair.py rebuild DIR N     files that are gone or noise come back byte for
                                byte; N is its index.interval.bytes
"""

import glob
import json
import os
import random
import shutil
import sys
import tempfile

from golden import data_records, good_batches, hashed, load, log_start
from strmtest import STRM, CheckError, consume, require, require_same, run

KINDS = ['*.index', '*.timeindex', '*.txnindex', '*.snapshot',
         'leader-epoch-checkpoint']


class Copy:
    """A copy of the whole log directory, so that its checkpoints count."""

    def __init__(self, directory):
        self.golden = directory
        self.parent = tempfile.mkdtemp()
        self.store = os.path.join(self.parent, 'store')
        self.partition = os.path.join(self.store, 'topic-0')

    def __enter__(self):
        shutil.copytree(self.golden, self.store)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.parent)

    def repair(self, *options, code=0):
        done = run([STRM, 'repair', *options, self.partition])
        require(done.code == code, 'repair', *options, ': exit', done.code,
                'instead of', code, '-', done.err, done.out)
        return done.out.decode()

    def files(self, pattern):
        return glob.glob(os.path.join(self.partition, pattern))

    def require_done(self):
        out = self.repair()
        require(out == 'nothing to do\n', 'a second run would do', out)


def expected_records(directory):
    """What Kafka reads, and whether there is damage in the middle."""
    name = os.path.basename(directory)
    batches, bad = good_batches(load(os.path.join(
        directory, 'after-recover.jsonl' if name == 'crash-swap'
        else 'expected.jsonl')))
    return data_records(batches, log_start(directory)), bad


def readable(directory):
    records, bad = expected_records(directory)
    with Copy(directory) as copy:
        plan = copy.repair()
        copy.repair('-y', code=3 if bad else 0)
        got = consume('-i', 'uncommitted', copy.partition,
                      code=3 if bad else 0)[0]
        require_same([hashed(r) for r in got], records, 'after the repair')
        if not bad:
            copy.require_done()
        else:
            left = copy.repair('-J').splitlines()
            require({json.loads(line)['step'] for line in left} == {'stays'},
                    'left to do:', left)
        # No byte of a log is deleted: it is there, or set aside.
        kept = sum(os.path.getsize(f) for f in copy.files('*.log') +
                   copy.files('.strm-cut-*') + copy.files('.strm-old-*.log*'))
        before = sum(os.path.getsize(f) for f in
                     glob.glob(os.path.join(directory, 'topic-0', '*.log*')))
        require(kept == before, kept, 'bytes of logs instead of', before, plan)


def salvage(directory):
    """All good batches, those behind the damage as well."""
    bad = expected_records(directory)[1]
    name = os.path.basename(directory)
    batches = load(os.path.join(
        directory, 'after-recover.jsonl' if name == 'crash-swap'
        else 'expected.jsonl'))
    records = data_records([b for b in batches if b['valid']],
                           log_start(directory))
    with Copy(directory) as copy:
        target = os.path.join(copy.parent, 'saved')
        copy.repair('--salvage', target, code=3 if bad else 0)
        got = consume('-i', 'uncommitted', target + '/')[0]
        require_same([hashed(r) for r in got], records, 'salvaged')
        copy.partition = target
        copy.require_done()


def same(directory, copy):
    """The names of files that differ from the originals."""
    differ = []
    for path in glob.glob(os.path.join(directory, 'topic-0', '*')):
        name = os.path.basename(path)
        try:
            with open(path, 'rb') as a, \
                    open(os.path.join(copy.partition, name), 'rb') as b:
                if a.read() != b.read():
                    differ.append(name)
        except FileNotFoundError:
            differ.append(name)
    return differ


def remove(path):
    os.unlink(path)


def garble(path):
    """Noise of the same size; an empty file stays."""
    noise = random.Random(path.rsplit('/', 1)[1])
    with open(path, 'r+b') as file:
        file.write(noise.randbytes(os.path.getsize(path)))


def cut(path):
    """Within the last entry, whatever their size."""
    os.truncate(path, max(0, os.path.getsize(path) - 3))


def flip(path):
    if os.path.getsize(path) == 0:
        return
    with open(path, 'r+b') as file:
        last = os.path.getsize(path) - 1
        file.seek(last // 2)
        byte = file.read(1)[0]
        file.seek(last // 2)
        file.write(bytes([byte ^ 0x40]))


def rebuild(directory, interval):
    for spoil in remove, garble, cut, flip:
        for kinds in [[kind] for kind in KINDS] + [KINDS]:
            with Copy(directory) as copy:
                for kind in kinds:
                    for path in copy.files(kind):
                        spoil(path)
                # With all of them gone, nothing says what it was.
                hint = ['--index-interval', interval] if len(kinds) > 1 else []
                copy.repair('-y', *hint)
                differ = same(directory, copy)
                require(not differ, spoil.__name__, kinds, ': differ:', differ)
                copy.require_done()


if __name__ == '__main__':
    WORK = {'readable': readable, 'salvage': salvage, 'rebuild': rebuild}
    try:
        WORK[sys.argv[1]](os.path.normpath(sys.argv[2]), *sys.argv[3:])
    except CheckError as error:
        sys.exit(f'{os.path.basename(sys.argv[2])}: {error}')
