#!/usr/bin/python3
"""T1, I8: SIGKILL at every system-call stop of putting a replica in place.

    replicate.py CASE

What a run moved lies at the replica; then the step that puts it in place is
killed at each of its stops.  What is left must be sound, and the front part of
what the source was before or is now; the next run must end with the same bytes.
Long form: every stop.  Short form: some.
"""

import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../interop'))
from strmtest import BUILD, STRM, CheckError, parse_line, require, run, strm

LONG = os.environ.get('STRM_FAULT', 'short') == 'long'
KILLSWEEP = os.path.join(BUILD, 'tests/fault/killsweep')
KILLED = 137
HAVE, PREPARE, APPLY = 0, 2, 4


def lines(first, count, keys=0):
    return b''.join(
        b'k%d\tvalue-%d\n' % (i % keys, i) if keys else b'value-%d\n' % i
        for i in range(first, first + count))


def produce(store, data, *options):
    strm(store, 'produce', 't', '--batch-bytes', '500', *options, data=data)


def create(store, *settings):
    words = [w for s in ('segment.bytes=8192', *settings)
             for w in ('--set', s)]
    strm(store, 'topic', 'create', 't', *words)


def case_first(source, _):
    """All of it, for the first time."""
    create(source)
    produce(source, lines(0, 1500))


def case_tail(source, replicate):
    """The end of a segment that is there, and new ones."""
    create(source)
    produce(source, lines(0, 700))
    replicate()
    produce(source, lines(700, 1200))


def case_compact(source, replicate):
    """Closed segments that were compacted, and the end of the active one."""
    create(source, 'cleanup.policy=compact')
    produce(source, lines(0, 1200, 50), '-K', '\\t')
    replicate()
    strm(source, 'compact', 't')
    produce(source, lines(1200, 30, 50), '-K', '\\t')


def case_far(source, replicate):
    """Compacted, and more segments than the replica has."""
    create(source, 'cleanup.policy=compact')
    produce(source, lines(0, 1000, 50), '-K', '\\t')
    replicate()
    produce(source, lines(1000, 1000, 60), '-K', '\\t')
    strm(source, 'compact', 't')
    produce(source, lines(2000, 500, 70), '-K', '\\t')


def case_retain(source, replicate):
    """Segments that the source no longer has."""
    create(source)
    produce(source, lines(0, 1500))
    replicate()
    strm(source, 'trim', 't@1100')
    strm(source, 'retain', 't')
    produce(source, lines(1500, 100))


def case_epochs(source, replicate):
    """A new leader epoch within what is moved."""
    create(source)
    produce(source, lines(0, 700))
    replicate()
    other = source + '-first'
    os.rename(source, other)
    done = run([STRM, 'replicate-rsync', other, source])
    require(done.code == 0, 'cannot copy:', done.err)
    done = run([STRM, 'promote', source])
    require(done.code == 0, 'cannot promote:', done.err)
    produce(source, lines(700, 700))


def case_front(source, replicate):
    """Segments that an old leader deleted, and the new one has."""
    create(source)
    produce(source, lines(0, 1500))
    replicate()
    old = source.removesuffix('source') + 'replica'
    os.rename(source, source + '-first')
    os.rename(old, source)
    os.rename(source + '-first', old)
    strm(old, 'retain', 't', '--keep-bytes', '9000')
    done = run([STRM, 'promote', source])
    require(done.code == 0, 'cannot promote:', done.err)
    strm(old, 'fence', old, '--reason', 'test')
    produce(source, lines(1500, 700))


CASES = {name[5:]: function for name, function in list(globals().items())
         if name.startswith('case_')}


def request(step, store, body=''):
    return (f'strm-request 1\nstep {step}\ntimeout 10000\nstore {store}\n'
            f'of source\n\n{body}').encode()


def serve(step, store, body=''):
    done = run([STRM, 'replicate-rsync', '--serve'],
               request(step, store, body))
    require(done.code == 0, 'step', step, 'failed:', done.err)
    return done.out.decode()


