#!/usr/bin/python3
"""Hold the documents to what strm does.

    docs.py examples FILE       run the examples of a manual page or README
    docs.py program FILE        print the example program of a manual page
    docs.py options FILE COMMAND...
                                compare a page's options with --cli-dump
    docs.py commands FILE       compare the list of commands with --cli-dump
    docs.py ids SPEC FILE...    the ids of vector files are those in SPEC's lists
    docs.py dump SPEC HEADING   print the first hex dump below a heading
    docs.py row FILE ID         print the bytes of a vector in the same form
    docs.py map README DIR...   every source file stands in the map

What differs goes to standard output; then the exit status is 1.
"""
import difflib
import os
import re
import subprocess
import sys
import tempfile

# --- examples ---------------------------------------------------------------


def mdoc_text(line):
    """A line of a literal display as mandoc prints it."""
    for escape, text in ((r"\&", ""), (r"\-", "-"), (r"\(dq", '"')):
        line = line.replace(escape, text)
    return line.replace(r"\e", "\\")


def blocks_of_page(lines):
    """The literal displays of the section EXAMPLES."""
    section, block = "", None
    for line in lines:
        if line.startswith(".Sh "):
            section = line[4:]
        elif line.startswith(".Bd -literal") and section == "EXAMPLES":
            block = []
        elif line == ".Ed" and block is not None:
            yield block
            block = None
        elif block is not None:
            block.append(mdoc_text(line))


def blocks_of_markdown(lines):
    """What stands between ```console and ```."""
    block = None
    for line in lines:
        if line == "```console":
            block = []
        elif line == "```" and block is not None:
            yield block
            block = None
        elif block is not None:
            block.append(line)


def commands_of(block):
    """A list of [command, expected output] of a block that begins with $."""
    commands = []
    if not block or not block[0].startswith("$ "):
        return commands
    for line in block:
        if line.startswith("$ "):
            commands.append([line[2:], ""])
        elif line.startswith("> ") and not commands[-1][1]:
            commands[-1][0] += "\n" + line[2:]
        else:
            commands[-1][1] += line + "\n"
    return commands


MARK = "\001"


