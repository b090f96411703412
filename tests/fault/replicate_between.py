#!/usr/bin/python3
"""T1, I8: a run is killed where the replica looks like a damaged log.

    replicate_between.py torn | overtaken

torn: within one long append.  overtaken: after the log start was raised over
all that the replica holds, before there is more.  Both are sound, and verify
says what they are, as long as the partition has the mark of it; readers end
there, the next run goes on, and whoever is promoted is a leader like any other.
Without the mark, and of anything that was published, the same is damage.
Long form: at every stop in between.
"""

import contextlib
import json
import os
import sys
import tempfile

from harness import KILLED, LONG, OPERATIONS, TOOLS, spread, store_for
from replicating import copy_store, produce
from state_file import moved_state, sum_of
from strmtest import CheckError, consume, require, strm

LOG = 't-0/00000000000000000000.log'
STATE = 't-0/.strm-state'
STARTS = 'log-start-offset-checkpoint'
MARK = 1 << 4
MOST = 4096  # stops of a run, and more
# Of one run and of the next the same stop may be two apart: when memory is asked
# for hangs on what was freed before.  So these are looked at, again and again.
NEAR = 4
TRIES = 20


# ---- killing ---------------------------------------------------------------

@contextlib.contextmanager
def killed_at(operation, stop):
    with store_for(operation) as store:
        operation.prepare(store.path)
        code, _, err = store.run(
            [f'{TOOLS}/killsweep', '-d', store.path, '-w', str(stop), '--',
             *operation.command(store.path)], operation.input())
        require(code in (KILLED, operation.done), 'exit', code, err)
        yield store.path


def first_stop(operation, is_there):
    """From which on it is there."""
    first, last = 1, MOST
    while first < last:
        stop = (first + last) // 2
        with killed_at(operation, stop) as store:
            if is_there(store):
                last = stop
            else:
                first = stop + 1
    require(first < MOST, 'there is no such stop')
    return first


@contextlib.contextmanager
def killed_near(operation, stop, is_there):
    """Where it is there, at that stop or as near to it as can be."""
    stops = sorted(range(max(1, stop - NEAR), stop + NEAR + 1),
                   key=lambda at: abs(at - stop))
    for near in stops * TRIES:
        with killed_at(operation, near) as store:
            if is_there(store):
                yield store
                return
    raise CheckError(f'it is not there around stop {stop}')


# ---- what is there ---------------------------------------------------------

def newest_slot(data):
    return max((0, 256),
               key=lambda at: int.from_bytes(data[at + 8:at + 16], 'big'))


def size_of(store):
    return os.path.getsize(f'{store}/{LOG}')


def published_end(store):
    with open(f'{store}/{STATE}', 'rb') as file:
        data = file.read()
    at = newest_slot(data)
    return int.from_bytes(data[at + 56:at + 64], 'big')


def log_start(store):
    if not os.path.exists(f'{store}/{STARTS}'):
        return 0
    with open(f'{store}/{STARTS}', encoding='ascii') as file:
        return int(file.read().split()[-1])


def newest_base(store):
    return max(int(name[:20]) for name in os.listdir(f'{store}/t-0')
               if name.endswith('.log'))


# ---- changing it -----------------------------------------------------------

@contextlib.contextmanager
def copy_of(store):
    with tempfile.TemporaryDirectory() as copy:
        copy_store(store, copy)
        yield copy


def take_mark(store):
    with open(f'{store}/{STATE}', 'r+b') as file:
        data = file.read()
        at = newest_slot(data)
        slot = bytearray(data[at:at + 144])
        require(slot[7] & MARK, 'there is no mark')
        slot[7] &= ~MARK
        file.seek(at)
        file.write(slot + sum_of(slot))


def boot(store):
    with open(f'{store}/{STATE}', 'r+b') as file:
        data, status = file.read(), os.fstat(file.fileno())
        file.seek(0)
        file.write(moved_state(data, status.st_ino, status,
                               b'an earlier boot.'))


def lose_state(store):
    os.unlink(f'{store}/{STATE}')