def files(manifest):
    run_id, topic, part, names = '', '', '', []
    for line in manifest.splitlines():
        word = line.split(' ')
        if word[0] == 'id':
            run_id = word[1]
        elif word[0] == 'topic':
            topic = word[1]
        elif word[0] == 'partition':
            part = f'{topic}-{word[1]}'
        elif word[0] == 'segment' and word[10] != '=':
            name = f'{int(word[1]):020d}.log'
            if word[10] == 't':
                name += f'.from-{word[11]}'
            head = '.' if word[10] == 'a' else f'.strm/replicate/{run_id}'
            names.append(f'{head}/./{part}/{name}')
    return run_id, names


def records(store):
    done = strm(store, 'consume', 't', '-J', '--clamp', code=None)
    require(done.code in (0, 4), 'cannot read:', done.err)
    return [(r.offset, r.key, r.value)
            for r in map(parse_line, done.out.splitlines())]


def logs(store):
    found = {}
    for name in sorted(os.listdir(os.path.join(store, 't-0'))):
        if name.endswith('.log'):
            with open(os.path.join(store, 't-0', name), 'rb') as file:
                found[name] = file.read()
    return found


def judge(store, before, after):
    done = strm(store, 'verify', 't', code=None)
    require(done.code in (0, 4), 'not sound:', done.code,
            done.out.decode(), done.err)
    found = records(store) if os.path.isdir(f'{store}/t-0') else []
    if found == before:
        return
    start = after[0][0] if after else 0
    rest = [r for r in found if r[0] >= start]
    require(rest == after[:len(rest)], 'no front part of the source:',
            len(found), 'records, before', len(before), 'after', len(after))
    if found != rest:
        older = [r for r in found if r[0] < start]
        require(older == [r for r in before if r[0] < start][-len(older):],
                'the front is not what it was')


def sweep(case, top):
    source, replica = f'{top}/source', f'{top}/replica'

    def replicate(to=replica):
        done = run([STRM, 'replicate-rsync', source, to])
        require(done.code == 0, 'replicate-rsync: exit', done.code, done.err)

    CASES[case](source, replicate)
    before = records(replica) if os.path.isdir(f'{replica}/t-0') else []
    manifest = serve(PREPARE, source, serve(HAVE, replica))
    run_id, names = files(manifest)
    subprocess.run(['rsync', '--times', '--from0', '--files-from=-',
                    f'{source}/', f'{replica}/.strm/incoming/{run_id}/'],
                   input='\0'.join(names).encode(), check=True)
    after = records(source)
    with open(f'{top}/request', 'wb') as file:
        file.write(request(APPLY, f'{top}/copy', manifest))

    def attempt(*how):
        shutil.rmtree(f'{top}/copy', ignore_errors=True)
        subprocess.run(['cp', '-a', replica, f'{top}/copy'], check=True)
        with open(f'{top}/request', 'rb') as file:
            done = subprocess.run(
                [KILLSWEEP, '-d', f'{top}/copy', '-o', f'{top}/stops', *how,
                 '--', STRM, 'replicate-rsync', '--serve'], stdin=file,
                capture_output=True, check=False, timeout=60)
        require(done.returncode in (0, KILLED), 'exit', done.returncode,
                done.stderr.decode())
        with open(f'{top}/stops', encoding='ascii') as file:
            return int(file.read()), done.returncode == KILLED

    stops, _ = attempt('-c')
    require(records(f'{top}/copy') == after, 'not all was put in place')
    step = 1 if LONG else max(1, stops // 40)
    kills = 0
    for stop in range(1, stops + 1, step):
        kills += attempt(str(stop))[1]
        try:
            judge(f'{top}/copy', before, after)
            replicate(f'{top}/copy')
            require(logs(f'{top}/copy') == logs(source),
                    'the next run does not end with the same bytes')
            judge(f'{top}/copy', after, after)
        except CheckError as error:
            raise CheckError(f'killed at stop {stop} of {stops}: {error}') \
                from error
    require(kills > 0, 'nothing was killed')
    return f'{kills} kills at {stops} stops'


def main():
    case = sys.argv[1]
    with tempfile.TemporaryDirectory() as top:
        try:
            print(f'replicate.py {case}: {sweep(case, top)}')
        except CheckError as error:
            print(f'replicate.py {case}: {error}', file=sys.stderr)
            return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
