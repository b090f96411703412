"""Write a foreign partition with transactions in it.

    transactions.py DIR [commit|wide]

Offsets 0 plain; 1 and 2 aborted by 3; 4 committed by 5; 6 of a transaction
that is still open; 7 plain.  Without .txnindex and .snapshot.  commit: append
to such a partition the end of its open transaction.  wide: 0 plain; 1 aborted,
2 committed; 12 MB of plain records, 3 to 202; the markers of 1 and 2; 205
plain.
"""

import os
import struct
import sys

from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c

ABORT, COMMIT = 0, 1
CONTROL = 0x20


def batch(base, values, producer=-1, control=None):
    """An encoded batch; the values of a control batch are its marker."""
    builder = DefaultRecordBatchBuilder(2, 0, producer >= 0, producer,
                                        0 if producer >= 0 else -1, -1, 65536)
    for i, value in enumerate(values):
        key = None if control is None else struct.pack('>hh', 0, control)
        builder.append(i, 1772361000000, key, value, [])
    data = bytearray(builder.build())
    struct.pack_into('>q', data, 0, base)
    struct.pack_into('>i', data, 12, 0)
    if control is not None:
        attributes, = struct.unpack_from('>h', data, 21)
        struct.pack_into('>h', data, 21, attributes | CONTROL)
    struct.pack_into('>I', data, 17, calc_crc32c(bytes(data[21:])))
    return bytes(data)


def marker(base, producer, kind):
    return batch(base, [struct.pack('>hi', 0, 0)], producer, kind)


def write_wide(log):
    log.write(batch(0, [b'plain']))
    log.write(batch(1, [b'aborted'], producer=1))
    log.write(batch(2, [b'committed'], producer=2))
    for base in range(3, 203):
        log.write(batch(base, [b'%05d' % base * 12000]))
    log.write(marker(203, 1, ABORT))
    log.write(marker(204, 2, COMMIT))
    log.write(batch(205, [b'last']))


def main(path, what=''):
    name = os.path.join(path, '%020d.log' % 0)
    if what == 'commit':
        with open(name, 'ab') as log:
            log.write(marker(8, 3, COMMIT))
        return
    os.makedirs(path)
    with open(name, 'wb') as log:
        if what == 'wide':
            write_wide(log)
            return
        log.write(batch(0, [b'plain']))
        log.write(batch(1, [b'aborted', b'aborted'], producer=1))
        log.write(marker(3, 1, ABORT))
        log.write(batch(4, [b'committed'], producer=2))
        log.write(marker(5, 2, COMMIT))
        log.write(batch(6, [b'open'], producer=3))
        log.write(batch(7, [b'later']))


main(*sys.argv[1:])
