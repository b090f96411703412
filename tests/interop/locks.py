#!/usr/bin/python3
"""strm beside processes that are not strm.

    locks.py TEST

A POSIX lock on STORE/.lock, as a broker's Java takes it; a foreign process
that appends to a partition directory; a copy that nobody may write to.
"""

import fcntl
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

from golden import listing
from kafka_decodes import encode
from strmtest import STRM, CheckError, Record, consume, require, run, strm


def values(store):
    return [r.value for r in consume('-C', store, 't')[0]]


def wait_for(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        require(time.monotonic() < end, 'waited in vain for', what)
        time.sleep(.01)


def broker_keeps_writers_out(store):
    strm(store, 'produce', 't', data=b'a\n')
    with open(os.path.join(store, '.lock'), 'r+b') as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        done = strm(store, 'produce', 't', data=b'b\n', code=5)
        require(done.err, 'produce says nothing')
        strm(store, 'topic', 'create', 'other', code=5)
        require(values(store) == [b'a'], 'consume under a broker\'s lock')
        fcntl.lockf(lock, fcntl.LOCK_UN)
    strm(store, 'produce', 't', data=b'c\n')
    require(values(store) == [b'a', b'c'], 'after the broker has gone')


def writers_keep_a_broker_out(store):
    with subprocess.Popen([STRM, '-C', store, 'produce', 't'],
                          stdin=subprocess.PIPE) as producer, \
            open(os.path.join(store, '.lock'), 'r+b') as lock:
        producer.stdin.write(b'a\n')
        producer.stdin.flush()
        wait_for(lambda: values(store) == [b'a'], 'the first record')
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise CheckError('a broker got the lock beside a producer')
        except BlockingIOError:
            pass
        producer.stdin.close()
        require(producer.wait(10) == 0, 'the producer failed')
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def readers_do_not_lock(store):
    """Neither a reader that follows nor one that is stopped."""
    strm(store, 'produce', 't', data=b'a\n')
    with subprocess.Popen([STRM, '-C', store, 'tail', '-F', 't'],
                          stdout=subprocess.PIPE) as reader, \
            open(os.path.join(store, '.lock'), 'r+b') as lock:
        try:
            require(reader.stdout.readline() == b'a\n', 'tail')
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(lock, fcntl.LOCK_UN)
            reader.send_signal(19)
            start = time.monotonic()
            strm(store, 'produce', 't', data=b'b\n')
            require(time.monotonic() - start < 2, 'a stopped reader held up '
                    'the producer')
            reader.send_signal(18)
            require(reader.stdout.readline() == b'b\n', 'tail goes on')
        finally:
            reader.kill()


def read_line(stream, wanted, seconds=10):
    """The wanted line from a pipe; nothing behind it is read."""
    line = b''
    while not line.endswith(b'\n'):
        require(select.select([stream], [], [], seconds)[0], 'in', seconds,
                's only', line, 'instead of', wanted)
        byte = os.read(stream.fileno(), 1)
        require(byte, 'the reader ended after', line)
        line += byte
    require(line == wanted, 'read', line, 'instead of', wanted)


def tail_follows_a_foreign_writer(store):
    partition = os.path.join(store, 'foreign-0')
    os.mkdir(partition)
    with open(os.path.join(partition, f'{0:020}.log'), 'xb'):
        pass
    offset = 0
    with subprocess.Popen([STRM, 'tail', '-F', partition],
                          stdout=subprocess.PIPE, bufsize=0) as reader:
        try:
            for _ in range(3):
                path = os.path.join(partition, f'{offset:020}.log')
                with open(path, 'ab', buffering=0) as log:
                    for _ in range(20):
                        value = b'line %d' % offset
                        batch = encode([Record(0, 5, None, value, ())], 'none',
                                       offset)
                        # Half a batch must not be seen, nor end the reader.
                        log.write(batch[:40])
                        time.sleep(.002)
                        log.write(batch[40:])
                        read_line(reader.stdout, value + b'\n')
                        offset += 1
            require(reader.poll() is None, 'tail -F ended')
        finally:
            reader.kill()


def read_only_copy_is_read(store):
    strm(store, 'produce', 't', data=b''.join(b'%d\n' % n for n in range(5000)))
    # Not in $TMPDIR: nobody may not look into the directories of Bats.
    with tempfile.TemporaryDirectory(dir='/tmp') as parent:
        copy = os.path.join(parent, 'store')
        program = os.path.join(parent, 'strm')
        shutil.copytree(store, copy)
        shutil.copy(STRM, program)
        os.chmod(parent, 0o755)
        for where, _, files in os.walk(copy):
            for file in files:
                os.chmod(os.path.join(where, file), 0o444)
            os.chmod(where, 0o555)
        before = listing(copy)
        nobody = ['setpriv', '--reuid=65534', '--regid=65534',
                  '--clear-groups'] if os.geteuid() == 0 else []
        for address in (['-C', copy, 't'], [f'{copy}/t-0'],
                        [f'{copy}/t-0/{0:020}.log']):
            done = run(nobody + [program, 'consume'] + address)
            require(done.code == 0 and done.out.count(b'\n') == 5000,
                    'consume', *address, ': exit', done.code, done.err)
        done = run(nobody + [program, '-C', copy, 'produce', 't'], b'x\n')
        require(done.code == 6, 'produce into it exits', done.code, done.err)
        require(listing(copy) == before, 'something was written')
        for where, _, _ in os.walk(copy):
            os.chmod(where, 0o755)


TESTS = {f.__name__: f for f in (
    broker_keeps_writers_out, writers_keep_a_broker_out, readers_do_not_lock,
    tail_follows_a_foreign_writer, read_only_copy_is_read)}


def main(name):
    with tempfile.TemporaryDirectory() as store:
        try:
            strm(store, 'topic', 'create', 't')
            TESTS[name](store)
        except CheckError as error:
            return f'{name}: {error}'
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
