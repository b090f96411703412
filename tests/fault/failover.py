#!/usr/bin/python3
"""T11, I8: leaders fail, replicas are promoted, old leaders come back.

    failover.py [SEED [ROUNDS]]

In each round the leader is written to, trimmed, retained, compacted and rolled,
also after the last run that ended; runs are killed, or two are at work at once.
Then the replica is promoted and the old leader made its replica.  What a run
reported is at the new leader, each run that exits 0 leaves the same bytes, one
that exits 1 leaves what was there, and both stores are sound at each step.
Long form: more rounds.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../interop'))
from strmtest import STRM, CheckError, parse_line, require, run, strm

LONG = os.environ.get('STRM_FAULT', 'short') == 'long'
ROUNDS = 200 if LONG else 6
TOPICS = ('dense', 'keyed')


class Failover:
    def __init__(self, top):
        self.top = top
        self.leader, self.replica = f'{top}/one', f'{top}/two'
        self.written = 0
        self.reported = {}  # of a topic, what the replica held after a run
        self.steps = []
        self.killed = False  # the last run, and nothing came after it
        self.counts = {'runs': 0, 'kills': 0, 'cuts': 0}
        strm(self.leader, 'topic', 'create', 'dense', '--set',
             'segment.bytes=3000')
        strm(self.leader, 'topic', 'create', 'keyed', '--set',
             'segment.bytes=2000', '--set', 'cleanup.policy=compact,delete',
             '--set', 'min.cleanable.dirty.ratio=0.01', '--set',
             'delete.retention.ms=1')

    # ---- what is there --------------------------------------------------

    @staticmethod
    def has(store, topic):
        """Its directories come first, when a run that makes it is killed."""
        return os.path.exists(f'{store}/.strm/topics/{topic}.json')

    def records(self, store, topic):
        if not self.has(store, topic):
            return {}
        done = strm(store, 'consume', topic, '-J', '--clamp')
        return {r.offset: (r.key, r.value)
                for r in map(parse_line, done.out.splitlines())}

    def logs(self, store):
        found = {}
        for topic in TOPICS:
            where = f'{store}/{topic}-0'
            for name in os.listdir(where) if os.path.isdir(where) else ():
                if (name[0].isdigit() and name.endswith('.log')) or \
                        name == 'leader-epoch-checkpoint':
                    with open(f'{where}/{name}', 'rb') as file:
                        found[topic, name] = file.read()
        return found

    def check_sound(self, after_kill=False):
        """A log start that is raised over what the source has no more is past
        the end until that has come."""
        for store in (self.leader, self.replica):
            for topic in TOPICS:
                if not self.has(store, topic):
                    continue
                done = strm(store, 'verify', topic, code=None)
                damage = [line for line in done.out.decode().splitlines()
                          if ': note: ' not in line and
                          not line.startswith('1 partition, ') and
                          not (after_kill and store == self.replica and
                               'log-start-offset-checkpoint' in line)]
                require(done.code in (0, 3) and not damage, topic, 'of', store,
                        'is not sound:', *damage, done.err)

    def check_same(self):
        one, two = self.logs(self.leader), self.logs(self.replica)
        require(one.keys() == two.keys(), 'other files:',
                sorted(set(one) ^ set(two)))
        for name, text in one.items():
            require(text == two[name], name, 'is not the same')
        for topic in TOPICS:
            require(self.records(self.leader, topic) ==
                    self.records(self.replica, topic), topic,
                    'is not read the same')

    def check_reported(self):
        """The store that was the replica leads now."""
        now = self.records(self.leader, 'dense')
        start = min(now, default=None)
        for offset, record in self.reported.get('dense', {}).items():
            require(start is None or offset < start or
                    now.get(offset) == record, 'dense: offset', offset,
                    'was reported and is lost')
        now = self.records(self.leader, 'keyed')
        newest = {key: offset for offset, (key, _) in sorted(now.items())}
        start = min(now, default=None)
        last = {key: (offset, value) for offset, (key, value)
                in sorted(self.reported.get('keyed', {}).items())}
        for key, (offset, value) in last.items():
            if value is None or start is None or offset < start:
                continue
            require(newest.get(key, -1) >= offset, 'keyed:', key, 'of offset',
                    offset, 'was reported and is lost')
            require(now.get(offset, (key, value)) == (key, value),
                    'keyed: offset', offset, 'is another record')

    # ---- what is done at the leader -------------------------------------

    def produce(self):
        for topic in TOPICS:
            count = random.randint(1, 120)
            data = b''.join(
                b'k%d:%s\n' % (random.randrange(30),
                               b'' if random.random() < 0.1
                               else b'%d' % (self.written + i))
                for i in range(count))
            self.written += count
            strm(self.leader, 'produce', topic, '-q', '-K', ':', '-Z',
                 '--batch-bytes', str(random.choice((100, 400, 2000))),
                 '-z', random.choice(('none', 'none', 'zstd')), data=data)

    def roll(self):
        for topic in TOPICS:
            strm(self.leader, 'roll', '-q', topic)

    def compact(self):
        strm(self.leader, 'compact', '-q', 'keyed')

    def retain(self):
        for topic in TOPICS:
            strm(self.leader, 'retain', '-q', topic, '--keep-bytes',
                 str(random.choice((3000, 6000))))

    def trim(self):
        topic = random.choice(TOPICS)
        found = sorted(self.records(self.leader, topic))
        if found:
            strm(self.leader, 'trim', '-q',
                 f'{topic}@{random.choice(found[-40:])}')

    # ---- runs -----------------------------------------------------------

    def start(self, *words):
        return subprocess.Popen(
            [STRM, 'replicate-rsync', '-q', *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self, child, allowed):
        _, err = child.communicate(timeout=120)
        self.counts['runs'] += 1
        require(child.returncode in allowed, 'a run: exit', child.returncode,
                err.decode())
        return child.returncode, err.decode()

    def replicate(self):
        self.end(self.start(self.leader, self.replica), (0,))
        self.check_same()
        self.reported = {t: self.records(self.replica, t) for t in TOPICS}

    def kill(self, *words):
        child = self.start(*(words or (self.leader, self.replica)))
        time.sleep(random.uniform(0, 0.25))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        self.counts['kills'] += child.returncode == -signal.SIGKILL

    def kill_other(self):
        shutil.rmtree(f'{self.top}/other', ignore_errors=True)
        self.kill(self.leader, f'{self.top}/other')

    def replicate_twice(self):
        children = [self.start(self.leader, self.replica) for _ in range(2)]
        self.produce()
        for child in children:
            self.end(child, (0,))

    # ---- failover -------------------------------------------------------

    def fail_over(self):
        # Who is promoted has all that was reported, whatever died since.
        strm(self.replica, 'promote', '-q', self.replica)
        if random.random() < 0.3:
            self.produce()
        strm(self.leader, 'fence', '-q', self.leader, '--reason', 'test')
        self.leader, self.replica = self.replica, self.leader
        self.check_reported()

    def fail_back(self):
        before = self.logs(self.replica)
        code, err = self.end(self.start(self.leader, self.replica), (0, 1))
        if code == 1:
            # A segment of a roll may be gone, but no record.
            now = self.logs(self.replica)
            for name, text in before.items():
                require(now.get(name, b'') == text or
                        f'{name[0]}-0: diverged' not in err or
                        not name[1].endswith('.log'), name,
                        'was changed without --truncate')
            self.counts['cuts'] += 1
            while random.random() < 0.4:
                self.kill('--truncate', self.leader, self.replica)
                self.check_sound(after_kill=True)
            self.end(self.start('--truncate', self.leader, self.replica), (0,))
        self.check_same()
        self.reported = {t: self.records(self.replica, t) for t in TOPICS}
        strm(self.replica, 'fence', '-q', '--lift', self.replica)

    def go(self, step):
        self.steps.append(step.__name__)
        step()
        if step == self.kill:
            self.killed = True
        elif step in (self.replicate, self.replicate_twice, self.fail_back):
            self.killed = False
        self.check_sound(after_kill=self.killed)

    def round(self):
        self.steps = []
        work = (self.produce,) * 5 + (self.replicate,) * 3 + (
            self.kill, self.kill, self.kill_other, self.replicate_twice,
            self.compact, self.compact, self.roll, self.retain, self.trim)
        self.go(self.produce)
        for _ in range(random.randint(3, 9)):
            self.go(random.choice(work))
        if not self.has(self.replica, 'keyed') or not self.reported:
            self.go(self.replicate)
        for _ in range(random.randint(0, 4)):
            self.go(random.choice((self.produce, self.compact, self.roll,
                                   self.retain, self.trim, self.kill)))
        self.go(self.fail_over)
        for _ in range(random.randint(0, 3)):
            self.go(random.choice((self.produce, self.compact, self.roll,
                                   self.retain, self.trim)))
        self.go(self.fail_back)


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10**6)
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    random.seed(seed)
    with tempfile.TemporaryDirectory() as top:
        failover = Failover(top)
        for i in range(rounds):
            try:
                failover.round()
            except CheckError as error:
                print(f'failover.py {seed}, round {i}: {error}\n'
                      f'after {", ".join(failover.steps)}', file=sys.stderr)
                if os.environ.get('STRM_KEEP'):
                    shutil.copytree(top, os.environ['STRM_KEEP'],
                                    symlinks=True, dirs_exist_ok=True)
                return 1
    counts = failover.counts
    print(f'failover.py {seed}: {rounds} failovers, {counts["runs"]} runs, '
          f'{counts["kills"]} killed, {counts["cuts"]} cut')
    return 0


if __name__ == '__main__':
    sys.exit(main())
