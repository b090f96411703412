#!/usr/bin/python3
"""T11: producers killed at random beside readers that follow.

    storm.py PARTITIONS

Producers send numbered lines, each run of a producer under a name of its own,
and are killed with SIGKILL after a random time and started again.  Readers
follow from the start all the while.  In the end: what was acknowledged is
there, once, in order; each reader printed exactly what the log holds.
"""

import os
import random
import subprocess
import sys
import threading
import time

from harness import LONG, Store
from check_partition import check_partition, records_of
from strmtest import STRM, CheckError, require, strm

SECONDS = 60 if LONG else 5
PRODUCERS = 4
READERS = 2
SETTINGS = ['--set', 'segment.bytes=300000']


class Producer(threading.Thread):
    """One producer after another, each killed but for the last."""

    def __init__(self, number, store, ends):
        super().__init__()
        self.number, self.store, self.ends = number, store, ends
        self.rng = random.Random(number)
        self.runs = []  # of (name, lines sent, acks as (partition, offset))
        self.failure = None

    def run(self):
        try:
            while time.monotonic() < self.ends:
                self.one_run()
        except (CheckError, OSError, ValueError) as error:
            self.failure = error

    def feed(self, process, name, until):
        """Write lines, some alone and some in bursts, until the time is up
        or the producer is gone; gives how many were written whole or not."""
        sent = 0
        try:
            while time.monotonic() < until:
                burst = self.rng.choice((1, 1, 5, 50))
                process.stdin.write(b''.join(
                    b'%s-%d\t%s-%d\n' % (name, n % 7, name, n)
                    for n in range(sent, sent + burst)))
                sent += burst
                process.stdin.flush()
                time.sleep(self.rng.choice((.001, .003, .01)))
        except BrokenPipeError:
            pass
        return sent

    def one_run(self):
        name = b'p%d.%d' % (self.number, len(self.runs))
        acks = []
        until = min(time.monotonic() + self.rng.uniform(.02, .7), self.ends)
        with subprocess.Popen(
                [STRM, '-C', self.store, 'produce', 't', '--ack', '-K', '\t'],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            reader = threading.Thread(
                target=lambda: acks.extend(process.stdout))
            killer = threading.Timer(until - time.monotonic(), process.kill)
            reader.start()
            last = until >= self.ends
            if not last:
                killer.start()
            sent = self.feed(process, name, until + (not last))
            try:
                process.stdin.close()
            except BrokenPipeError:
                pass
            code = process.wait(20)
            killer.cancel()
            reader.join()
        require(code == (0 if last else -9), 'producer', name, 'exits', code)
        acks = [tuple(map(int, a.split())) for a in acks if a[-1:] == b'\n']
        require(not last or len(acks) == sent, 'exit 0,', len(acks), 'of',
                sent, 'acknowledged')
        self.runs.append((name, sent, acks))


def start_readers(store, partitions):
    """Each follows one partition into a file; half are tail, half consume."""
    readers = []
    for n in range(READERS):
        for p in range(partitions):
            path = store.file(f'reader-{n}-{p}')
            command = ['tail', '-F', '-n', '999999999'] if n % 2 else \
                ['consume', '-F']
            with open(path, 'wb') as out:
                readers.append((p, path, subprocess.Popen(
                    [STRM, '-C', store.path, *command, f't:{p}'],
                    stdout=out)))
    return readers


def check_readers(readers, logs):
    """Give them a moment to catch up, then compare."""
    for partition, path, process in readers:
        wanted = b''.join(v + b'\n' for v in logs[partition])
        end = time.monotonic() + 10
        while os.path.getsize(path) < len(wanted) and time.monotonic() < end:
            time.sleep(.01)
        require(process.poll() is None, 'a reader ended:', process.returncode)
        process.terminate()
        require(process.wait(10) == -15, 'reader exits', process.returncode)
        with open(path, 'rb') as file:
            require(file.read() == wanted, 'reader of partition', partition,
                    'printed something else than the log holds')


def check_runs(runs, logs):
    """Each run's lines are there once, in order; all that were acknowledged,
    where the acknowledgement says."""
    found = {}
    for partition, values in logs.items():
        for offset, value in enumerate(values):
            name, number = value.rsplit(b'-', 1)
            found.setdefault(name, []).append((int(number), partition, offset))
    acked = 0
    for name, sent, acks in runs:
        there = sorted(found.pop(name, []))
        numbers = [number for number, _, _ in there]
        require(len(set(numbers)) == len(numbers), name, 'is doubled')
        require(not numbers or numbers[-1] < sent, name, 'was never sent')
        for p in logs:
            offsets = [offset for _, at, offset in there if at == p]
            require(offsets == sorted(offsets), name, 'is out of order')
        lost = set(acks) - {(p, offset) for _, p, offset in there}
        require(not lost, name, 'lost acknowledged', sorted(lost)[:5])
        if len(logs) == 1:
            require(numbers == list(range(len(numbers))), name, 'has a hole')
            require(acks == [(p, offset) for _, p, offset in
                             there[:len(acks)]], name, 'acks out of order')
        acked += len(acks)
    require(not found, 'nobody sent', list(found)[:3])
    return acked


def main(partitions):
    with Store() as store:
        strm(store.path, 'topic', 'create', 't', '--partitions',
             str(partitions), *SETTINGS)
        readers = start_readers(store, partitions)
        ends = time.monotonic() + SECONDS
        producers = [Producer(n, store.path, ends) for n in range(PRODUCERS)]
        try:
            for producer in producers:
                producer.start()
            for producer in producers:
                producer.join()
                if producer.failure:
                    raise producer.failure
            logs = {}
            for p in range(partitions):
                batches = check_partition(
                    os.path.join(store.path, f't-{p}'), fewer=True)
                logs[p] = [r.value for r in records_of(batches)]
            check_readers(readers, logs)
        finally:
            for _, _, process in readers:
                process.kill()
                process.wait()
        runs = [run for producer in producers for run in producer.runs]
        acked = check_runs(runs, logs)
        return f'{len(runs)} runs, {acked} records acknowledged'


if __name__ == '__main__':
    try:
        print(main(int(sys.argv[1])))
    except CheckError as fault:
        sys.exit(f'storm: {fault}')
