"""A partition directory as a broker has it in memory.

Segments with their batches, producers from the newest snapshot and what
follows it, aborted transactions from .txnindex.  Knows nothing of strm's code.
"""

import dataclasses
import os
import struct

import kafkalog
from kafkalog import ABORTED, PRODUCER, crc32c


class Segment:
    def __init__(self, directory, base):
        self.base = base
        log = kafkalog.file_bytes(directory, base, 'log')
        self.size = len(log)
        self.batches = kafkalog.read_batches(log)
        self.index_size = len(kafkalog.file_bytes(directory, base, 'index'))
        self.time_size = len(kafkalog.file_bytes(directory, base, 'timeindex'))
        self.aborted = list(ABORTED.iter_unpack(
            kafkalog.file_bytes(directory, base, 'txnindex')))
        path = os.path.join(directory, kafkalog.file_name(base, 'log'))
        self.mtime_ms = os.stat(path).st_mtime_ns // 10**6

    def next_offset(self):
        return self.batches[-1].last + 1 if self.batches else self.base

    def largest_time(self):
        largest = max((b.max_ts for b in self.batches), default=-1)
        return largest if largest >= 0 else self.mtime_ms


@dataclasses.dataclass
class Producer:
    """What a broker remembers of a producer: SPEC 6.4."""
    epoch: int = -1
    last: int = -1          # offset of its last data batch
    time: int = -1
    first: int = -1         # of its open transaction

    def pass_batch(self, batch):
        if batch.control and batch.count == 0:
            return
        if batch.producer_epoch != self.epoch:
            self.epoch, self.last = batch.producer_epoch, -1
        if batch.control:
            self.first, self.time = -1, batch.records()[0].ts
            return
        self.last, self.time = batch.last, batch.max_ts
        if batch.transactional and self.first < 0:
            self.first = batch.base


class Log:
    def __init__(self, directory, log_start=0):
        self.segments = [Segment(directory, base)
                         for base in kafkalog.bases(directory)]
        self.log_start = max(log_start, self.segments[0].base)
        self.end = self.segments[-1].next_offset()
        self.producers = self._producers(directory)

    def _producers(self, directory):
        start, found = self._snapshot(directory)
        for segment in self.segments:
            for batch in segment.batches:
                if batch.last >= start and batch.producer >= 0:
                    found.setdefault(batch.producer, Producer())
                    found[batch.producer].pass_batch(batch)
        return found

    def _snapshot(self, directory):
        """The newest sound snapshot up to the log end."""
        for offset in reversed(kafkalog.bases(directory, 'snapshot')):
            data = kafkalog.file_bytes(directory, offset, 'snapshot')
            version, crc, count = struct.unpack_from('>hIi', data)
            if (offset > self.end or version != 1 or crc32c(data[6:]) != crc or
                    len(data) != 10 + 46 * count):
                continue
            return offset, {
                pid: Producer(epoch, last, time, first)
                for pid, epoch, _, last, _, time, _, first
                in PRODUCER.iter_unpack(data[10:])}
        return 0, {}

    def last_stable(self):
        """What is open below the log start holds up nobody."""
        return max(self.log_start, min(
            (p.first for p in self.producers.values() if p.first >= 0),
            default=self.end))

    def base_at(self, offset):
        """The base of the segment that holds an offset, or of the newest."""
        return max((s.base for s in self.segments if s.base <= offset),
                   default=self.segments[0].base)

    def aborted(self, base, upper):
        """Entries of .txnindex files for what lies from base to upper.

        A broker leaves out those that ended below the log start, and takes
        their records for committed ones.  Nobody sees them; strm drops them.
        """
        found = []
        for segment in self.segments:
            if segment.base < base:
                continue
            for entry in segment.aborted:
                _, _, first, _, stable = entry
                if first < upper:
                    found.append(entry)
                if stable >= upper:
                    return found
        return found