def flip(store, at):
    with open(f'{store}/{LOG}', 'r+b') as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


# ---- looking ---------------------------------------------------------------

def found(store, code):
    out = strm(store, 'verify', '-J', 't', code=code).out
    return [(line['severity'], line['kind'])
            for line in map(json.loads, out.splitlines())
            if line['type'] == 'finding']


def check_noted(store, kind):
    require(('note', kind) in found(store, 0), 'found', found(store, 0))
    out = strm(store, 'verify', 't').out
    require(b': note: ' in out and b'replication' in out, 'told', out)
    slots = strm(store, 'inspect', '-J', f'{store}/{STATE}').out.splitlines()
    require(any(slot['newest'] and slot['replicating']
                for slot in map(json.loads, slots) if 'newest' in slot),
            'inspect says', slots)


def check_damaged(store, kind, change, *arguments):
    with copy_of(store) as copy:
        change(copy, *arguments)
        require(('damage', kind) in found(copy, 3), change, ': found',
                found(copy, 3))


def read(store):
    """Readers come to the end, whatever that is."""
    strm(store, 'tail', 't')
    strm(store, 'inspect', '-C', store, 't')
    strm(store, 'topic', 'describe', 't')
    return consume('-C', store, 't')[0]


def check_promoted(store, kind, end):
    """What the new leader takes is seen, at no offset that was given out."""
    strm(store, 'promote', '-q', store)
    require(('note', kind) not in found(store, 0), 'found', found(store, 0))
    produce(store, b'new\n')
    found(store, 0)
    last = read(store)[-1]
    require((last.offset, last.value) == (end, b'new'), 'holds', last)


def check_next_run(operation, store):
    operation.replicate(store)
    operation.judge_final(store, 'after the next run')
    require(not found(store, 0), 'found', found(store, 0))


# ---- the two ---------------------------------------------------------------

def torn(operation):
    operation.make()
    size = size_of(operation.replica)
    whole = size_of(operation.source)
    stop = first_stop(operation, lambda store: size_of(store) > size)
    with killed_near(operation, stop,
                     lambda store: size < size_of(store) < whole) as store:
        require(published_end(store) == size, 'published is',
                published_end(store))
        check_noted(store, 'torn-tail')
        count = len(read(store))
        require(100 < count < 1600, 'read', count)
        for change in (take_mark, boot, lose_state):
            check_damaged(store, 'torn-tail', change)
        check_damaged(store, 'crc', flip, size - 5)
        check_damaged(store, 'crc', flip, size + 70)
        check_damaged(store, 'lost-tail', lambda copy: os.truncate(
            f'{copy}/{LOG}', size - 20))
        with copy_of(store) as copy:
            check_promoted(copy, 'torn-tail', count)
            with open(f'{copy}/{LOG}', 'ab') as file:
                file.write(b'\0\0\0\0torn')
            require(('damage', 'torn-tail') in found(copy, 3), 'it led')
        check_next_run(operation, store)
    return f'stop {stop}'


def overtaken(operation):
    operation.make()
    base = newest_base(operation.replica)

    def is_between(store):
        return log_start(store) > 0 and newest_base(store) == base

    first = first_stop(operation, log_start)
    last = first_stop(operation, lambda store: newest_base(store) > base) - 1
    stops = spread(last - first + 1, last if LONG else 4)
    for stop in stops:
        with killed_near(operation, first + stop - 1, is_between) as store:
            check_noted(store, 'checkpoint')
            require(not read(store), 'readers see records')
            for change in (take_mark, lose_state):
                check_damaged(store, 'checkpoint', change)
            with copy_of(store) as copy:
                check_promoted(copy, 'checkpoint', log_start(store))
            check_next_run(operation, store)
    return f'{len(stops)} of the stops {first} to {last}'


def main():
    try:
        print({'torn': torn, 'overtaken': overtaken}[sys.argv[1]](
            OPERATIONS[f'apply-{sys.argv[1]}']))
    except CheckError as error:
        return f'replicate_between.py: {error}'
    return 0


if __name__ == '__main__':
    sys.exit(main())
