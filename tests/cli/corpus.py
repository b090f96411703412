#!/usr/bin/python3
"""Hold strm to what format/corpus/README.md says of each file.

    corpus.py list CORPUS       the page names exactly the files that are there
    corpus.py read CORPUS       consume each as the newest segment
    corpus.py closed CORPUS     consume each log with a segment behind it
    corpus.py repair CORPUS     repair a copy of each, and read it again
    corpus.py write CORPUS      append to a copy of each, and read it again

Each run has 2 s and 128 MiB, and no signal may end it.  What differs goes to
standard output; then the exit status is 1.
"""
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile

SECONDS, BYTES = 2, 128 << 20
# Sanitizers take both, many times over.
SANITIZED = "sanitize" in os.environ.get("STRM", "")
LAST_OFFSET = 2**63 - 2
T0 = 1767225600000
EXITS = {"good": 0, "torn": 0, "corrupt": 3, "newer": 3}
ROW = re.compile(r"^\| `([a-z0-9-]+)(\.log|/)` \| (\S+) \| ([a-z ]+) \| (.+) \|$")


def offsets_of(text):
    """0-1,5 is [0, 1, 5]."""
    offsets = []
    for part in [] if text == "-" else text.split(","):
        first, _, last = part.partition("-")
        offsets += range(int(first), int(last or first) + 1)
    return offsets


class Case:
    def __init__(self, corpus, match):
        self.name, suffix, shown, self.writer, self.odd = match.groups()
        self.path = os.path.join(corpus, self.name + suffix).rstrip("/")
        self.is_log = suffix == ".log"
        self.shown = offsets_of(shown)
        self.verdict = self.name.split("-")[0]

    def place(self, store):
        """A copy as partition 0 of topic x; returns its directory."""
        directory = os.path.join(store, "x-0")
        if self.is_log:
            os.mkdir(directory)
            shutil.copy(self.path, os.path.join(directory, "%020d.log" % 0))
        else:
            shutil.copytree(self.path, directory)
        return directory


def cases(corpus):
    with open(os.path.join(corpus, "README.md"), encoding="utf-8") as page:
        rows = [ROW.match(line) for line in page if line.startswith("| `")]
    return [Case(corpus, row) for row in rows]


# --- runs ---------------------------------------------------------------------


def strm(*words, stdin=b""):
    """(exit status, output, messages) of a run within its bounds."""
    try:
        done = subprocess.run([os.environ.get("STRM", "strm"), *words], input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=SECONDS * (10 if SANITIZED else 1))
    except subprocess.TimeoutExpired:
        return "no end within %d s" % SECONDS, b"", b""
    return done.returncode, done.stdout, done.stderr


def consume(path, point=""):
    """(exit status, offsets, whether the values are right, messages)"""
    status, out, messages = strm("consume", "-f", r"%o %S %s\n", path + "/" + point)
    offsets, right = [], True
    for line in out.splitlines():
        offset, size, value = line.split(b" ", 2)
        offsets.append(int(offset))
        right &= value == (b"v" + offset if int(size) > 0 else b"")
    return status, offsets, right, messages


def read(case, path, status, shown, torn):
    """What is wrong with how it is read, as a list of words."""
    got, offsets, right, messages = consume(path)
    wrong = []
    if got != status:
        wrong.append("exit status %s, not %d" % (got, status))
    if offsets != shown:
        wrong.append("shows %s, not %s" % (offsets, shown))
    if not right:
        wrong.append("shows wrong values")
    if bool(messages) != (status != 0 or torn) or (torn and b"torn" not in messages):
        wrong.append("says %r" % messages.decode(errors="replace"))
    return wrong


def seek(case, path):
    """From each offset, and from a time that all records have: by the indexes."""
    wrong = []
    points = {"@%d" % o: case.shown[i:] for i, o in enumerate(case.shown)}
    points["@@0"] = case.shown
    if "timeindex" in case.name:  # each record is a millisecond after the last
        points.update({"@@%d" % (T0 + o): case.shown[i:]
                       for i, o in enumerate(case.shown)})
    for point, shown in points.items():
        status, offsets, *_ = consume(path, point)
        if (status, offsets) != (0, shown):
            wrong.append("%s: exit status %s, shows %s" % (point, status, offsets))
    return wrong


def read_newest(case, store):
    path = case.place(store)
    wrong = read(case, path, EXITS[case.verdict], case.shown, case.verdict == "torn")
    return wrong + (seek(case, path) if EXITS[case.verdict] == 0 else [])


