#!/usr/bin/python3
"""Check a partition directory with code that is not strm's.

    check_partition.py [-i INTERVAL] [-f] [-g] [-c] DIR

Batches are decoded by python3-kafka: CRCs, the chain of offsets within and
between segments, timestamps.  Index files are compared with what Kafka's
recovery rule makes of the log (a batch gets an entry when more than INTERVAL
bytes lie between it and the last batch that has one): equal in closed
segments, a beginning of that in the active one.  -f: indexes may have fewer
entries, as after a crash.  -g: gaps between offsets are legal.  -c: every
segment counts as closed.  Prints what it found; exit 1 when something is
wrong.
"""

import collections
import os
import re
import struct
import sys

import kafka.codec
from kafka.errors import KafkaError
from kafka.record.memory_records import MemoryRecords

from strmtest import CheckError, Record, require

kafka.codec.ZSTD_MAX_OUTPUT_SIZE = 64 << 20

Batch = collections.namedtuple('Batch', '''position size base last attributes
    epoch max_ts producer_id records''')

HEADER = struct.Struct('>qiibIhiqqqhii')


def segment_names(directory):
    """Base offsets of the .log files, ascending."""
    return sorted(int(name[:20]) for name in os.listdir(directory)
                  if re.fullmatch(r'\d{20}\.log', name))


def file_bytes(directory, base, kind):
    try:
        with open(os.path.join(directory, f'{base:020}.{kind}'), 'rb') as file:
            return file.read()
    except FileNotFoundError:
        return None


def decode(batch, position, size, header):
    require(batch.magic == 2, 'batch at', position, ': magic', batch.magic)
    require(batch.validate_crc(), 'batch at', position, ': bad CRC')
    try:
        records = [Record(r.offset, r.timestamp, r.key, r.value,
                          tuple(r.headers)) for r in batch]
    except KafkaError as error:
        raise CheckError(f'batch at {position}: {error}') from error
    return Batch(position, size, header[0], header[0] + header[6], header[5],
                 header[2], header[8], header[9], records)


def read_batches(log):
    """All batches of a segment's bytes."""
    memory = MemoryRecords(log)
    batches, position = [], 0
    while memory.has_next():
        header = HEADER.unpack_from(log, position)
        size = 12 + header[1]
        batches.append(decode(memory.next_batch(), position, size, header))
        position += size
    require(position == len(log), len(log) - position,
            'bytes after the last whole batch, at', position)
    return batches


def check_batch(batch, gaps):
    offsets = [r.offset for r in batch.records]
    where = f'batch at {batch.position}'
    if not gaps:
        require(offsets == list(range(batch.base, batch.last + 1)), where,
                ': offsets', offsets[:9], 'instead of', batch.base, 'to',
                batch.last)
    require(all(batch.base <= o <= batch.last for o in offsets) and
            all(a < b for a, b in zip(offsets, offsets[1:])), where,
            ': offsets out of order')
    if batch.records and not batch.attributes & 8 and not gaps:
        require(batch.max_ts == max(r.ts for r in batch.records), where,
                ': max timestamp', batch.max_ts)


def rebuild_indexes(batches, base, interval, closed):
    """What Kafka's LogSegment.recover writes, for one segment."""
    index, times = [], []
    indexed, max_ts, max_offset = 0, -1, -1

    def add_time():
        if max_ts > (times[-1][0] if times else -1):
            times.append((max_ts, max_offset - base))

    for batch in batches:
        if batch.max_ts > max_ts:
            max_ts, max_offset = batch.max_ts, batch.last
        if batch.position - indexed > interval:
            index.append((batch.last - base, batch.position))
            add_time()
            indexed = batch.position
    if closed:
        add_time()
    return index, times


def check_index(have, form, expected, closed, fewer, where):
    """Compare the entries of one index file with the rule's."""
    size = struct.calcsize(form)
    if have is None:
        require(fewer or not closed, where, 'is missing')
        return
    require(len(have) % size == 0, where, 'has', len(have), 'bytes')
    entries = list(struct.iter_unpack(form, have))
    if fewer:
        extra = set(entries) - set(expected)
        require(not extra, where, ': entries that are not the rule\'s:',
                sorted(extra)[:3])
        require(entries == sorted(entries), where, ': out of order')
        return
    if not closed:
        expected = expected[:len(entries)]
    for i, (got, want) in enumerate(zip(entries, expected)):
        require(got == want, where, ': entry', i, 'is', got, 'instead of', want)
    require(len(entries) == len(expected), where, ':', len(entries),
            'entries instead of', len(expected))


def check_indexes(directory, base, batches, interval, closed, fewer):
    index, times = rebuild_indexes(batches, base, interval, closed)
    if fewer:
        # After a lost entry the next comes later than the rule has it.
        index = [(b.last - base, b.position) for b in batches]
        times = running_maxima(batches, base)
    check_index(file_bytes(directory, base, 'index'), '>ii', index, closed,
                fewer, f'{base:020}.index')
    check_index(file_bytes(directory, base, 'timeindex'), '>qi', times, closed,
                fewer, f'{base:020}.timeindex')


def running_maxima(batches, base):
    maxima, best = [], -1
    for batch in batches:
        if batch.max_ts > best:
            best = batch.max_ts
            maxima.append((best, batch.last - base))
    return maxima


def check_partition(directory, interval=4096, fewer=False, gaps=False,
                    all_closed=False):
    """All batches of the partition, in order; raises CheckError."""
    names = segment_names(directory)
    require(names, directory, ': no segment')
    everything, expected = [], names[0]
    for base in names:
        where = f'{base:020}.log'
        try:
            batches = read_batches(file_bytes(directory, base, 'log'))
            for batch in batches:
                check_batch(batch, gaps)
                require(batch.base >= expected if gaps else
                        batch.base == expected, f'batch at {batch.position}',
                        ': base', batch.base, 'after', expected - 1)
                expected = batch.last + 1
        except CheckError as error:
            raise CheckError(f'{where}: {error}') from error
        closed = all_closed or base != names[-1]
        require(gaps or base == names[0] or not batches or
                base == batches[0].base, where, ': first batch has base',
                batches and batches[0].base)
        check_indexes(directory, base, batches, interval, closed, fewer)
        everything += batches
    return everything


def records_of(batches):
    """The data records: all but those of control batches."""
    return [r for b in batches if not b.attributes & 0x20 for r in b.records]


def main(args):
    interval = int(args.pop(args.index('-i') + 1)) if '-i' in args else 4096
    directory = args[-1]
    try:
        batches = check_partition(directory, interval, '-f' in args,
                                  '-g' in args, '-c' in args)
    except CheckError as error:
        print(f'{directory}: {error}')
        return 1
    print(f'{directory}: {len(segment_names(directory))} segments,',
          f'{len(batches)} batches, {len(records_of(batches))} records')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
