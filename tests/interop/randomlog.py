"""Partition directories as a broker might have left them, at random.

    maker = Maker(random.Random(seed), directory)
    maker.extend(60)

writes about 60 batches: every codec, tombstones, null keys, headers, keys that
repeat within a batch, idempotent and transactional producers with their
markers, LogAppendTime, absent timestamps, gaps between offsets, empty segments.
Index files, .txnindex, .snapshot and leader-epoch-checkpoint are as Kafka's
recovery makes them.  extend() again goes on behind what is there by then, also
after a compaction.
"""

import os
import struct

from kafka.record.memory_records import MemoryRecords

import check_partition
import kafkalog
import producers
from kafkalog import (ABORT, COMMIT, CONTROL, LOG_APPEND_TIME, NONE,
                      TRANSACTIONAL, ZSTD, Record, encode_record, make_batch)

START = 1700000000000
HEADERS = ((), (), (), ((b'h', b'1'),), ((b'', None), (b'n\xc3\xa4me', b'')),
           ((b'h', b'1'), (b'h', b'2')))


class Source:
    """A producer: a plain one (id -1), an idempotent or a transactional."""

    def __init__(self, producer, transactional=False):
        self.producer, self.transactional = producer, transactional
        self.epoch, self.sequence, self.open = 0, 0, False
        if producer < 0:
            self.epoch = self.sequence = -1

    def numbered(self, count):
        first = self.sequence
        if first >= 0:
            self.sequence = (first + count) & (2**31 - 1)
        return first

    def bump(self):
        self.epoch, self.sequence = self.epoch + 1, 0


