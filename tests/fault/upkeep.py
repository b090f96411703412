"""Operations that change which segments there are: roll, trim, retain, compact.

For harness.py.  What must hold is judged with tests/tools/look, which reads
and verifies in one process: tens of thousands of stores are looked at.
"""

import collections
import json
import os
import subprocess
import time

from check_partition import check_partition, records_of
from strmtest import BUILD, STRM, CheckError, require, strm

DAY = 86400000
END = 1  # the status of a reading that came to the end
LEFTOVERS = ('.cleaned', '.swap', '.deleted')

View = collections.namedtuple(
    'View', 'records status message seeks damage notes start end')
Record = collections.namedtuple('Record', 'offset ts key value headers')


class Looker:
    """Asks one process of tests/tools/look, started when first needed."""

    def __init__(self):
        self.process = None

    def ask(self, store, address):
        if self.process is None:
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen(
                [os.path.join(BUILD, 'tests/tools/look')],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdin.write(f'{store} {address}\n'.encode())
        self.process.stdin.flush()
        answer = []
        for line in self.process.stdout:
            if line == b'done\n':
                return self.view(answer)
            answer.append(line.decode('utf-8', 'replace').rstrip('\n'))
        raise CheckError(f'look died at {store} {address}: {answer[-3:]}')

    @staticmethod
    def view(answer):
        view = View([], [], [], [], [], [], [], [])
        for line in answer:
            word, rest = line.split(' ', 1)
            if word == 'record':
                offset, ts, *fields = rest.split(' ')
                view.records.append(Record(int(offset), int(ts), *(
                    None if f == '-' else bytes.fromhex(f) for f in fields)))
            elif word == 'seek':
                view.seeks.append(tuple(map(int, rest.split(' '))))
            elif word == 'end':
                status, message = rest.split(' ', 1)
                view.status.append(int(status))
                view.message.append(message)
            elif word == 'log':
                start, end = map(int, rest.split(' '))
                view.start.append(start)
                view.end.append(end)
            else:
                severity, finding = rest.split(' ', 1)
                (view.damage if severity == '1' else view.notes).append(finding)
        return view


LOOKER = Looker()


def look(store, partition, may_miss=False):
    """The view of a partition that is sound.  may_miss: indexes, of segments
    on their way out: a rename of an index may be durable before that of its
    log, which comes first, is."""
    return sound(LOOKER.ask(store, f't:{partition}'), partition, may_miss)


def sound(view, partition, may_miss=False):
    require(view.status == [END], 'reading partition', partition, 'ends with',
            view.status, view.message)
    require(all(a == b for a, b in view.seeks), 'seeks found', view.seeks)
    damage = [d for d in view.damage
              if not (may_miss and d.startswith('missing-index '))]
    require(not damage, 'verify finds', damage)
    return view


def bases(store, partition):
    return sorted(int(name[:20]) for name in
                  os.listdir(os.path.join(store, f't-{partition}'))
                  if name.endswith('.log') and name[0] != '.')


class Upkeep:
    """A topic with several closed segments in each partition.  After a fault
    each partition is as it was or as it should be, or between them as may_be
    says; the next run ends at self.final; and the next append works."""

    done = 0
    partly = 7  # the exit status when some partitions failed
    power = False
    in_memory = True  # it syncs much
    settings = ()
    partitions = 1
    options = ()
    interval = 100
    segment_bytes = 600
    batch_bytes = 120
    gaps = False

    def __init__(self, codec='none'):
        self.codec = codec
        self.before = self.bases = self.final = ()  # of each partition

    # ---- what an operation is

    def lines(self):
        """(key, value, timestamp) of each record of a partition."""
        now = time.time_ns() // 1000000
        return [(b'k%d' % (n % 7), b'value-%04d' % n, now - (40 - n) * DAY // 4)
                for n in range(40)]

    def more(self, store):
        """What else is to be prepared."""

    def command(self, store):
        raise NotImplementedError

    def after(self, partition):
        """The records that a partition should hold in the end."""
        return self.before[partition]

    def may_be(self, partition, records):
        """Might a run that was cut off leave these?"""
        return records in (self.before[partition], self.final[partition])

    def judge_files(self, store, partition):
        """After a run that ended well."""

    # ---- what others see while it stands still

    def glance(self, store):
        ask = ''.join(f'{store} t:{p}\n' for p in range(self.partitions))
        return (f"printf '%s' '{ask}' | {BUILD}/tests/tools/look > "
                f"{store}/../glance")

    def judge_glance(self, store):
        with open(f'{store}/../glance', encoding='utf-8') as file:
            answers = file.read().split('done\n')
        for p in range(self.partitions):
            records = sound(LOOKER.view(answers[p].splitlines()), p).records
            require(self.may_be(p, records), 'meanwhile partition', p, 'holds',
                    told(records))

    # ---- the rest

    def input(self):
        return b''

    def prepare(self, store):
        settings = [f'segment.bytes={self.segment_bytes}',
                    f'index.interval.bytes={self.interval}', *self.settings]
        strm(store, 'topic', 'create', 't', '--partitions',
             str(self.partitions),
             *(s for setting in settings for s in ('--set', setting)))
        for p in range(self.partitions):
            self.produce(store, p, self.lines())
        self.more(store)
        views = [look(store, p) for p in range(self.partitions)]
        self.before = [view.records for view in views]
        self.bases = [bases(store, p) for p in range(self.partitions)]
        require(all(len(b) > 4 for b in self.bases), 'segments', self.bases)
        self.final = [self.after(p) for p in range(self.partitions)]

    def produce(self, store, partition, lines):
        text = ''.join(json.dumps({
            'key': key.decode(), 'ts': ts,
            'value': None if value is None else value.decode()}) + '\n'
                       for key, value, ts in lines)
        done = strm(store, 'produce', f't:{partition}', '-J', '--ack', '-z',
                    self.codec, '--batch-bytes', str(self.batch_bytes),
                    data=text.encode())
        return [int(line.split()[1]) for line in done.out.splitlines()]

    def judge(self, store, code, out):
        """After the run: code None means cut off."""
        del out  # what it printed for people
        for p in range(self.partitions):
            records = look(store, p, self.power and code is None).records
            require(self.may_be(p, records), 'partition', p, 'holds',
                    told(records), 'was', told(self.before[p]), 'should be',
                    told(self.final[p]))
            if code == self.done:
                self.judge_final(store, p, records, 'exit 0, and')
        again = strm(store, *self.command(store)[3:], code=None)
        require(again.code == self.done, 'the next run exits', again.code,
                again.err)
        for p in range(self.partitions):
            self.judge_final(store, p, look(store, p).records,
                             'after the next run')
            self.goes_on(store, p)

    def judge_final(self, store, partition, records, when):
        require(records == self.final[partition], when, 'partition', partition,
                'holds', told(records), 'instead of',
                told(self.final[partition]))
        left = [name for name in os.listdir(f'{store}/t-{partition}')
                if name.endswith(LEFTOVERS)]
        if self.power and when.startswith('exit'):
            left = []  # that they are removed need not be durable
        require(not left, when, 'left over:', left)
        self.judge_files(store, partition)

    def goes_on(self, store, partition):
        """The next append works, and python3-kafka reads the same."""
        end = self.before[partition][-1].offset + 1
        acks = self.produce(store, partition, [(b'k0', b'more', 1772361000000)])
        require(acks == [end], 'next ack', acks, 'at end', end)
        view = look(store, partition)
        require([r.value for r in view.records] ==
                [r.value for r in self.final[partition]] + [b'more'],
                'the next append changed', told(view.records))
        notes = [n for n in view.notes if not n.startswith('leftover .tmp-')]
        require(not notes, 'verify notes', notes)
        if not self.power:
            batches = check_partition(f'{store}/t-{partition}', self.interval,
                                      fewer=True, gaps=self.gaps)
            kept = [r.offset for r in records_of(batches)
                    if r.offset >= view.start[0]]
            require(kept == [r.offset for r in view.records],
                    'python3-kafka reads', kept)


def told(records):
    offsets = [r.offset for r in records]
    return f'{len(offsets)} records {offsets}'


class Roll(Upkeep):
    """Nothing changes for readers, and the active segment is a closed one."""

    partitions = 2

    def command(self, store):
        return [STRM, '-C', store, 'roll', 't']

    def judge_files(self, store, partition):
        end = self.before[partition][-1].offset + 1
        require(bases(store, partition) == self.bases[partition] + [end],
                'segments', bases(store, partition))


class Trim(Upkeep):
    """The log starts where it did, or at the new start for good."""

    start = 17
    settings = ('retention.ms=-1',)

    def command(self, store):
        return [STRM, '-C', store, 'trim', f't:0@{self.start}']

    def after(self, partition):
        return [r for r in self.before[partition] if r.offset >= self.start]


class Retain(Upkeep):
    """Readers see a suffix that begins with a segment, from the old start to
    the new one; it never grows again."""

    partitions = 2
    options = ()
    settings = (f'retention.ms={DAY * 5 + DAY // 8}',)

    def command(self, store):
        return [STRM, '-C', store, 'retain', *self.options, 't']

    def starts(self, partition):
        """Bases of the segments, up to that of the first that stays: its last
        record is young enough."""
        ages = self.before[partition]
        limit = time.time_ns() // 1000000 - (DAY * 5 + DAY // 8)
        starts = self.bases[partition]
        for n in range(len(starts) - 1):
            last = [r for r in ages if r.offset < starts[n + 1]][-1]
            if last.ts >= limit:
                return starts[:n + 1]
        return starts

    def after(self, partition):
        start = self.starts(partition)[-1]
        require(start > 0, 'nothing is old')
        return [r for r in self.before[partition] if r.offset >= start]

    def may_be(self, partition, records):
        whole = self.before[partition]
        return (records == whole[len(whole) - len(records):] and
                records[0].offset in self.starts(partition))

    def judge_full(self, store, code, err):
        """Who has no room needs nothing more than this."""
        require(code == 0, 'retain on a full disk exits', code, err)
        for p in range(self.partitions):
            self.judge_final(store, p, look(store, p).records, 'full, and')

    def judge_files(self, store, partition):
        start = self.starts(partition)[-1]
        require(bases(store, partition)[0] == start, 'segments',
                bases(store, partition), 'start', start)


class RetainSize(Retain):
    """The same by size: as many bytes stay as were asked for, or more."""

    settings = ('retention.ms=-1',)
    options = ('--keep-records', '9')

    def starts(self, partition):
        starts = self.bases[partition]
        end = self.before[partition][-1].offset + 1
        return [s for s in starts if end - s >= 9]


class RetainTrimmed(Retain):
    """The log start was raised into a segment: what is below it is never seen
    again, and the segments that hold nothing else go."""

    start = 17
    settings = ('retention.ms=-1',)

    def more(self, store):
        for p in range(self.partitions):
            strm(store, 'trim', f't:{p}@{self.start}')

    def starts(self, partition):
        return [s for s in self.bases[partition] if s <= self.start]

    def after(self, partition):
        return self.before[partition]

    def may_be(self, partition, records):
        return records == self.before[partition]


class Compact(Upkeep):
    """Each segment holds what it held, or what compaction leaves of it; a
    table built from either is the same, and so is the active segment."""

    settings = ('cleanup.policy=compact',)
    gaps = True
    keys = 5

    def lines(self):
        """A tombstone now and then, of a key that comes again later and of one
        that does not; one key that stands alone; values of different sizes."""
        lines = []
        for n in range(60):
            key = b'k%d' % (n * n % self.keys + n // 25)
            value = None if n % 9 == 5 else b'v%04d' % n + b'x' * (n % 11)
            lines.append((b'alone' if n == 13 else key, value,
                          1772361000000 + n))
        return lines

    def command(self, store):
        return [STRM, '-C', store, 'compact', 't']

    def after(self, partition):
        """The newest of each key of closed segments, tombstones too: they were
        never cleaned before."""
        active = self.bases[partition][-1]
        newest = {r.key: r.offset for r in self.before[partition]
                  if r.offset < active}
        kept = [r for r in self.before[partition]
                if r.offset >= active or newest[r.key] == r.offset]
        require(len(kept) < len(self.before[partition]) * 2 / 3, 'too few go')
        require(any(r.value is None for r in kept), 'no tombstone')
        return kept

    def may_be(self, partition, records):
        before, final = self.before[partition], self.final[partition]
        starts = self.bases[partition] + [before[-1].offset + 1]
        return table(records) == table(before) and all(
            between(records, low, high) in (between(before, low, high),
                                            between(final, low, high))
            for low, high in zip(starts, starts[1:]))

    @staticmethod
    def judge_full(store, code, err):
        """What was begun does not stay to fill the disk."""
        require(code == 0 or 'No space left' in err, 'exit', code, err)
        left = [name for name in os.listdir(f'{store}/t-0')
                if name.endswith(LEFTOVERS)]
        require(not left, 'left on the full disk:', left)

    def judge_files(self, store, partition):
        require(bases(store, partition)[-1] == self.bases[partition][-1],
                'the active segment went')


class CompactLarge(Compact):
    """Most of it stays, so that there must be room for it."""

    segment_bytes = 30000
    batch_bytes = 1000

    def lines(self):
        lines = [(b'k%d' % (n if n % 5 < 3 else 1), b'v%04d' % n * 60,
                  1772361000000 + n)
                 for n in range(500)]
        return lines + [(b'k%d' % n, None, 1772361000500) for n in range(5)]

    def more(self, store):
        strm(store, 'roll', 't')
        self.produce(store, 0, [(b'k1', b'active', 1772361000600)])


class CompactAgain(Compact):
    """A log that was compacted, and has grown: clean segments are merged with
    dirty ones, several groups are made."""

    settings = (*Compact.settings, 'min.cleanable.dirty.ratio=0.1')

    def more(self, store):
        for p in range(self.partitions):
            strm(store, 'compact', 't')
            self.produce(store, p, [
                (key, value, ts + 1000) for key, value, ts in self.lines()])


def table(records):
    return {r.key: r for r in records}


def between(records, low, high):
    return [r for r in records if low <= r.offset < high]


OPERATIONS = {
    'roll-now': Roll(),
    'trim': Trim(),
    'retain': Retain(),
    'retain-zstd': Retain('zstd'),
    'retain-size': RetainSize(),
    'retain-trimmed': RetainTrimmed(),
    'compact': Compact(),
    'compact-zstd': Compact('zstd'),
    'compact-again': CompactAgain(),
    'compact-large': CompactLarge(),
}
