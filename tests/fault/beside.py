#!/usr/bin/python3
"""T11: readers beside compaction and retention, which run all the time.

    beside.py compact | retain

Two producers write, keys come again; compaction, or retention and compaction,
runs in a loop.  Readers follow from the start, others read to the end, print
tables, get keys, verify.  None fails, repeats a record or skips one that
survives; one that retention overtakes says so with exit 4, or goes on if it
clamps.
"""

import random
import subprocess
import sys
import threading
import time

from harness import LONG, Store
from strmtest import STRM, CheckError, require, run, strm

SECONDS = 120 if LONG else 6
KEYS = 50
SETTINGS = ['--set', 'segment.bytes=8000', '--set', 'index.interval.bytes=500',
            '--set', 'min.cleanable.dirty.ratio=0',
            '--set', 'delete.retention.ms=0']
FORMAT = '%o\t%k\t%s\n'
FOLLOWERS = ([], ['--durable'], ['--skip-corrupt'])


def parse(text):
    """(offset, key, value) of each whole line."""
    rows = [line.split(b'\t') for line in text.split(b'\n')[:-1]]
    require(all(len(row) == 3 for row in rows), 'a line is not whole')
    return [(int(o), k, v) for o, k, v in rows]


def check_rising(rows, who):
    for before, after in zip(rows, rows[1:]):
        require(before[0] < after[0], who, ': offset', after[0], 'after', before[0])


class Loop(threading.Thread):
    """Something done again and again until the time is up."""

    def __init__(self, work, ends):
        super().__init__()
        self.work, self.ends = work, ends
        self.rounds, self.failure = 0, None

    def run(self):
        try:
            while time.monotonic() < self.ends:
                self.work()
                self.rounds += 1
        except (CheckError, OSError, ValueError,
                subprocess.SubprocessError) as error:
            self.failure = error


class Beside:
    def __init__(self, store, retains):
        self.store, self.retains = store, retains
        self.rng = random.Random(1)
        self.overtaken = 0

    def produce(self, number):
        """Lines one by one and in bursts; the producer ends now and then."""
        codec = ['-z', self.rng.choice(('none', 'zstd', 'lz4'))]
        with subprocess.Popen(
                [STRM, '-C', self.store, 'produce', 't', '-K', '\t', *codec],
                stdin=subprocess.PIPE) as process:
            for _ in range(40):
                for _ in range(self.rng.choice((1, 10, 100))):
                    key = self.rng.randrange(KEYS)
                    process.stdin.write(b'k%d\tp%d-%d-%030d\n' % (
                        key, number, key, self.rng.getrandbits(60)))
                process.stdin.flush()
                time.sleep(.002)
        require(process.returncode == 0, 'produce: exit', process.returncode)

    def upkeep(self):
        if self.retains:
            strm(self.store, 'retain', '-q', '--keep-bytes', '60000', 't')
        strm(self.store, 'compact', '-q', '--force', 't')

    def read(self, *args, overtaken=False):
        """One that reads to the end.  Gives what it printed."""
        done = run([STRM, '-C', self.store, *args])
        if overtaken and done.code == 4:
            require('the log now' in done.err or '--clamp' in done.err,
                    *args, ': exit 4', done.err)
            self.overtaken += 1
            return b''
        require(done.code == 0, *args, ': exit', done.code, done.err.strip())
        return done.out

    def look(self):
        word = self.rng.choice(('t', 't@-100', 't@-20s', 't@-500..-10'))
        if self.retains:
            check_rising(parse(self.read('consume', '-f', FORMAT, word,
                                         overtaken=True)), 'consume ' + word)
        rows = parse(self.read('consume', '--clamp', '-f', FORMAT, word))
        check_rising(rows, 'consume --clamp ' + word)
        self.read('verify', '-q', 't')
        table = parse(self.read('table', '--clamp', '-f', FORMAT, 't'))
        keys = [key for _, key, _ in table]
        require(len(set(keys)) == len(keys), 'table: a key twice')
        if not self.retains and len(set(keys)) < KEYS:
            raise CheckError(f'table: {len(keys)} keys of {KEYS}')
        if not self.retains:
            self.read('get', '--clamp', 't', '-k', 'k7')

    def follow(self, args):
        return subprocess.Popen(
            [STRM, '-C', self.store, 'consume', '-F', '-f', FORMAT, 't@start',
             *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def collect(process, into):
    into.append(process.stdout.read())


def run_all(beside, followers, texts):
    """Until the time is up; then until all was printed.  Gives the rounds."""
    readers = [threading.Thread(target=collect, args=pair, daemon=True)
               for pair in zip(followers, texts)]
    for reader in readers:
        reader.start()
    ends = time.monotonic() + SECONDS
    loops = [Loop(lambda: beside.produce(1), ends),
             Loop(lambda: beside.produce(2), ends),
             Loop(beside.upkeep, ends), Loop(beside.look, ends)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    for loop in loops:
        if loop.failure is not None:
            raise loop.failure
    strm(beside.store, 'compact', '-q', '--force', 't')
    strm(beside.store, 'produce', 't', '-K', '\t', data=b'end\tend\n')
    time.sleep(1)
    for process in followers:
        alive = process.poll() is None
        process.terminate()
        require(alive, 'a follower ended:', process.stderr.read().decode())
    for reader in readers:
        reader.join()
    return loops[2].rounds, loops[3].rounds


def main(what):
    with Store() as store:
        beside = Beside(store.path, what == 'retain')
        policy = 'compact,delete' if beside.retains else 'compact'
        strm(store.path, 'topic', 'create', 't', '--set',
             f'cleanup.policy={policy}', *SETTINGS)
        strm(store.path, 'produce', 't', '-K', '\t', data=b''.join(
            b'k%d\tfirst\n' % key for key in range(KEYS)))
        clamp = ['--clamp'] if beside.retains else []
        followers = [beside.follow([*args, *clamp]) for args in FOLLOWERS]
        texts = [[] for _ in followers]
        try:
            rounds, looks = run_all(beside, followers, texts)
        finally:
            for process in followers:
                process.kill()
                process.wait()
        log = parse(strm(store.path, 'consume', '-f', FORMAT, 't').out)
        for args, text in zip(FOLLOWERS, texts):
            check_follower(args, parse(text[0]), log)
        print(what, ':', log[-1][0], 'records,', rounds, 'compactions,',
              looks, 'looks,', beside.overtaken, 'overtaken')


def check_follower(args, rows, log):
    """Each record once, in order, and all of those that are left."""
    who = ' '.join(['consume -F', *args])
    check_rising(rows, who)
    seen = set(rows)
    missing = [row for row in log if row not in seen]
    require(not missing, who, ': skipped', missing[:3], 'of', len(log))
    newest = {key: value for _, key, value in rows}
    require(newest.items() >= {key: value for _, key, value in log}.items(),
            who, ': another table')


if __name__ == '__main__':
    try:
        main(sys.argv[1])
    except CheckError as failure:
        print(failure)
        sys.exit(1)
