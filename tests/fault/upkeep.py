"""Operations that change which segments there are: roll, trim and retain; what
compact has in common with them too.  For harness.py.
"""

import json
import os
import time

from check_partition import check_partition, records_of
from looker import LOOKER, bases, look, sound, told
from strmtest import BUILD, STRM, require, strm

DAY = 86400000
LEFTOVERS = ('.cleaned', '.swap', '.deleted')


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

    def __init__(self, codec='none', partitions=None):
        self.codec = codec
        self.partitions = partitions or self.partitions
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

    def settle(self, store):
        """Before the next run."""

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
        self.settle(store)
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


class RetainUnnamed(Retain):
    """A directory that is not named as a partition has no log start in the
    store: the files alone say where the log begins, as on a full disk.  It has
    its name again when it is judged."""

    partitions = 1

    def prepare(self, store):
        super().prepare(store)
        os.rename(f'{store}/t-0', f'{store}/unnamed')

    def command(self, store):
        if not os.path.isdir(f'{store}/unnamed'):
            return super().command(store)
        return [STRM, '-C', store, 'retain', '--older', '123h',
                f'{store}/unnamed/']

    def glance(self, store):
        return super().glance(store).replace('t:0', f'{store}/unnamed/')

    def judge(self, store, code, out):
        os.rename(f'{store}/unnamed', f'{store}/t-0')
        super().judge(store, code, out)


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


OPERATIONS = {
    'roll-now': Roll(),
    'trim': Trim(),
    'retain': Retain(),
    'retain-zstd': Retain('zstd'),
    'retain-size': RetainSize(),
    'retain-trimmed': RetainTrimmed(),
    'retain-unnamed': RetainUnnamed(),
}
