"""Operations that compact.  For harness.py."""

import os

from looker import bases, look, told
from strmtest import STRM, require, strm
from upkeep import LEFTOVERS, Upkeep


class Compact(Upkeep):
    """Each segment holds what it held, or what compaction leaves of it; a
    table built from either is the same, and so is the active segment."""

    settings = ('cleanup.policy=compact',)
    interval = 40  # so that what is left has index entries too
    # Of several segments into one: if nothing is left of them, no swap covers
    # those that were on their way out.
    merges = False
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

    def settle(self, store):
        """Another tool, to which nothing is old, finishes or undoes what was
        begun, and all is sound though no segment is written anew."""
        strm(store, 'retain', 't')
        for p in range(self.partitions):
            records = look(store, p, self.power and self.merges).records
            require(self.may_be(p, records), 'after another tool partition', p,
                    'holds', told(records))
            left = [name for name in os.listdir(f'{store}/t-{p}')
                    if name.endswith(LEFTOVERS)]
            require(not left, 'left over after another tool:', left)

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
    needs_room = True

    def lines(self):
        lines = [(b'k%d' % (n if n % 5 < 3 else 1), b'v%04d' % n * 60,
                  1772361000000 + n)
                 for n in range(500)]
        return lines + [(b'k%d' % n, None, 1772361000500) for n in range(5)]

    def more(self, store):
        strm(store, 'roll', 't')
        self.produce(store, 0, [(b'k1', b'active', 1772361000600)])


class CompactRounds(Compact):
    """More keys than memory holds: every round leaves something between.  The
    ratio must not keep the next run from what an earlier one left to do."""

    settings = (*Compact.settings, 'min.cleanable.dirty.ratio=0')
    merges = True
    segment_bytes = 1500
    batch_bytes = 500
    interval = 1000

    def command(self, store):
        return [*super().command(store), '--memory', '4096']

    def lines(self):
        return [(b'k%d' % (n * 7 % 200), None if n == 390 else b'v%d' % n,
                 1772361000000 + n) for n in range(400)]

    def more(self, store):
        strm(store, 'roll', 't')
        self.produce(store, 0, [(b'k1', b'active', 1772361000600)])

    def may_be(self, partition, records):
        before, final = self.before[partition], self.final[partition]
        offsets = {r.offset for r in records}
        return (records == [r for r in before if r.offset in offsets] and
                offsets >= {r.offset for r in final} and
                table(records) == table(before))


class CompactAgain(Compact):
    """A log that was compacted, and has grown: clean segments are merged with
    dirty ones, several groups are made."""

    settings = (*Compact.settings, 'min.cleanable.dirty.ratio=0.1')
    merges = True

    def more(self, store):
        strm(store, 'compact', 't')
        for p in range(self.partitions):
            self.produce(store, p, [
                (key, value, ts + 1000) for key, value, ts in self.lines()])


class Maintain(Compact):
    """The active segment is old: it is closed, and then all of the log is
    compacted; the metrics are there as a whole or not at all."""

    settings = (*Compact.settings, 'segment.ms=1h')

    def command(self, store):
        return [STRM, '-C', store, 'maintain', '--textfile',
                f'{store}/strm.prom', 't']

    def after(self, partition):
        newest = {r.key: r.offset for r in self.before[partition]}
        return [r for r in self.before[partition]
                if newest[r.key] == r.offset]

    def may_be(self, partition, records):
        """A roll that fails keeps compaction from nothing else."""
        before = self.before[partition]
        outcomes = (before, self.final[partition], super().after(partition))
        starts = self.bases[partition] + [before[-1].offset + 1]
        return table(records) == table(before) and all(
            between(records, low, high) in
            [between(outcome, low, high) for outcome in outcomes]
            for low, high in zip(starts, starts[1:]))

    def judge(self, store, code, out):
        metrics = f'{store}/strm.prom'
        if os.path.exists(metrics):
            with open(metrics, encoding='ascii') as file:
                require(file.read().count('\nstrm_maintain_') == 9,
                        'half of the metrics')
        super().judge(store, code, out)

    def judge_files(self, store, partition):
        end = self.before[partition][-1].offset + 1
        require(bases(store, partition)[-1] == end, 'segments',
                bases(store, partition), 'end', end)


def table(records):
    return {r.key: r for r in records}


def between(records, low, high):
    return [r for r in records if low <= r.offset < high]


OPERATIONS = {
    'compact': Compact(),
    'compact-zstd': Compact('zstd', partitions=2),
    'compact-again': CompactAgain(),
    'compact-rounds': CompactRounds(),
    'compact-large': CompactLarge(),
    'maintain': Maintain(),
}
