#!/usr/bin/env bats
# What holds for strm itself and for every command: help, version, wrong
# lines, other programs, completions.
# shellcheck disable=SC2016  # what is quoted is for another shell
# shellcheck disable=SC2030,SC2031  # each test is a process, as it should be

load helper

# "topic create" and so on, one a line, and an empty line for strm itself.
all_commands() {
    local -a words
    local sub

    read -ra words <<<"${1-}"
    echo "${1-}"
    strm "${words[@]}" --cli-dump | awk -F '\t' '$5 == "command" { print $3 }' |
        while read -r sub; do
            all_commands "${1:+$1 }$sub"
        done
}

# for_all FUNCTION: call it with the words of each command.
for_all() {
    local name
    local -a words

    while read -r name; do
        read -ra words <<<"$name"
        "$1" "${words[@]}" || {
            echo "command: $name"
            return 1
        }
    done < <(all_commands)
}

@test "help lists every command in a line" {
    run -0 --separate-stderr strm --help
    [ -z "$stderr" ]
    for command in produce consume tail topic help; do
        grep -q "^  $command  *[A-Z].*\.$" <<<"$output"
    done
    help=$output
    run -0 strm -h
    [ "$output" = "$help" ]
    run -0 strm help
    [ "$output" = "$help" ]
}

has_help() {
    local by_option

    by_option=$(strm "$@" --help </dev/null) &&
        [ "$(strm help "$@")" = "$by_option" ] &&
        [ "$(strm "$@" -h)" = "$by_option" ] &&
        [[ $by_option == "usage: strm"*"-C, --store"*"-h, --help"* ]] &&
        ! awk 'length > 80' <<<"$by_option" | grep .
}

@test "every command has help, the same by every way" {
    for_all has_help
    run -0 strm help topic create
    [[ $output == "usage: strm topic create "* ]]
}

has_version() {
    [ "$(strm "$@" --version)" = "$version" ]
}

@test "every command prints the version" {
    version=$(strm --version)
    [[ $version =~ ^strm\ [0-9]+\.[0-9]+\.[0-9]+ ]]
    for_all has_version
}

loses_output() {
    run bash -c 'strm "$@" --help >/dev/full' bash "$@"
    [ "$status" -eq 6 ] &&
        [ "$output" = "strm: standard output: No space left on device" ]
}

@test "help and version that are not written are exit 6" {
    for_all loses_output
    run bash -c 'strm --version >/dev/full'
    [ "$status" -eq 6 ]
    run bash -c 'strm --help >&-'
    [ "$status" -eq 6 ]
}

refuses_unknown_options() {
    local where=${*:+"$* "}

    refuses 2 "unknown option --no-such" strm "$@" --no-such &&
        [[ $stderr == *"usage: strm $where"* ]] &&
        refuses 2 "unknown option -@" strm "$@" -@ &&
        refuses 2 "did you mean --version?" strm "$@" --verzion
}

@test "a wrong option is exit 2 for every command, with the synopsis" {
    for_all refuses_unknown_options
}

@test "a missing or surplus word is exit 2" {
    refuses 2 "no command given" strm
    refuses 2 "no command given" strm -C "$STRM_DIR"
    refuses 2 "--store needs an argument" strm -C
    refuses 2 "no command given" strm topic
    refuses 2 "produce: too few arguments" strm produce
    refuses 2 "consume: too few arguments" strm consume
    refuses 2 "tail: too few arguments" strm tail
    refuses 2 "topic create: too few arguments" strm topic create
    refuses 2 'unexpected argument "x"' strm topic ls -- x
    refuses 2 'unexpected argument "x"' strm help produce x
    refuses 2 "--quiet takes no argument" strm consume orders --quiet=1
}

@test "an unknown command is exit 2 and names the nearest" {
    refuses 2 'unknown command "consum"; did you mean consume?' strm consum
    refuses 2 'unknown command "no-such"' strm no-such
    refuses 2 'did you mean create?' strm topic crate
    refuses 2 'unknown command "no-such"' strm help no-such
    refuses 2 'topic: unknown command "no-such"' strm help topic no-such
    refuses 2 'unknown command ""' strm ""
}

@test "what was typed is escaped in messages" {
    refuses 2 'unknown command "\x1b[31m\n\xff"' strm $'\e[31m\n\xff'
}

other_program() {
    cat >"$BATS_TEST_TMPDIR/bin/strm-other" <<'EOF'
#!/bin/sh
echo "$0 $STRM_DIR" "$#" "$@"
exit 17
EOF
    chmod +x "$BATS_TEST_TMPDIR/bin/strm-other"
}

@test "a command that is not built in runs strm-COMMAND" {
    other_program
    run -17 --separate-stderr strm other -C x --help 'a b'
    [ "$output" = "$BATS_TEST_TMPDIR/bin/strm-other $STRM_DIR 4 -C x --help a b" ]
    [ -z "$stderr" ]
    run -17 strm help other
    [[ $output == *" 1 --help" ]]
}

