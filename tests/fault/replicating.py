"""Operations that put in place, at a replica, what was moved to it.

For harness.py.  Source and replica are made once; each run gets a copy of the
replica, with what a run of rsync brought, and does the step that applies it.
Whatever is left is sound, and the front part of what the source was before or
is now; and the next run ends with the same bytes.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
import time

from looker import END, LOOKER, sound, told
from state_file import moved_state
from strmtest import BUILD, STRM, require, run, strm

HAVE, PREPARE, APPLY = 0, 2, 4
NO_TOPIC, CORRUPT = -10, -4  # STREAM_ENOENT, STREAM_ECORRUPT
ENDS = ('torn-tail', 'zero-tail', 'lost-tail')
INDEX = ('zero-slots', 'index-entry', 'index-order', 'index-size',
         'index-short')
LEFTOVERS = ('.cleaned', '.swap', '.deleted')
PIECE = 2048    # bytes of a segment
BATCH = 250


def request(step, store, body='', options=''):
    return (f'strm-request 1\nstep {step}\ntimeout 10000\nstore {store}\n'
            f'of source\n{options}\n{body}').encode()


def serve(step, store, body=''):
    done = run([STRM, 'replicate-rsync', '--serve'],
               request(step, store, body))
    require(done.code == 0, 'step', step, 'failed:', done.err)
    return done.out.decode()


def moved(manifest):
    """The id of the run, and what rsync is told to move."""
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


def copy_store(store, copy):
    """Its files believe to be what they were."""
    subprocess.run(['cp', '-a', f'{store}/.', copy], check=True)
    for where, _, names in os.walk(copy):
        if '.strm-state' not in names:
            continue
        path = os.path.join(where, '.strm-state')
        inode = os.stat(os.path.join(store, os.path.relpath(path, copy))).st_ino
        with open(path, 'r+b') as file:
            data = moved_state(file.read(), inode, os.fstat(file.fileno()))
            file.seek(0)
            file.write(data)


def lines(first, count, keys=0):
    return b''.join(
        b'k%d\tvalue-%d\n' % (i % keys, i) if keys else b'value-%d\n' % i
        for i in range(first, first + count))


def produce(store, data, *options):
    strm(store, 'produce', 't', '--batch-bytes', str(BATCH), *options,
         data=data)


def create(store, *settings):
    words = [w for s in (f'segment.bytes={PIECE}', *settings)
             for w in ('--set', s)]
    strm(store, 'topic', 'create', 't', *words)


def bytes_of(store):
    """Of the logs and the leader epochs."""
    found = {}
    for name in sorted(os.listdir(f'{store}/t-0')):
        if name.endswith('.log') and name[0] != '.' or \
                name == 'leader-epoch-checkpoint':
            with open(f'{store}/t-0/{name}', 'rb') as file:
                found[name] = file.read()
    return found


class Apply:
    """What each of them is: story() makes the source and, with replicate(),
    the replica as it was before."""

    done = 0
    power = False
    in_memory = True
    options = ''
    whole = ()  # of a log that was trimmed then

    def __init__(self):
        self.top = self.source = self.replica = self.manifest = None
        self.before = self.after = self.start = None
        self.last = b''

    def story(self):
        raise NotImplementedError

    # ---- once

    def replicate(self, store, *options):
        done = run([STRM, 'replicate-rsync', '-q', *options, self.source,
                    store])
        require(done.code == 0, 'replicate-rsync: exit', done.code, done.err)

    def make(self):
        self.top = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, self.top, ignore_errors=True)
        self.source, self.replica = f'{self.top}/source', f'{self.top}/replica'
        self.story()
        os.makedirs(self.replica, exist_ok=True)
        self.before = self.look(self.replica) or []
        self.after = self.look(self.source)
        self.start = LOOKER.ask(self.source, 't:0').start[0]
        self.manifest = serve(PREPARE, self.source,
                              serve(HAVE, self.replica))
        run_id, names = moved(self.manifest)
        subprocess.run(['rsync', '--times', '--from0', '--files-from=-',
                        f'{self.source}/',
                        f'{self.replica}/.strm/incoming/{run_id}/'],
                       input='\0'.join(names).encode(), check=True)

    # ---- of each run

    def prepare(self, store):
        if self.top is None:
            self.make()
        copy_store(self.replica, store)
        self.last = request(APPLY, store, self.manifest, self.options)

    def command(self, store):
        del store
        return [STRM, 'replicate-rsync', '--serve']

    def input(self):
        return self.last

    def glance(self, store):
        """What others see while it stands still."""
        return (f"printf '%s t:0\\n' '{store}' | {BUILD}/tests/tools/look > "
                f'{store}/../glance')

    def judge_glance(self, store):
        with open(f'{store}/../glance', encoding='utf-8') as file:
            answer = file.read().split('done\n')[0].splitlines()
        self.judge_records(self.records(LOOKER.view(answer)), 'meanwhile')

    @staticmethod
    def records(view, may_miss=False):
        """None: there is no such topic."""
        return None if view.status == [NO_TOPIC] else \
            sound(view, 0, may_miss).records

    def look(self, store):
        return self.records(LOOKER.ask(store, 't:0'))

    def look_after(self, store, lost):
        """lost: power was, or nothing could be written any more.  Of what was
        just appended and never synced a part may be left, as in any log, and of
        the newest segment's indexes, which the next writer brings up to it."""
        view = LOOKER.ask(store, 't:0')
        if not lost or view.status == [NO_TOPIC]:
            return self.records(view)
        newest = max(name[:20] for name in os.listdir(f'{store}/t-0')
                     if name[20:] in ('.log', '.log.swap'))
        # Readers fail at a bad last batch, and give all before it.
        bad = [d for d in view.damage
               if d.startswith(f'bad-last-batch {newest}.log:')]
        if view.status == [CORRUPT] and bad:
            view.status[:] = [END]
        view.damage[:] = [
            d for d in view.damage if not (d in bad or any(
                d.startswith(f'{kind} {newest}') for kind in ENDS + INDEX))]
        return self.records(view, self.power)

    def judge_records(self, found, when):
        found = found or []
        if found == self.before:
            return
        start = self.start
        rest = [r for r in found if r.offset >= start]
        require(rest == self.after[:len(rest)], when, 'it holds', told(found),
                'which is no front part of', told(self.after), 'nor',
                told(self.before))
        older = [r for r in found if r.offset < start]
        was = [r for r in self.before if r.offset < start]
        require(not older or older == was[-len(older):], when,
                'the front is', told(older), 'and was', told(was))

    def judge(self, store, code, out):
        """After the run: code None means cut off."""
        found = self.look_after(store, self.power and code is None or
                                code not in (self.done, None))
        self.judge_records(found, 'after the run')
        said = [line.split()[0] for line in out.decode().splitlines()]
        if code == self.done:
            require(len(said) == 1, 'reported:', out)
            require('done' not in said or found == self.after,
                    'done, and it holds', told(found or []))
        self.replicate(store, *(f'--{o}' for o in self.options.split()))
        self.judge_final(store, 'after the next run')
        if code == self.done:
            self.replicate(store)
            self.judge_final(store, 'after one more')

    @staticmethod
    def told(code, out, err):
        """What the one that asked for this step makes of its answer."""
        if out.startswith(b'strm-failed '):
            return code, err + out.decode()
        if code == 0 and out.startswith((b'failed ', b'resend ')):
            return 6, out.decode()
        return code, err

    def judge_final(self, store, when):
        found = self.look(store)
        require(found == self.after, when, 'it holds', told(found or []))
        got, wanted = bytes_of(store), bytes_of(self.source)
        require(got == wanted, when, 'not the same bytes:',
                [n for n in {**got, **wanted} if got.get(n) != wanted.get(n)])
        left = [name for name in os.listdir(f'{store}/t-0')
                if name.endswith(LEFTOVERS)]
        require(not left, when, 'left over:', left)
        require(os.path.exists(f'{store}/.strm/replica.json'), when,
                'it is no replica')


