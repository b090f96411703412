"""What the fault tests share: operations to disturb, and what must hold after.

An operation prepares a store, gives the command line that a fault tool runs,
and judges the store afterwards with fresh processes and with python3-kafka.
"""

import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../interop'))
# pylint: disable=wrong-import-position
from check_partition import check_partition, records_of
from strmtest import BUILD, STRM, CheckError, consume, require, strm
import archiving
import compacting
import replicating
import roles
import upkeep

LONG = os.environ.get('STRM_FAULT') == 'long'
TOOLS = os.path.join(BUILD, 'tests/fault')
TIMEOUT = 30  # seconds: longer than any lock wait; more is a hang
KILLED = 137
# For what needs no disk: syncs of one take most of the time.
MEMORY = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
TOOL_FAILED = 125


def points(last, short):
    """1 to last: all of them in the long form, else short of them, spread."""
    return spread(last, last if LONG else short)


def spread(last, count):
    """So many numbers from 1 to last, these two among them."""
    if last <= count:
        return list(range(1, last + 1))
    return sorted({1 + i * (last - 1) // (count - 1) for i in range(count)})


def parse_acks(text):
    """Offsets of whole "partition offset" lines; all are of partition 0."""
    acks = []
    for line in text.split(b'\n')[:-1]:
        partition, offset = line.split()
        require(partition == b'0', 'ack', line)
        acks.append(int(offset))
    return acks


class Store:
    """A fresh store directory and the files around one run."""

    def __init__(self, where=None):
        self.where = where  # None: where temporary files go

    def __enter__(self):
        self.parent = tempfile.mkdtemp(dir=self.where)
        self.path = os.path.join(self.parent, 'store')
        os.mkdir(self.path)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.parent)

    def file(self, name):
        return os.path.join(self.parent, name)

    def run(self, command, data=b''):
        """Run a command with files as its input and output, as a pipe's
        timing would differ from run to run.  Gives exit code, what it
        printed, and its messages."""
        with open(self.file('in'), 'w+b') as stdin, \
                open(self.file('out'), 'w+b') as stdout, \
                open(self.file('err'), 'w+b') as stderr:
            stdin.write(data)
            stdin.seek(0)
            try:
                code = subprocess.run(command, stdin=stdin, stdout=stdout,
                                      stderr=stderr, timeout=TIMEOUT,
                                      check=False).returncode
            except subprocess.TimeoutExpired as error:
                raise CheckError(f'hangs: {command}') from error
            stdout.seek(0)
            stderr.seek(0)
            err = stderr.read().decode('utf-8', 'replace')
            require(code != TOOL_FAILED, 'the fault tool failed:', err)
            return code, stdout.read(), err


def store_for(operation):
    """A Store where the operation is to be disturbed."""
    return Store(MEMORY if getattr(operation, 'in_memory', False) else None)


class Append:
    """Produce lines behind a few that are there, and see them acknowledged."""

    done = 0  # the exit status of an undisturbed run
    power = False  # was lost: the end of a log may be a bad last batch

    def __init__(self, lines, settings=(), options=(), width=1):
        self.settings = [s for setting in settings for s in ('--set', setting)]
        self.options = list(options)
        self.before = [b'before-%d' % n for n in range(3)]
        self.lines = [b'line-%04d-%s' % (n, b'x' * (n % 40 * width))
                      for n in range(lines)]
        self.interval = 4096
        for setting in settings:
            if setting.startswith('index.interval.bytes='):
                self.interval = int(setting.split('=')[1])

    def prepare(self, store):
        strm(store, 'topic', 'create', 't', *self.settings)
        self.produce(store, self.before)

    def produce(self, store, lines):
        done = strm(store, 'produce', 't', '--ack', *self.options,
                    data=b''.join(line + b'\n' for line in lines))
        return parse_acks(done.out)

    def command(self, store):
        return [STRM, '-C', store, 'produce', 't', '--ack', *self.options]

    def input(self):
        return b''.join(line + b'\n' for line in self.lines)

    def judge(self, store, code, out):
        """After the run: code None means killed."""
        acks = parse_acks(out)
        first = len(self.before)
        require(acks == list(range(first, first + len(acks))), 'acks', acks)
        if code == 0:
            require(len(acks) == len(self.lines), len(acks),
                    'acks and exit 0')
        survivors = self.read(store, bad_end=self.power)
        kept = len(survivors) - first
        require(survivors == (self.before + self.lines)[:len(survivors)],
                'read', survivors[-3:], 'which nobody wrote there')
        require(kept >= len(acks), len(acks), 'acknowledged, only', kept,
                'there')
        self.goes_on(store, survivors)

    def goes_on(self, store, survivors):
        """The next producer works, and all agree on what there is."""
        more = [b'after-1', b'after-2']
        acks = self.produce(store, more)
        end = len(survivors)
        require(acks == [end, end + 1], 'next acks', acks, 'at end', end)
        require(self.read(store) == survivors + more, 'read after the next '
                'append:', self.read(store)[-5:])
        batches = check_partition(os.path.join(store, 't-0'), self.interval,
                                  fewer=True)
        require([r.value for r in records_of(batches)] == survivors + more,
                'python3-kafka reads something else')

    @staticmethod
    def read(store, bad_end=False):
        """All that is there; of appends that were never synced any part may
        be, which is no damage but for a last batch that is wrong."""
        records, done = consume('-C', store, 't', code=None)
        require(done.code == 0 or
                bad_end and done.code == 3 and 'bad (the next' in done.err,
                'consume exits', done.code, done.err)
        require([r.offset for r in records] == list(range(len(records))),
                'offsets', [r.offset for r in records])
        return [r.value for r in records]


class Thrice(Append):
    """Three producers one after another, each of whom is acknowledged."""

    def __init__(self, lines, settings):
        super().__init__(lines, settings)
        self.parts = [self.lines[n::3] for n in range(3)]
        self.lines = sum(self.parts, [])

    def command(self, store):
        produce = ' '.join(super().command(store))
        return ['sh', '-c', f'set -e; cd {store}/..; for n in 0 1 2; do '
                f'{produce} < part-$n; done']

    def prepare(self, store):
        super().prepare(store)
        for n, lines in enumerate(self.parts):
            with open(f'{store}/../part-{n}', 'wb') as file:
                file.write(b''.join(line + b'\n' for line in lines))


class Two(Append):
    """Two producers at once: a sync that fails under one must not be hidden
    by the next one's that succeeds."""

    script = """
        {strm} produce t --ack --batch-bytes 120 < {dir}/a > {dir}/a.out & a=$!
        {strm} produce t --ack --batch-bytes 120 < {dir}/b > {dir}/b.out & b=$!
        wait $a; a=$?; wait $b; b=$?
        echo $a $b > {dir}/codes
        exit $((a > b ? a : b))"""

    def prepare(self, store):
        super().prepare(store)
        for name in 'ab':
            with open(f'{store}/../{name}', 'wb') as file:
                file.write(b''.join(b'%s-%d\n' % (name.encode(), n)
                                    for n in range(30)))

    def command(self, store):
        return ['sh', '-c', self.script.format(
            strm=f'{STRM} -C {store}', dir=os.path.dirname(store))]

    def judge(self, store, code, out):
        survivors = self.read(store)
        require(survivors[:3] == self.before, 'what was there before is not')
        codes = [None, None]
        if code is not None:
            with open(f'{store}/../codes', encoding='ascii') as file:
                codes = [int(c) for c in file.read().split()]
        for name, exited in zip('ab', codes):
            path = f'{store}/../{name}.out'
            acks = b''
            if os.path.exists(path):  # else killed before it began
                with open(path, 'rb') as file:
                    acks = file.read()
            self.judge_one(name.encode(), exited, parse_acks(acks), survivors)
        self.goes_on(store, survivors)

    @staticmethod
    def judge_one(name, code, acks, survivors):
        numbers = [int(v[2:]) for v in survivors if v.startswith(name + b'-')]
        require(numbers == sorted(set(numbers)), name, 'reads', numbers)
        require(code != 0 or len(acks) == 30, name, 'exits 0 with', len(acks),
                'acks')
        for number, offset in enumerate(acks):
            require(survivors[offset:offset + 1] == [b'%s-%d' % (name, number)],
                    name, number, 'was acknowledged at', offset, 'and is not '
                    'there but', survivors[offset:offset + 1])


class Create:
    """A topic of three partitions appears whole or not at all."""

    done = 0  # the exit status of an undisturbed run

    partitions = 3

    def prepare(self, store):
        pass

    def command(self, store):
        return [STRM, '-C', store, 'topic', 'create', 't', '--partitions',
                str(self.partitions), '--set', 'retention.ms=5d']

    def input(self):
        return b''

    def seen(self, store):
        codes = {consume('-C', store, f't:{p}', code=None)[1].code
                 for p in range(self.partitions)}
        require(codes in ({0}, {4}), 'consume of the partitions exits', codes)
        return codes == {0}

    def judge(self, store, code, out):
        there = self.seen(store)
        require(there or code != 0, 'exit 0 and no topic')
        again = strm(store, *self.command(store)[3:], code=None)
        require(again.code == (1 if there else 0), 'topic was',
                'there' if there else 'absent', 'and create exits',
                again.code, again.err)
        require(self.seen(store), 'no topic after it was created')
        for p in range(self.partitions):
            strm(store, 'produce', f't:{p}', data=b'v\n')
            require(len(consume('-C', store, f't:{p}')[0]) == 1, 'produce')
        self.require_tidy(store)

    def require_tidy(self, store):
        partitions = {f't-{p}' for p in range(self.partitions)}
        names = set(os.listdir(store)) - {'.lock', '.strm'}
        require(names == partitions, 'left in the store:', sorted(names))
        left = [os.path.join(w, n) for w, dirs, files in
                os.walk(os.path.join(store, '.strm')) for n in files + dirs
                if n.endswith('.intent') or n.startswith('t-')]
        require(not left, 'left over:', left)


class Remove(Create):
    """A topic with records goes whole or not at all, and its name is free."""

    def prepare(self, store):
        strm(store, *super().command(store)[3:])
        for p in range(self.partitions):
            strm(store, 'produce', f't:{p}', data=b'old\n')

    def command(self, store):
        return [STRM, '-C', store, 'topic', 'rm', '-y', 't']

    def judge(self, store, code, out):
        there = self.seen(store)
        require(not there or code != 0, 'exit 0 and the topic is there')
        if there:
            for p in range(self.partitions):
                require(len(consume('-C', store, f't:{p}')[0]) == 1,
                        'records of partition', p)
            strm(store, 'topic', 'rm', '-y', 't')
            require(not self.seen(store), 'rm left the topic')
        strm(store, *super().command(store)[3:])
        for p in range(self.partitions):
            require(not consume('-C', store, f't:{p}')[0], 'old records')
            strm(store, 'produce', f't:{p}', data=b'new\n')
        self.require_tidy(store)


class Read:
    """Consume everything; a reader under fault prints a true beginning."""

    done = 0  # the exit status of an undisturbed run

    def __init__(self):
        self.append = Append(200, ['segment.bytes=2000'],
                             ['--batch-bytes', '300'])

    def prepare(self, store):
        self.append.prepare(store)
        self.append.produce(store, self.append.lines)

    def command(self, store):
        return [STRM, '-C', store, 'consume', 't']

    def input(self):
        return b''

    def judge(self, store, code, out):
        whole = b''.join(line + b'\n' for line in
                         self.append.before + self.append.lines)
        require(whole.startswith(out), 'printed what nobody wrote')
        require(code != 0 or out == whole, 'exit 0, and only', len(out),
                'bytes of', len(whole))


class Repair:
    """Repair a log that has something of everything: a swap that was not
    finished, a torn end, and derived files that are gone or noise.  No record
    is lost at any point, and the next run has nothing left to do."""

    done = 0  # the exit status of an undisturbed run

    def __init__(self):
        self.append = Append(60, ['segment.bytes=900',
                                  'index.interval.bytes=100'],
                             ['--batch-bytes', '120'])

    @staticmethod
    def directory(store):
        return os.path.join(store, 't-0')

    def names(self, store, extension):
        return sorted(os.path.join(self.directory(store), name)
                      for name in os.listdir(self.directory(store))
                      if name.endswith(extension) and name[0] != '.')

    def prepare(self, store):
        self.append.prepare(store)
        self.append.produce(store, self.append.lines)
        logs = self.names(store, '.log')
        require(len(logs) > 4, 'only', len(logs), 'segments')
        # Two segments are compacted into the first one's swap file; what they
        # were is still there.
        with open(logs[1] + '.swap', 'wb') as swap:
            for log in logs[1:3]:
                with open(log, 'rb') as file:
                    swap.write(file.read())
        stem = logs[1][:-len('.log')]
        for extension in ('.index', '.timeindex'):
            with open(f'{stem}{extension}.swap', 'wb'):
                pass
        with open(f'{stem[:-20]}00000000000000000000.log.deleted', 'wb'):
            pass
        os.unlink(f'{logs[0][:-4]}.index')
        with open(f'{logs[3][:-4]}.timeindex', 'wb') as noise:
            noise.write(b'noise' * 7)
        os.unlink(os.path.join(self.directory(store),
                               'leader-epoch-checkpoint'))
        with open(logs[-1], 'ab') as torn:
            torn.write(b'\0' * 7 + b'\x40' + b'\0' * 2 + b'\x01\0' +
                       b'\0\0\0\0\x02' + b'torn' * 5)

    def command(self, store):
        return [STRM, '-C', store, 'repair', '-y', 't']

    def input(self):
        return b''

    def judge(self, store, code, out):
        whole = self.append.before + self.append.lines
        require(self.append.read(store) == whole, 'records are missing')
        strm(store, *self.command(store)[3:])
        done = strm(store, 'repair', 't')
        require(done.out == b'nothing to do\n', 'left to do:', done.out)
        require(self.append.read(store) == whole, 'the second run lost some')
        require(not self.names(store, '.swap'), 'a swap file is left')
        # One segment now stands for two, which is no roll of ours.
        self.append.produce(store, [b'more'])
        require(self.append.read(store) == whole + [b'more'], 'no next append')


class Salvage(Repair):
    """Salvage a log with damage in the middle: the new partition is there with
    all that can be read, or not at all, and the log is as it was."""

    done = 3  # there are holes

    def prepare(self, store):
        self.append.prepare(store)
        self.append.produce(store, self.append.lines)
        with open(self.names(store, '.log')[2], 'r+b') as log:
            log.seek(100)
            log.write(b'?')

    def command(self, store):
        return [STRM, '-C', store, 'repair', '--salvage',
                os.path.join(store, 'saved'), 't']

    def judge(self, store, code, out):
        target = os.path.join(store, 'saved')
        require(code != 3 or os.path.exists(target), 'exit 3, and no copy')
        if not os.path.exists(target):
            strm(store, *self.command(store)[3:], code=3)
        records = consume(target + '/')[0]
        whole = self.append.before + self.append.lines
        require(len(records) < len(whole), 'nothing is damaged')
        require(all(whole[r.offset] == r.value for r in records),
                'records that nobody wrote there')
        require(len(records) == len({r.offset for r in records}) and
                len(records) > len(whole) - 10, 'only', len(records))
        left = strm(store, 'repair', target + '/')
        require(left.out == b'nothing to do\n', 'left to do:', left.out)
        consume('-C', store, 't', code=3)


class ReadOn(Read):
    """The log is sound: a call that fails is no damage to be skipped.  What may
    not be opened is, and exit 3 then says that lines are missing."""

    holes = 3  # the exit status when something was skipped

    def command(self, store):
        return super().command(store) + ['--skip-corrupt']

    def judge(self, store, code, out):
        if code != 3:
            super().judge(store, code, out)
            return
        lines = self.append.before + self.append.lines
        got = out.split(b'\n')[:-1]
        rest = iter(lines)
        require(all(line in rest for line in got), 'printed what nobody '
                'wrote, or not in order')
        require(got != lines, 'exit 3, and nothing is missing')


SMALL = ['index.interval.bytes=100']
ROLL = SMALL + ['segment.bytes=600']
TINY = ['--batch-bytes', '120']

OPERATIONS = {
    'append-one': Append(5, SMALL),
    'append-many': Append(60, SMALL, TINY),
    # More than one write, each of them synced.
    'append-long': Append(50, SMALL, width=1000),
    'append-zstd': Append(16, SMALL, TINY + ['-z', 'zstd']),
    'roll': Append(40, ROLL, TINY),
    'roll-zstd': Append(24, ROLL, TINY + ['-z', 'zstd']),
    # The line after the next does not fit: the run ends at a segment's end.
    'roll-next': Append(9, ROLL, TINY),
    'thrice': Thrice(6, SMALL),
    'two': Two(0, SMALL),
    'create': Create(),
    'rm': Remove(),
    'consume': Read(),
    'repair': Repair(),
    'salvage': Salvage(),
    'consume-skip': ReadOn(),
    **roles.OPERATIONS,
    **upkeep.OPERATIONS,
    **archiving.OPERATIONS,
    **compacting.OPERATIONS,
    **replicating.OPERATIONS,
}


def main(run_test, argv):
    """Run one operation's test; the message of a failure is the exit text."""
    try:
        print(run_test(OPERATIONS[argv[1]]))
    except CheckError as error:
        return f'{argv[1]}: {error}'
    return 0