def run_commands(commands, directory):
    """The output and the status of each, all in one shell."""
    script = "".join(
        "%s\n_s=$?; printf '%s%%d%s' $_s; (exit $_s)\n" % (c[0], MARK, MARK)
        for c in commands
    )
    path = os.path.join(directory, ".script")
    with open(path, "w") as file:
        file.write(script)
    environment = dict(os.environ, STRM_DIR=os.path.join(directory, "store"))
    os.mkdir(environment["STRM_DIR"])
    done = subprocess.run(
        ["bash", path],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    parts = done.stdout.decode().split(MARK)
    return list(zip(parts[0::2], (int(s) for s in parts[1::2])))


def is_status(commands, i):
    return i < len(commands) and commands[i][0].startswith("echo $?")


SRV = "/srv/"  # in examples: a directory of ours


def examples(path):
    host = os.uname().nodename + ":"  # which is box2 in them
    with open(path) as file:
        lines = file.read().splitlines()
    markdown = path.endswith(".md")
    blocks = (blocks_of_markdown if markdown else blocks_of_page)(lines)
    commands = [c for block in blocks for c in commands_of(block)]
    if not commands:
        print("%s: no examples" % path)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        srv = directory + SRV
        os.mkdir(srv)
        here = [[c.replace(SRV, srv), expected] for c, expected in commands]
        results = [
            (output.replace(srv, SRV).replace(host, "box2:"), status)
            for output, status in run_commands(here, directory)
        ]
    wrong = len(results) != len(commands)
    for i, (output, status) in enumerate(results):
        command, expected = commands[i]
        if status != 0 and not is_status(commands, i + 1):
            print("%s: exit %d: %s" % (path, status, command))
            wrong = True
        if output != expected:
            wrong = True
            print("%s: $ %s" % (path, command))
            sys.stdout.writelines(
                difflib.unified_diff(
                    expected.splitlines(True),
                    output.splitlines(True),
                    "the document",
                    "what it prints",
                )
            )
    print("%d commands" % len(commands))
    return int(wrong)


# --- the example program ----------------------------------------------------


def program(path):
    with open(path) as file:
        text = file.read()
    found = re.search(
        r'^\.\\" example\.c begins\n\.Bd -literal\n(.*?)^\.Ed\n'
        r'\.\\" example\.c ends\n',
        text,
        re.M | re.S,
    )
    if found is None:
        print("%s: no example program" % path)
        return 1
    for line in found.group(1).splitlines():
        print(mdoc_text(line))
    return 0


# --- options ----------------------------------------------------------------

OPTION = re.compile(
    r"^ {5}(?:-(\S)(?: (\S+))?, )?--([a-z-]+)(?:=(\S+))?(?: {2,}.*)?$"
)
NO_LETTER, NO_ARGUMENT = "-", "-"


def options_of_page(path):
    """{heading: {(letter, long form, argument)}} of the description."""
    rendered = subprocess.run(
        ["mandoc", "-T", "ascii", "-O", "width=300", path],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.decode()
    options, section, heading = {}, "", ""
    for line in re.sub(".\b", "", rendered).splitlines():
        if re.match(r"\S", line):
            section, heading = line, ""
        elif re.match(r" {3}\S", line):
            heading = line.strip()
        found = OPTION.match(line)
        if found is None or section != "DESCRIPTION":
            continue
        letter, with_letter, name, argument = found.groups()
        if letter is not None and with_letter != argument:
            print("%s: -%s and --%s differ" % (path, letter, name))
        options.setdefault(heading, set()).add(
            (letter or NO_LETTER, name, argument or NO_ARGUMENT)
        )
    return options


def dump_of(words):
    """The fields of each line that strm WORDS --cli-dump prints."""
    output = subprocess.run(
        ["strm", *words, "--cli-dump"], stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    return [line.split("\t") for line in output.splitlines()]


def options_of_strm(words):
    return {
        (letter, name, argument)
        for _, letter, name, argument, kind, _ in dump_of(words)
        if kind not in ("arguments", "command")
    }


def show(what, options):
    for letter, name, argument in sorted(options):
        print("%s: -%s --%s %s" % (what, letter, name, argument))


def options(path, *words):
    page = options_of_page(path)
    ours = set(page.get("", set()))
    if words and " ".join(words) in page:  # a sub-command's own, and all that share
        ours |= page[" ".join(words)] | page["All of them"]
    theirs = options_of_strm(words)
    show("only in " + path, ours - theirs)
    show("only in strm " + " ".join(words), theirs - ours)
    return int(ours != theirs)


def commands(path):
    """Every command, and sub-command, has its .It Cm in the list."""
    with open(path) as file:
        listed = set(re.findall(r"^\.It Cm ([a-z -]+)$", file.read(), re.M))
    real = set()
    for _, _, name, _, kind, _ in dump_of([]):
        if kind != "command":
            continue
        dump = dump_of([name])
        below = {name + " " + d[2] for d in dump if d[4] == "command"}
        # What does something itself has -q.
        if any(d[2] == "quiet" for d in dump):
            below.add(name)
        real |= below
    for name in sorted(listed ^ real):
        print("only in one of %s and strm: %s" % (path, name))
    return int(listed != real)


# --- the specification ------------------------------------------------------


ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def listed_ids(text):
    """What stands in items that are lists of ids: "- label: id, id; label: id"."""
    found = set()
    for item in re.findall(r"^- (.*(?:\n  .*)*)", text, re.M):
        flat = re.sub(r"\([^)]*\)", "", " ".join(item.split()))
        _, colon, lists = flat.partition(": ")
        words = re.split(r"\s*(?:,|; [a-z ]+:)\s*", lists)
        if colon and all(ID.fullmatch(word.strip()) for word in words):
            found |= {word.strip() for word in words}
    return found


def ids(spec, *paths):
    with open(spec) as file:
        listed = listed_ids(file.read())
    rows = set()
    for path in paths:
        with open(path) as file:
            rows |= {l.split()[0] for l in file if not l.startswith("#")}
    for row in sorted(listed ^ rows):
        print("only in one of %s and the vectors: %s" % (spec, row))
    return int(listed != rows or not rows)


def row(path, wanted):
    with open(path) as file:
        words = next(l.split() for l in file if l.split()[0] == wanted)
    data = bytes.fromhex(words[2])
    for at in range(0, len(data), 16):
        print(data[at : at + 16].hex(" "))
    return 0


def dump(spec, heading):
    with open(spec) as file:
        text = file.read()
    at = text.index("\n%s" % heading)
    found = re.search(r"^0{8}:( [0-9a-f]{2})+\n([0-9a-f]{8}:.*\n)*", text[at:], re.M)
    for line in found.group(0).splitlines():
        print(line.split(": ")[1])
    return 0


# --- the map ----------------------------------------------------------------


def map_names(readme, *directories):
    """In the paragraph that begins with **NAME/**, as `stem`."""
    with open(readme) as file:
        paragraphs = file.read().split("\n\n")
    wrong = 0
    for directory in directories:
        head = "**%s/**" % os.path.basename(directory)
        text = "".join(p for p in paragraphs if p.startswith(head))
        named = set(re.findall("`([a-z0-9_]+)`", text))
        there = {
            name.rsplit(".", 1)[0]
            for name in os.listdir(directory)
            if name.endswith((".c", ".h"))
        }
        for stem in sorted(named ^ there):
            print("only in one of %s and %s: %s" % (readme, directory, stem))
            wrong += 1
    return int(wrong > 0)


COMMANDS = {
    "examples": examples,
    "program": program,
    "options": options,
    "commands": commands,
    "ids": ids,
    "dump": dump,
    "row": row,
    "map": map_names,
}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    sys.exit(COMMANDS[sys.argv[1]](*sys.argv[2:]))