class First(Apply):
    """All of it, for the first time."""

    def story(self):
        create(self.source)
        produce(self.source, lines(0, 500))


class Tail(Apply):
    """The end of a segment that is there, and new ones."""

    def story(self):
        create(self.source)
        produce(self.source, lines(0, 250))
        self.replicate(self.replica)
        produce(self.source, lines(250, 350))


class Torn(Apply):
    """An append that is killed in its middle.

    Its batches are the same bytes whatever the clock and the pipe do, so that
    the page at which the write is cut is never where one of them ends."""

    cuts_writes = True

    def story(self):
        strm(self.source, 'topic', 'create', 't')
        self.produce(lines(0, 100))
        self.replicate(self.replica)
        self.produce(lines(100, 1500))

    def produce(self, data):
        path = f'{self.top}/lines'
        with open(path, 'wb') as file:
            file.write(data)
        produce(self.source, b'', '--timestamp', f'@{time.time_ns() // 10**6}',
                path)


class Compacted(Apply):
    """A compacted topic."""

    def create(self, first, keys):
        create(self.source, 'cleanup.policy=compact')
        self.produce(0, first, keys)

    def produce(self, first, count, keys):
        produce(self.source, lines(first, count, keys), '-K', '\\t')

    def compact(self):
        strm(self.source, 'compact', '-q', 't')


