#!/usr/bin/python3
"""T11, I8: replication is looped and killed while the source is worked on.

Four producers, retention and compaction at the source; the replica is sound
whenever it is looked at, what a run reported is there when it is promoted at
any later moment, and in the end both have the same bytes.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../interop'))
from strmtest import STRM, CheckError, require, run, strm

SECONDS = 120 if os.environ.get('STRM_FAULT', 'short') == 'long' else 12


class Storm:
    def __init__(self, top):
        self.top = top
        self.source, self.replica = f'{top}/source', f'{top}/replica'
        self.end = time.monotonic() + SECONDS
        self.failures = []
        self.looks = self.between = self.runs = self.kills = self.promotions = 0

    def goes_on(self):
        return time.monotonic() < self.end and not self.failures

    def loop(self, work, *arguments):
        def body():
            try:
                while self.goes_on():
                    work(*arguments)
            except CheckError as error:
                self.failures.append(str(error))
        thread = threading.Thread(target=body)
        thread.start()
        return thread

    def produce(self, topic):
        data = b''.join(b'k%d\tv%d\n' % (random.randrange(300), i)
                        for i in range(2000))
        strm(self.source, 'produce', topic, '-K', '\\t', '--batch-bytes',
             '3000', data=data)

    def look_after(self):
        strm(self.source, 'retain', '-q', 'events')
        strm(self.source, 'compact', '-q', 'table')
        time.sleep(0.2)

    def look(self):
        for topic in ('events', 'table'):
            if os.path.exists(f'{self.replica}/.strm/topics/{topic}.json'):
                done = strm(self.replica, 'verify', topic, code=None)
                if done.code != 0:
                    self.keep()
                require(done.code == 0, topic, 'is not sound, exit',
                        f'{done.code}:', done.out.decode(), done.err,
                        self.listed(topic))
                self.looks += 1
                self.between += b'replication' in done.out

    def listed(self, topic):
        """What stands in the replica's partitions just now."""
        return '; '.join(
            f'{name}: ' + ' '.join(sorted(os.listdir(f'{self.replica}/{name}')))
            for name in (f'{topic}-0', f'{topic}-1'))

    def keep(self):
        """For whoever wants to see it: STRM_KEEP is a directory."""
        if 'STRM_KEEP' in os.environ:
            run(['cp', '-a', self.top, os.environ['STRM_KEEP']])

    def promote(self, reported):
        """A copy, since the replica goes on as one."""
        copy = f'{self.top}/promoted'
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.replica, copy)
        strm(copy, 'promote', copy)
        found = strm(copy, 'topic', 'describe', 'events', 'table', '-J').out
        ends = {(line['topic'], part['partition']): part['log_end_offset']
                for line in map(json.loads, found.splitlines())
                for part in line['partitions']}
        for where, end in reported.items():
            require(ends[where] >= end, where, 'ends at', ends[where],
                    'though a run reported', end)
        self.promotions += 1

    def replicate(self, patience):
        with subprocess.Popen(
                [STRM, 'replicate-rsync', '-J', self.source, self.replica],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            timer = threading.Timer(
                patience, child.send_signal, [signal.SIGKILL])
            timer.start()
            out, err = child.communicate()
            timer.cancel()
        self.runs += 1
        if child.returncode == -signal.SIGKILL:
            self.kills += 1
            return None
        require(child.returncode == 0, 'exit', child.returncode, err.decode())
        return {(line['topic'], line['partition']): line['log_end_offset']
                for line in map(json.loads, out.splitlines())
                if line['type'] == 'partition'}

    def same(self):
        for name in ('events-0', 'events-1', 'table-0', 'table-1'):
            # A temporary file of a killed run goes when it is a minute old.
            done = run(['diff', '-rq', '-x', '*index', '-x', '.strm-*', '-x',
                        '*.snapshot', '-x', '.tmp-*',
                        f'{self.source}/{name}', f'{self.replica}/{name}'])
            if done.code != 0:
                self.keep()
            require(done.code == 0, 'not the same:', done.out.decode())

    def rage(self):
        strm(self.source, 'topic', 'create', 'events', '--partitions', '2',
             '--set', 'segment.bytes=200000', '--set',
             'retention.bytes=1500000')
        strm(self.source, 'topic', 'create', 'table', '--partitions', '2',
             '--set', 'segment.bytes=100000', '--set',
             'cleanup.policy=compact')
        threads = [self.loop(self.produce, topic)
                   for topic in ('events', 'events', 'table', 'table')]
        threads += [self.loop(self.look_after), self.loop(self.look)]
        reported = {}
        try:
            while self.goes_on():
                done = self.replicate(
                    30 if self.runs % 3 == 0 else random.uniform(0, 0.7))
                reported = done or reported
                if reported and self.runs % 5 == 4:
                    self.promote(reported)
        finally:
            self.end = 0
            for thread in threads:
                thread.join()
        require(not self.failures, *self.failures)
        require(self.replicate(60) is not None, 'the last run was killed')
        self.look()
        self.same()
        require(self.kills > 0 and self.promotions > 0, 'nothing was tried')


def main():
    with tempfile.TemporaryDirectory() as top:
        storm = Storm(top)
        try:
            storm.rage()
        except CheckError as error:
            print(f'replicate_storm.py: {error}', file=sys.stderr)
            return 1
    print(f'replicate_storm.py: {storm.runs} runs, {storm.kills} killed, '
          f'{storm.looks} looks, {storm.between} of them in between, '
          f'{storm.promotions} promotions')
    return 0


if __name__ == '__main__':
    sys.exit(main())
