#!/usr/bin/python3
"""Rebuild .txnindex and .snapshot by the rules of SPEC 5.5 and 6.4.

    producers.py DIR...

Replays the batches of each partition directory from its first segment and
compares every .txnindex, and every .snapshot, with what the rules make of it.
Nothing here is strm's, so this judges the specification.  It needs a log from
which nothing was compacted.  Prints how many files were compared.
"""

import struct
import sys

from kafka.record.memory_records import MemoryRecords
from kafka.record.util import calc_crc32c

from check_partition import HEADER, file_bytes, segment_names
from strmtest import CheckError, require

TRANSACTIONAL, CONTROL = 16, 32
ABORT = 0
LARGEST_SEQUENCE = 2**31
ENTRY = struct.Struct('>qhiqiqiq')
ABORTED = struct.Struct('>hqqqq')


class Producer:
    def __init__(self):
        self.epoch = -1
        self.timestamp = self.coordinator = self.first = -1
        self.forget()

    def forget(self):
        self.sequence, self.last, self.delta = -1, -1, 0


class State:
    """The producers of a log, in the order in which they came."""

    def __init__(self):
        self.producers = {}

    def pass_batch(self, header, batch):
        """The .txnindex entry that the batch makes, if any."""
        base, attributes, delta = header[0], header[5], header[6]
        max_time, producer_id, epoch, sequence = header[8:12]
        if producer_id < 0 or (attributes & CONTROL and header[12] == 0):
            return b''
        producer = self.producers.setdefault(producer_id, Producer())
        if producer.epoch != epoch:
            producer.epoch = epoch
            producer.forget()
        if attributes & CONTROL:
            return self.end(producer_id, producer, next(iter(batch)))
        producer.sequence = (sequence + delta) % LARGEST_SEQUENCE
        producer.last, producer.delta = base + delta, delta
        producer.timestamp = max_time
        if attributes & TRANSACTIONAL and producer.first < 0:
            producer.first = base
        return b''

    def end(self, producer_id, producer, marker):
        _, kind = struct.unpack('>hh', marker.key)
        _, producer.coordinator = struct.unpack('>hi', marker.value)
        producer.timestamp = marker.timestamp
        first, producer.first = producer.first, -1
        if first < 0 or kind != ABORT:
            return b''
        still_open = [p.first for p in self.producers.values() if p.first >= 0]
        stable = min(still_open, default=marker.offset + 1)
        return ABORTED.pack(0, producer_id, first, marker.offset, stable)

    def places(self):
        """The ids in the order of a Java HashMap."""
        size = 16
        while len(self.producers) > size * 3 // 4:
            size *= 2

        def place(producer_id):
            h = (producer_id ^ producer_id >> 32) & 0xffffffff
            return (h ^ h >> 16) & (size - 1)
        return sorted(self.producers, key=place)

    def snapshot(self):
        body = struct.pack('>i', len(self.producers))
        for i in self.places():
            p = self.producers[i]
            body += ENTRY.pack(i, p.epoch, p.sequence, p.last, p.delta,
                               p.timestamp, p.coordinator, p.first)
        return struct.pack('>hI', 1, calc_crc32c(body)) + body


def compare(directory, offset, kind, made):
    """1 if the file is there and is what was made; 0 if both are nothing."""
    found = file_bytes(directory, offset, kind)
    if found is None and (kind == 'snapshot' or made == b''):
        return 0
    require(found == made, directory, ':', f'{offset:020}.{kind}',
            'is not what the rule makes')
    return 1


def check(directory):
    state, compared, end = State(), 0, -1
    for base in segment_names(directory):
        if base != end:
            compared += compare(directory, base, 'snapshot', state.snapshot())
        log, aborted, position = file_bytes(directory, base, 'log'), b'', 0
        memory = MemoryRecords(log)
        while memory.has_next():
            header = HEADER.unpack_from(log, position)
            aborted += state.pass_batch(header, memory.next_batch())
            position += 12 + header[1]
            end = header[0] + header[6] + 1
        compared += compare(directory, base, 'txnindex', aborted)
        compared += compare(directory, end, 'snapshot', state.snapshot())
    return compared


if __name__ == '__main__':
    try:
        for path in sys.argv[1:]:
            print(path, check(path))
    except CheckError as error:
        sys.exit(str(error))