class Compact(Compacted):
    """Closed segments that were compacted, and the end of the active one."""

    def story(self):
        self.create(400, 50)
        self.replicate(self.replica)
        self.compact()
        self.produce(400, 8, 50)


class Far(Compacted):
    """Compacted, and more segments than the replica has."""

    def story(self):
        self.create(300, 50)
        self.replicate(self.replica)
        self.produce(300, 300, 60)
        self.compact()
        self.produce(600, 120, 70)


class Between(Compacted):
    """A segment between two that were compacted stays as it is."""

    def story(self):
        self.create(110, 10)
        self.produce(1000, 330, 1000)  # keys that do not come again
        self.produce(110, 220, 10)
        self.replicate(self.replica)
        self.more()

    def more(self):
        old = bytes_of(self.source)
        self.compact()
        same = [n for n, data in bytes_of(self.source).items()
                if old[n] == data and n.endswith('.log')]
        changed = [n for n in bytes_of(self.source)
                   if n not in same and n.endswith('.log')]
        require(any(min(changed) < n < max(changed) for n in same),
                'nothing is between:', sorted(old), changed)

    def base(self, segment):
        return int(sorted(bytes_of(self.source))[segment][:20])


class BetweenCut(Between):
    """And the front of the source was taken away too."""

    def story(self):
        super().story()
        strm(self.source, 'trim', '-q', '--force', f't@{self.base(1)}')
        strm(self.source, 'retain', '-q', 't')
        require(self.base(0) > 0, 'nothing went')
        self.produce(2000, 20, 10)


class Settled(Between):
    """The run after one that was killed when it had committed all of a swap
    and finished nothing."""

    def make(self):
        super().make()
        for stop in range(800, 4000, 15):
            killed = f'{self.top}/killed'
            shutil.rmtree(killed, ignore_errors=True)
            os.mkdir(killed)
            super().prepare(killed)
            subprocess.run(
                [f'{BUILD}/tests/fault/killsweep', '-d', killed, '-o',
                 f'{self.top}/stops', str(stop), '--', *self.command(killed)],
                input=self.last, stdout=subprocess.DEVNULL, check=False)
            names = os.listdir(f'{killed}/t-0')
            if sum(name.endswith('.log.swap') for name in names) > 3 and \
                    not any(name.endswith('.cleaned') for name in names):
                self.replica = killed
                return
        require(False, 'no stop is between commit and end')


class Retained(Apply):
    """Segments that the source no longer has."""

    def story(self):
        create(self.source)
        produce(self.source, lines(0, 500))
        self.replicate(self.replica)
        strm(self.source, 'trim', '-q', 't@400')
        strm(self.source, 'retain', '-q', 't')
        produce(self.source, lines(500, 40))


