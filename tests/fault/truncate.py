#!/usr/bin/python3
"""T9: a log cut, or overwritten to its end, at every byte.

    truncate.py {copy-cut | copy-zero | copy-zeros | copy-garbage | in-place}

copy-*: a copy of the store, where no durable end is known: consume prints
exactly the whole batches before the cut and exits as SPEC section 10 says
(0 for a torn tail, 3 for a bad last batch or damage); where the tail is torn
or bad, the next append continues there, and what was bad is set aside.
in-place: the durable end is known: everything below it is damage, exit 3 for
readers and writers, and nothing is changed.
"""

import os
import random
import shutil
import struct
import sys

from kafka.record.util import calc_crc32c

from harness import LONG, Store
from check_partition import file_bytes, read_batches
from strmtest import CheckError, consume, require, strm

LOG = 't-0/' + '0' * 20 + '.log'
SIZE = 64 << 10 if LONG else 6 << 10
CAP = 64 << 20  # of --max-batch-bytes


def make_store(store):
    strm(store, 'topic', 'create', 't', '--set', 'index.interval.bytes=500')
    size = n = 0
    while size < SIZE:
        lines = [b'line-%05d-%s' % (n + i, b'y' * (n % 60)) for i in range(5)]
        strm(store, 'produce', 't', '--batch-bytes', '120',
             data=b''.join(line + b'\n' for line in lines))
        n += 5
        size = os.path.getsize(os.path.join(store, LOG))


def zero_fill(log, cut):
    return log[:cut] + bytes(len(log) - cut)


def zeros(log, cut):
    return log[:cut] + bytes(4096)


def garbage(log, cut):
    rng = random.Random(cut)
    return log[:cut] + rng.randbytes(rng.choice((1, 5, 70, 500)))


DAMAGE = {'copy-cut': lambda log, cut: log[:cut], 'copy-zero': zero_fill,
          'copy-zeros': zeros, 'copy-garbage': garbage}


def is_good(tail):
    if len(tail) < 61 or tail[16] != 2:
        return False
    size = 12 + struct.unpack_from('>i', tail, 8)[0]
    return (61 <= size <= len(tail) and
            struct.unpack_from('>I', tail, 17)[0] == calc_crc32c(tail[21:size]))


def verdict(tail):
    """torn, bad or damage: what follows the last good batch, by the rules."""
    if not any(tail):
        return 'torn'
    if any(tail[i + 16] == 2 and is_good(tail[i:])
           for i in range(1, len(tail) - 60)):
        return 'damage'
    if len(tail) < 17:  # its header does not say yet what it is
        return 'torn'
    if (len(tail) > 21 and
            struct.unpack_from('>I', tail, 17)[0] == calc_crc32c(tail[21:])):
        return 'damage'
    length = struct.unpack_from('>i', tail, 8)[0]
    if 49 <= length <= CAP - 12 and 12 + length > len(tail):
        return 'torn'
    return 'bad'


def good_end(batches, log, cut):
    """Bytes and records of the whole batches at the front of log, which is
    as it was up to cut."""
    end, count = 0, 0
    for batch in batches:
        after = batch.position + batch.size
        if after > cut and not is_good(log[batch.position:after]):
            break
        end, count = after, batch.last + 1
    return end, count


def replace(path, data):
    with open(path, 'r+b') as file:
        file.truncate(0)
        file.write(data)


def check_copy(store, cut, damaged, batches, values):
    path = os.path.join(store, LOG)
    replace(path, damaged)
    end, count = good_end(batches, damaged, cut)
    tail = damaged[end:]
    found = verdict(tail)
    code = 0 if found == 'torn' else 3
    records, done = consume('-C', store, 't', code=None)
    got = [r.value for r in records]
    require(got == values[:count], 'read', len(got), 'records, not', count)
    require(done.code == code, 'consume exits', done.code, 'for', found,
            len(tail), 'bytes:', done.err)
    require(bool(done.err) == bool(tail), 'said', repr(done.err))
    done = strm(store, 'produce', 't', '--ack', data=b'next\n', code=None)
    if found == 'damage':
        require(done.code == 3, 'produce exits', done.code, done.err)
        require(file_bytes(os.path.join(store, 't-0'), 0, 'log') == damaged,
                'produce changed a damaged log')
        return
    require((done.code, done.out) == (0, b'0 %d\n' % count), 'produce exits',
            done.code, done.out, done.err)
    records = consume('-C', store, 't')[0]
    require([r.value for r in records] == values[:count] + [b'next'],
            'after the next append')
    if found == 'bad':
        aside = os.path.join(store, f't-0/.strm-cut-{count}')
        require(os.path.exists(aside), 'nothing was set aside')
        with open(aside, 'rb') as file:
            require(file.read() == tail, 'the bytes set aside are not those')


def check_in_place(store, cut, log, batches, values):
    path = os.path.join(store, LOG)
    with open(path, 'r+b') as file:
        file.truncate(cut)
    count = good_end(batches, log[:cut], cut)[1]
    records, done = consume('-C', store, 't', code=None)
    require([r.value for r in records] == values[:count], 'read',
            len(records), 'records, not', count)
    require(done.code == 3, 'consume exits', done.code, done.err)
    done = strm(store, 'produce', 't', data=b'next\n', code=None)
    require(done.code == 3, 'produce exits', done.code, done.err)
    require(os.path.getsize(path) == cut, 'produce changed the size')
    replace(path, log)


def cuts(batches, size):
    """Every byte, or those around the ends of some batches and headers."""
    if LONG:
        return range(size)
    near = {batch.position + step for batch in batches[::9] + batches[-1:]
            for step in (-1, 0, 1, 8, 11, 12, 16, 17, 21, 60, 61, 62)}
    return sorted(cut for cut in near if 0 <= cut < size)


def main(mode):
    with Store() as store:
        make_store(store.path)
        log = file_bytes(os.path.join(store.path, 't-0'), 0, 'log')
        batches = read_batches(log)
        values = [r.value for batch in batches for r in batch.records]
        tried = cuts(batches, len(log))
        for cut in tried:
            try:
                if mode == 'in-place':
                    check_in_place(store.path, cut, log, batches, values)
                    continue
                copy = store.file('copy')
                shutil.copytree(store.path, copy)
                check_copy(copy, cut, DAMAGE[mode](log, cut), batches,
                           values)
                shutil.rmtree(copy)
            except CheckError as error:
                return f'{mode} at byte {cut} of {len(log)}: {error}'
    print(f'{mode}: {len(tried)} cuts')
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1]))
    except CheckError as fault:
        sys.exit(f'{sys.argv[1]}: {fault}')