@test "only the PATH is looked at for other programs" {
    mkdir dir "dir/strm-x"
    printf '#!/bin/sh\necho ran\n' >strm-here
    cp strm-here strm-x
    chmod +x strm-here strm-x
    refuses 2 'unknown command "here"' strm here
    refuses 2 'unknown command "x/../../strm-here"' strm x/../../strm-here
}

@test "the store is -C, else STRM_DIR, else the current directory" {
    other_program
    run -17 strm -C /a/b other
    [[ $output == *" /a/b 0" ]]
    run -17 strm --store=/a/b other
    [[ $output == *" /a/b 0" ]]
    run -17 strm other
    [[ $output == *" $STRM_DIR 0" ]]
    run -17 env -u STRM_DIR strm other
    [[ $output == *" . 0" ]]
    run -17 env STRM_DIR= strm other
    [[ $output == *" . 0" ]]
}

@test "a store that is not there is exit 4, before or after the command" {
    refuses 4 "" strm -C "$BATS_TEST_TMPDIR/none" topic ls
    refuses 4 "" strm topic ls -C "$BATS_TEST_TMPDIR/none"
    refuses 4 "" strm consume orders -C "$BATS_TEST_TMPDIR/none"
}

has_each_option_once() {
    ! strm "$@" --cli-dump | awk -F '\t' '
        NF != 6 { print "fields: " $0 }
        $5 == "command" || $5 == "arguments" { next }
        seen["--" $3]++ { print "twice: --" $3 }
        $2 != "-" && seen["-" $2]++ { print "twice: -" $2 }
        $6 ~ /^[A-Z][a-z]|\.$/ { print "not a phrase: " $6 }' | grep .
}

@test "no command has a letter or a name twice" {
    for_all has_each_option_once
}

# One letter, one meaning, in every tool: what has both is always a pair.  But for
# -o: consume has it from kcat, archive from every program that makes a file.
@test "a letter stands for the same long name in every command" {
    run -0 for_all dump
    run -0 awk -F '\t' '
        $1 == "strm archive" && $2 == "o" { next }
        $2 != "-" && ($2 in name) && name[$2] != $3 { print $0, name[$2] }
        $2 != "-" { name[$2] = $3 }' <<<"$output"
    [ -z "$output" ]
}

dump() {
    strm "$@" --cli-dump
}

@test "the completions are what the tables say" {
    "$BATS_TEST_DIRNAME/../../completions/generate" --check
}

# complete LINE: the words that bash would offer, on one line.
complete_bash() {
    env -u BASH_ENV bash --norc -c '
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2}
        read -ra COMP_WORDS <<<"$2"
        [[ $2 == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _strm
        echo "${COMPREPLY[*]}"
    ' bash "$BATS_TEST_DIRNAME/../../completions/strm.bash" "$1"
}

@test "bash completes without help from other packages" {
    strm topic create orders </dev/null
    mkdir data
    touch data/file
    [ "$(complete_bash 'strm prod')" = produce ]
    [ "$(complete_bash 'strm topic cr')" = create ]
    [ "$(complete_bash 'strm -C data topic cr')" = create ]
    [[ " $(complete_bash 'strm ') " == *" consume "*" topic "* ]]
    [ "$(complete_bash 'strm consume --isol')" = --isolation ]
    [ "$(complete_bash 'strm consume --isolation=unc')" = uncommitted ]
    [ "$(complete_bash 'strm consume -i unc')" = uncommitted ]
    [ "$(complete_bash 'strm consume or')" = orders ]
    [ "$(complete_bash 'strm consume -q or')" = orders ]
    [ "$(complete_bash 'strm topic rm or')" = orders ]
    [ "$(complete_bash 'strm consume data/f')" = data/file ]
    [ "$(complete_bash 'strm produce orders data/f')" = data/file ]
    [ "$(complete_bash 'strm consume -C da')" = data ]
    [ "$(complete_bash 'strm help to')" = topic ]
    [ -z "$(complete_bash 'strm consume orders@-1')" ]
    [ -z "$(complete_bash 'strm no-such ')" ]
}

@test "fish completes" {
    command -v fish >/dev/null || skip "no fish"
    strm topic create orders </dev/null
    run -0 env HOME="$BATS_TEST_TMPDIR" fish --no-config -c '
        source $argv[1]
        complete -C "strm prod"
        complete -C "strm topic cr"
        complete -C "strm consume or"
        complete -C "strm consume -i unc"
    ' "$BATS_TEST_DIRNAME/../../completions/strm.fish"
    [[ ${lines[0]} == produce* ]]
    [[ ${lines[1]} == create* ]]
    [[ ${lines[2]} == orders* ]]
    [[ ${lines[3]} == uncommitted* ]]
}

@test "zsh takes the completion file" {
    command -v zsh >/dev/null || skip "no zsh"
    zsh -n "$BATS_TEST_DIRNAME/../../completions/_strm"
}