class Maker:
    def __init__(self, rng, directory, dense=False, transactions=True):
        self.rng, self.directory, self.dense = rng, directory, dense
        os.makedirs(directory, exist_ok=True)
        self.next, self.now, self.leader_epoch = 0, START, 0
        self.epochs = [(0, 0)]
        self.state = producers.State()
        self.keys = [b'', b'k'] + [b'key-%d' % n for n in
                                   range(rng.choice((2, 8, 30)))]
        self.segment_size = rng.choice((600, 2000, 20000))
        self.value_size = rng.choice((3, 30, 900))
        self.interval = 4096
        self.codecs = rng.choice(([NONE], [NONE, ZSTD], list(range(5))))
        self.times = rng.choice(('create', 'create', 'append', 'absent',
                                 'mixed'))
        self.snapshots = rng.random() < .7
        self.sources = [Source(-1)]
        self.sources += [Source(1000 + n) for n in range(rng.randrange(3))]
        if transactions:
            self.sources += [Source(2000 + n, True)
                             for n in range(rng.randrange(4))]
        self._begin_segment()

    # --- segments --------------------------------------------------------

    def _begin_segment(self):
        self.base, self.batches, self.aborted = self.next, [], b''
        if self.snapshots and self.next:
            kafkalog.write_file(self.directory, self.next, 'snapshot',
                                self.state.snapshot())

    def write_segment(self, closed):
        write_segment(self.directory, self.base, self.batches, self.aborted,
                      self.interval, closed)

    def roll(self):
        """Close the segment; now and then an empty one comes between."""
        self.write_segment(True)
        if not self.dense and self.rng.random() < .15:
            self.next += self.rng.randrange(1, 4)
            self._begin_segment()
            self.write_segment(True)
            self.next += self.rng.randrange(1, 4)
        if not self.dense and self.rng.random() < .03:
            # Not all can be one segment: an index says 2^31 - 1 at most.
            self.next += 2**31 - self.rng.randrange(200)
        self._begin_segment()

    def _append(self, batch):
        header = check_partition.HEADER.unpack_from(batch.raw)
        self.aborted += self.state.pass_batch(
            header, MemoryRecords(batch.raw).next_batch())
        self.batches.append(batch)
        self.next = batch.last + 1
        if not self.dense and self.rng.random() < .05:
            self.next += self.rng.randrange(1, 9)

    # --- batches ---------------------------------------------------------

    def _time(self):
        self.now += self.rng.randrange(1, 2000)
        if self.times == 'absent':
            return -1
        if self.times == 'mixed':
            return self.rng.choice((-1, self.now, self.now - 5000))
        return self.now

    def _record(self, offset):
        rng = self.rng
        key = None if rng.random() < .04 else rng.choice(self.keys)
        value = None if rng.random() < .15 else \
            rng.randbytes(rng.randrange(self.value_size))
        return Record(offset, self._time(), key, value, rng.choice(HEADERS))

    def data(self, source):
        records = [self._record(self.next + i)
                   for i in range(self.rng.choice((1, 1, 2, 5, 12)))]
        attributes = self.rng.choice(self.codecs)
        max_ts = max(r.ts for r in records)
        if source.transactional:
            attributes |= TRANSACTIONAL
            source.open = True
        if self.times == 'append':
            attributes |= LOG_APPEND_TIME
            max_ts = self.now
        self._append(make_batch(
            b''.join(encode_record(r, self.next, records[0].ts)
                     for r in records),
            base=self.next, last_delta=len(records) - 1,
            base_ts=records[0].ts, max_ts=max_ts, count=len(records),
            epoch=self.leader_epoch, attributes=attributes,
            producer=source.producer, producer_epoch=source.epoch,
            sequence=source.numbered(len(records))))

    def marker(self, source, kind):
        self.now += 1
        record = Record(self.next, self.now, struct.pack('>hh', 0, kind),
                        struct.pack('>hi', 0, 7))
        if self.rng.random() < .1:
            source.bump()       # as with transaction.version 2
        self._append(make_batch(
            encode_record(record, self.next, self.now), base=self.next,
            last_delta=0, base_ts=self.now, max_ts=self.now, count=1,
            epoch=self.leader_epoch, attributes=TRANSACTIONAL | CONTROL,
            producer=source.producer, producer_epoch=source.epoch))
        source.open = False

    def _new_leader(self):
        self.leader_epoch += self.rng.randrange(1, 3)
        if self.epochs[-1][1] == self.next:
            self.epochs.pop()
        self.epochs.append((self.leader_epoch, self.next))

    def _step(self):
        rng, source = self.rng, self.rng.choice(self.sources)
        if rng.random() < .02:
            self._new_leader()
        if source.open and rng.random() < .4:
            self.marker(source, rng.choice((ABORT, COMMIT)))
        elif rng.random() < .01 and source.producer >= 0 and not source.open:
            source.bump()
        else:
            self.data(source)

    def end_transactions(self):
        for source in self.sources:
            if source.open:
                self.marker(source, self.rng.choice((ABORT, COMMIT)))

    def extend(self, count, end_all=False):
        """That many batches more; end_all: no transaction stays open."""
        for _ in range(count):
            if sum(len(b.raw) for b in self.batches) > self.segment_size:
                self.roll()
            self._step()
        if end_all:
            self.end_transactions()
        self.write_segment(False)
        lines = ['0', str(len(self.epochs))]
        lines += ['%d %d' % entry for entry in self.epochs]
        path = os.path.join(self.directory, 'leader-epoch-checkpoint')
        with open(path, 'w', encoding='ascii') as file:
            file.write('\n'.join(lines) + '\n')


def index_files(batches, base, interval, closed=True):
    """(.index, .timeindex) as Kafka's recovery makes them."""
    placed, position = [], 0
    for b in batches:
        placed.append(check_partition.Batch(
            position, len(b.raw), b.base, b.last, b.attributes, b.epoch,
            b.max_ts, b.producer, []))
        position += len(b.raw)
    index, times = check_partition.rebuild_indexes(placed, base, interval,
                                                   closed)
    return (b''.join(struct.pack('>ii', *e) for e in index),
            b''.join(struct.pack('>qi', *e) for e in times))


def write_segment(directory, base, batches, aborted, interval, closed=True):
    """The files of a segment; aborted: what is in its .txnindex."""
    index, times = index_files(batches, base, interval, closed)
    for kind, data in (('log', b''.join(b.raw for b in batches)),
                       ('index', index), ('timeindex', times)):
        kafkalog.write_file(directory, base, kind, data)
    if aborted:
        kafkalog.write_file(directory, base, 'txnindex', aborted)
