#!/usr/bin/python3
"""T4: power is lost at any point of an operation.

    power.py OPERATION

The operation is recorded once; from that all states of the disk are made that
disk.py says may be left, and what must hold is judged in each.  Long form: all
of them.  Short form: some.
"""

import os
import shutil
import sys

from disk import Recording, sample
from harness import LONG, MEMORY, TOOLS, Store, main, store_for
from strmtest import CheckError, require

MOST = 8 if LONG else 5    # changes pending of which all subsets are taken
SHORT = 20                 # states


def record(operation, store):
    operation.prepare(store.path)
    recording = Recording(store.path)
    recorder = [f'{TOOLS}/record', '-d', store.path, '-o', store.file('trace'),
                '--']
    code, out, err = store.run(recorder + operation.command(store.path),
                               operation.input())
    require(code == operation.done, 'exit', code, err)
    recording.load(store.file('trace'))
    recording.require_complete(store.path)
    require(recording.told(recording.steps) == out, 'output escaped')
    return recording


def judge(operation, recording, loss):
    """Code 0: the command had ended well when power went; None: it had not."""
    ended = loss.step == recording.steps
    with Store(MEMORY) as store:
        recording.build(loss, store.path)
        try:
            operation.judge(store.path, operation.done if ended else None,
                            recording.told(loss.step))
        except CheckError as error:
            keep(operation, store)
            raise CheckError(f'power lost after step {loss.step} of '
                             f'{recording.steps}, on disk '
                             f'{told(recording, loss)}: {error}') from error


def told(recording, loss):
    """Which of the changes that were not durable were there."""
    done = dict(loss.applied)
    return ', '.join(
        ('' if i in done else 'not ') +
        f'{recording.ops[i].kind} {recording.ops[i].args[1:]!r:.120}' +
        (f' {done[i]}' if done.get(i) else '')
        for i in recording.pending(loss.step)) or 'all'


def keep(operation, store):
    """For whoever wants to see it: STRM_KEEP is a directory."""
    if 'STRM_KEEP' in os.environ:
        shutil.copytree(store.path, os.environ['STRM_KEEP'],
                        dirs_exist_ok=True)


def lose_all(operation):
    operation.power = True
    with store_for(operation) as store:
        recording = record(operation, store)
    states = recording.states(MOST)
    chosen = states if LONG else sample(states, SHORT)
    for loss in chosen:
        judge(operation, recording, loss)
    return (f'{len(chosen)} of {len(states)} states, {len(recording.ops)} '
            f'changes')


if __name__ == '__main__':
    sys.exit(main(lose_all, sys.argv))
