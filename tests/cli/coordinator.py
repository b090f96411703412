"""Write the partitions that a broker's coordinators keep.

    coordinator.py STORE

__consumer_offsets-0: group g committed t-0 at 10 and then 42, t-1 at 7 (and
took it back), t-2 at 5 in a transaction that was aborted and at 6 in one that
was committed; group g has one member; a record of a type that is not known,
and one of a version that is not known.
__transaction_state-0: the transactional id tx is ongoing.
__cluster_metadata-0: a leader change.
"""

import os
import struct
import sys

from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c

ABORT, COMMIT, LEADER_CHANGE = 0, 1, 2
CONTROL = 0x20
TIME = 1772361000000


def batch(base, records, producer=-1, control=False):
    """An encoded batch of (key, value) records."""
    builder = DefaultRecordBatchBuilder(2, 0, producer >= 0, producer,
                                        0 if producer >= 0 else -1, -1, 65536)
    for i, (key, value) in enumerate(records):
        builder.append(i, TIME, key, value, [])
    data = bytearray(builder.build())
    struct.pack_into('>q', data, 0, base)
    struct.pack_into('>i', data, 12, 0)
    if control:
        attributes, = struct.unpack_from('>h', data, 21)
        struct.pack_into('>h', data, 21, attributes | CONTROL)
    struct.pack_into('>I', data, 17, calc_crc32c(bytes(data[21:])))
    return bytes(data)


def marker(base, producer, kind):
    return batch(base, [(struct.pack('>hh', 0, kind),
                         struct.pack('>hi', 0, 3))], producer, True)


def text(value):
    data = value.encode()
    return struct.pack('>h', len(data)) + data


def blob(data):
    return struct.pack('>i', len(data)) + data


def commit_key(partition):
    return struct.pack('>h', 1) + text('g') + text('t') + struct.pack(
        '>i', partition)


def commit(offset, note=''):
    return struct.pack('>hqi', 3, offset, 2) + text(note) + struct.pack(
        '>q', TIME)


def group():
    topics = struct.pack('>hi', 0, 1) + text('t') + struct.pack('>i', -1)
    given = (struct.pack('>hi', 0, 1) + text('t') +
             struct.pack('>iii', 2, 0, 1) + struct.pack('>i', -1))
    member = (text('m-1') + struct.pack('>h', -1) + text('client') +
              text('/10.0.0.1') + struct.pack('>ii', 60000, 10000) +
              blob(topics) + blob(given))
    return (struct.pack('>h', 3) + text('consumer') + struct.pack('>i', 4) +
            text('range') + text('m-1') + struct.pack('>q', TIME) +
            struct.pack('>i', 1) + member)


def transaction():
    """Version 1, which is flexible, with a tagged field."""
    return (struct.pack('>hqhib', 1, 1000, 2, 60000, 1) +
            b'\x02' + b'\x02t' + b'\x02' + struct.pack('>i', 0) + b'\x00' +
            struct.pack('>qq', TIME, TIME) +
            b'\x01' + b'\x02\x02' + struct.pack('>h', 2))


def write(store, name, *batches):
    path = os.path.join(store, name)
    os.makedirs(path)
    with open(os.path.join(path, '%020d.log' % 0), 'wb') as log:
        log.write(b''.join(batches))


def main(store):
    group_key = struct.pack('>h', 2) + text('g')
    write(store, '__consumer_offsets-0',
          batch(0, [(commit_key(0), commit(10)), (commit_key(1), commit(7))]),
          batch(2, [(group_key, group())]),
          batch(3, [(commit_key(0), commit(42, 'note')),
                    (commit_key(1), None)]),
          batch(5, [(commit_key(2), commit(5))], producer=1),
          marker(6, 1, ABORT),
          batch(7, [(commit_key(2), commit(6))], producer=2),
          marker(8, 2, COMMIT),
          batch(9, [(struct.pack('>h', 3) + text('g'), b'\x00\x00\x00'),
                    (commit_key(3), b'\x00\x09')]))
    write(store, '__transaction_state-0',
          batch(0, [(struct.pack('>h', 0) + text('tx'), transaction())]))
    write(store, '__cluster_metadata-0',
          batch(0, [(struct.pack('>hh', 0, LEADER_CHANGE),
                     struct.pack('>hi', 0, 1) + b'\x02' +
                     struct.pack('>i', 1) + b'\x00\x01\x00')],
                control=True))


main(sys.argv[1])