def read_closed(case, store):
    """Behind it stands a segment of one record: what was torn is damage now."""
    base = max(case.shown + [999]) + 1
    if not case.is_log or base > LAST_OFFSET:
        return []
    directory = case.place(store)
    is_good = case.verdict == "good"
    with open(os.path.join(os.path.dirname(case.path), "good-two-batches.log"),
              "rb") as file:
        batch = bytearray(file.read())
    batch = batch[:12 + int.from_bytes(batch[8:12], "big")]
    batch[0:8] = base.to_bytes(8, "big")
    with open(os.path.join(directory, "%020d.log" % base), "wb") as file:
        file.write(batch)
    wrong = read(case, directory, 0 if is_good else 3,
                 case.shown + [base, base + 1] * is_good, False)
    # The values of the batch are those of offsets 0 and 1.
    return [w for w in wrong if w != "shows wrong values" or not is_good]


# --- the writer ---------------------------------------------------------------


def newest_log(directory):
    logs = [n for n in os.listdir(directory)
            if re.match(r"^[0-9]{20}\.log(\.swap)?$", n)]
    return os.path.join(directory, max(logs)) if logs else None


def load(path):
    with open(path, "rb") as file:
        return file.read()


def listing(directory):
    return {n: load(os.path.join(directory, n)) for n in os.listdir(directory)
            if n != ".strm-state"}


def is_same(before, after):
    """What was there is; there may be an index or epochs of it now, but no log."""
    return all(after.get(name) == data for name, data in before.items()) and not any(
        ".log" in name for name in after.keys() - before.keys())


def write(case, store):
    directory = case.place(store)
    before, log = listing(directory), newest_log(directory)
    old = load(log)
    status, _, messages = strm("-C", store, "produce", "x", stdin=b"new\n")
    cut = [n for n in os.listdir(directory) if n.startswith(".strm-cut-")]
    now = load(log)
    did = "?"
    if status == 3:
        did = "refuses" if is_same(before, listing(directory)) else "changes and fails"
    elif status == 0 and cut:
        aside = load(os.path.join(directory, cut[0]))
        did = "sets aside" if old.endswith(aside) and now.startswith(
            old[:len(old) - len(aside)]) else "sets the wrong bytes aside"
    elif status == 0 and (b"cut an unfinished" in messages
                          or not now.startswith(old)):
        did = "cuts"
    elif status == 0:
        did = "goes on"
    wrong = []
    if did != case.writer:
        wrong.append("a writer %s (exit status %s, %s), not %s" % (
            did, status, messages.decode(errors="replace").strip(), case.writer))
    elif did in ("cuts", "sets aside"):
        # Nothing of what was good went, and the log is sound now.
        got, offsets, _, messages = consume(directory)
        if got != 0 or offsets[:-1] != case.shown or messages:
            wrong.append("after the append: exit status %s, shows %s, says %r" % (
                got, offsets, messages))
    return wrong


def repair(case, store):
    """What verify calls damage is not passed over: it goes, or is told."""
    path = case.place(store) + "/"
    before = strm("verify", path)[0]
    status, out, messages = strm("repair", "-y", path)
    after = strm("verify", path)[0]
    if before == 3 and out == b"nothing to do\n":
        return ["verify says damage, repair says nothing to do"]
    if (status, after) not in ((0, 0), (3, 3)):
        return ["exit status %s, says %r, and then verify has %s" % (
            status, messages.decode(errors="replace"), after)]
    if (b"--salvage" in messages) != (status == 3):
        return ["exit status %s, says %r" % (
            status, messages.decode(errors="replace"))]
    return []


# --- all of them --------------------------------------------------------------


def check_all(corpus, check):
    bad = 0
    for case in cases(corpus):
        with tempfile.TemporaryDirectory() as store:
            wrong = check(case, store)
        for what in wrong:
            print("%s (%s): %s" % (case.name, case.odd, what))
        bad += wrong != []
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    if peak > BYTES and not SANITIZED:
        print("one took %d MiB" % (peak >> 20))
        bad += 1
    return int(bad > 0)


def check_list(corpus, _=None):
    listed = [os.path.basename(case.path) for case in cases(corpus)]
    there = set(os.listdir(corpus)) - {"README.md", "make"}
    for name in sorted(set(listed) ^ there):
        print("only in one of README.md and the directory: " + name)
    for case in cases(corpus):
        if case.verdict not in EXITS:
            print(case.name + ": begins with no verdict")
    hostile = [c for c in cases(corpus) if c.verdict != "good"]
    if len(hostile) < 45:
        print("only %d hostile cases" % len(hostile))
    sizes = [os.path.getsize(os.path.join(where, name))
             for where, _, names in os.walk(corpus)
             for name in names if ".log" in name]
    if max(sizes) >= 4096:
        print("a log of %d bytes" % max(sizes))
    return int(set(listed) != there or len(listed) != len(set(listed))
               or len(hostile) < 45 or max(sizes) >= 4096
               or any(c.verdict not in EXITS for c in cases(corpus)))


CHECKS = {"read": read_newest, "closed": read_closed, "write": write,
          "repair": repair}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in {"list", *CHECKS}:
        sys.exit(__doc__)
    if sys.argv[1] == "list":
        sys.exit(check_list(sys.argv[2]))
    sys.exit(check_all(sys.argv[2], CHECKS[sys.argv[1]]))