class Overtaken(Apply):
    """Retention at the source took all that the replica holds, and more."""

    def story(self):
        create(self.source)
        produce(self.source, lines(0, 200))
        self.replicate(self.replica)
        self.go_on()
        strm(self.source, 'retain', '-q', 't', '--keep-bytes', str(2 * PIECE))
        require(LOOKER.ask(self.source, 't:0').start[0] > 200, 'too few went')
        produce(self.source, lines(500, 40))

    def go_on(self):
        produce(self.source, lines(200, 300))


class OvertakenTrimmed(Overtaken):
    """And where its log starts lies above its first segment."""

    def story(self):
        super().story()
        strm(self.source, 'trim', '-q', 't@485')


class Epochs(Apply):
    """A new leader epoch within what is moved."""

    def lead(self, store):
        done = run([STRM, 'promote', '-q', store])
        require(done.code == 0, 'cannot promote:', done.err)

    def story(self):
        create(self.source)
        produce(self.source, lines(0, 250))
        self.replicate(self.replica)
        first = self.source
        self.source += '-2'
        shutil.copytree(self.replica, self.source)
        self.lead(self.source)
        shutil.rmtree(first)
        produce(self.source, lines(250, 250))


class OvertakenLed(Overtaken, Epochs):
    """By a leader that begins another epoch above it."""

    def go_on(self):
        produce(self.source, lines(200, 180))
        self.replicate(f'{self.source}-2')
        shutil.rmtree(self.source)
        self.source += '-2'
        self.lead(self.source)
        produce(self.source, lines(380, 120))


class Diverged(Epochs):
    """An old leader that went on is cut, and follows the new one."""

    options = 'truncate\n'

    def story(self):
        create(self.source)
        produce(self.source, lines(0, 250))
        self.replicate(self.replica)
        self.source, self.replica = self.replica, self.source
        self.lead(self.source)
        produce(self.source, lines(250, 40))
        produce(self.replica, lines(1000, 250))

    def judge_records(self, found, when):
        whole = [r for r in self.before if r.offset < 250]
        if not (found[:250] == whole and
                found == self.before[:len(found)]):
            super().judge_records(found, when)


class Untold(Apply):
    """Batches whose epoch the source, which was trimmed above them, begins
    later by now."""

    def story(self):
        create(self.source)
        strm(self.source, 'roll', '-q', 't')
        self.replicate(self.replica)
        produce(self.source, lines(0, 500))
        self.whole = self.look(self.source)
        strm(self.source, 'trim', '-q', 't@420')

    def judge_records(self, found, when):
        if found != self.whole[:len(found)]:
            super().judge_records(found, when)


class DivergedTrimmed(Diverged):
    """An old leader that is cut below its own log start."""

    def story(self):
        super().story()
        self.whole = self.look(self.replica)
        strm(self.replica, 'trim', '-q', 't@450')

    def judge_records(self, found, when):
        offsets = [r.offset for r in found or []]
        if found != [r for r in self.whole if r.offset in offsets]:
            Apply.judge_records(self, found, when)


class Front(Epochs):
    """An old leader gets back the segments that it deleted."""

    def story(self):
        create(self.source)
        produce(self.source, lines(0, 400))
        self.replicate(self.replica)
        self.source, self.replica = self.replica, self.source
        self.lead(self.source)
        produce(self.source, lines(400, 40))
        strm(self.replica, 'retain', '-q', 't', '--keep-bytes', str(2 * PIECE))
        strm(self.replica, 'fence', '-q', self.replica, '--reason', 'test')


OPERATIONS = {
    'apply-first': First(),
    'apply-tail': Tail(),
    'apply-torn': Torn(),
    'apply-compact': Compact(),
    'apply-far': Far(),
    'apply-between': Between(),
    'apply-between-cut': BetweenCut(),
    'apply-settle': Settled(),
    'apply-retain': Retained(),
    'apply-overtaken': Overtaken(),
    'apply-overtaken-trimmed': OvertakenTrimmed(),
    'apply-overtaken-led': OvertakenLed(),
    'apply-epochs': Epochs(),
    'apply-untold': Untold(),
    'apply-truncate': Diverged(),
    'apply-truncate-trimmed': DivergedTrimmed(),
    'apply-front': Front(),
}
