# An sshd of a test's own, on a free port of this machine: `load sshd` after
# `load records`.  sshd_setup starts it, and the hosts "there" and "else" of
# $SSH_CONFIG are this machine; sshd_teardown ends it and all that runs over it.
# It needs nothing of the machine's own sshd, and runs as any user, whose files
# for shells are not read.
# shellcheck shell=bash

# As long as no test takes: one whose shell was killed leaves nothing for ever.
SSHD_SECONDS=300

sshd_skip() {
    [ -x /usr/sbin/sshd ] || skip "sshd is not installed"
    command -v ssh >/dev/null || skip "ssh is not installed"
}

free_port() {
    "${PYTHON:-/usr/bin/python3}" -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# What a login there finds first in its PATH is $PWD/there-bin, which is empty
# but for strm: tests put other things there.  A command runs under the program
# $PWD/there-shell, if that exists, as under a login shell.
sshd_setup() {
    SSH_CONFIG=$PWD/"ssh/it's a config"
    mkdir ssh there-bin
    ln -s "$STRM" there-bin/strm
    ssh-keygen -q -t ed25519 -N '' -f ssh/host
    ssh-keygen -q -t ed25519 -N '' -f ssh/key
    cat >ssh/run <<'END'
#!/bin/sh
[ ! -x "$THERE/there-shell" ] || exec "$THERE/there-shell" -c "$SSH_ORIGINAL_COMMAND"
exec sh -c "$SSH_ORIGINAL_COMMAND"
END
    chmod +x ssh/run
    # As root sshd wants its empty directory, which an init script makes.
    if [ "$(id -u)" -eq 0 ]; then (umask 022 && mkdir -p /run/sshd); fi
    sshd_start
}

# On another port when that was taken meanwhile.
sshd_start() {
    local try

    for ((try = 0; try < 5; try++)); do
        SSH_PORT=$(free_port)
        sshd_config
        # timeout stays the parent, so that the process is our child.
        timeout -k 5 "$SSHD_SECONDS" /usr/sbin/sshd -D \
            -f "$PWD/ssh/sshd_config" -E "$PWD/ssh/log" 3>&- &
        SSHD=$!
        if eventually sshd_is_up; then return; fi
        kill "$SSHD" 2>/dev/null || :
    done
    cat ssh/log
    return 1
}

sshd_is_up() {
    [ -s ssh/pid ] && (: <"/dev/tcp/127.0.0.1/$SSH_PORT") 2>/dev/null
}

sshd_config() {
    cat >ssh/sshd_config <<END
Port $SSH_PORT
ListenAddress 127.0.0.1
HostKey $PWD/ssh/host
AuthorizedKeysFile $PWD/ssh/key.pub
PidFile $PWD/ssh/pid
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
UseDNS no
SetEnv HOME=$PWD PATH=$PWD/there-bin:/usr/bin:/bin THERE=$PWD
ForceCommand $PWD/ssh/run
END
    printf '[127.0.0.1]:%s %s\n' "$SSH_PORT" "$(<ssh/host.pub)" >ssh/known
    cat >"$SSH_CONFIG" <<END
Host box1
  HostName 127.0.0.1
  Port $SSH_PORT
  User $(id -un)
  IdentityFile $PWD/ssh/key
  IdentitiesOnly yes
  UserKnownHostsFile $PWD/ssh/known
  GlobalKnownHostsFile /dev/null
  LogLevel ERROR
END
}

# The processes of sshd that serve a connection.
sshd_connections() {
    pgrep -P "$(cat ssh/pid)"
}

# Cut every connection, as a network does: with no word to anyone.
sshd_cut() {
    local id

    for id in $(sshd_connections); do
        pkill -KILL -P "$id" || :
        kill -KILL "$id" 2>/dev/null || :
    done
}

# Take connections no more, and cut those there are.
sshd_stop() {
    if [ -s ssh/pid ]; then sshd_cut; fi
    kill "$SSHD" 2>/dev/null || :
    wait "$SSHD" 2>/dev/null || :
    rm -f ssh/pid
}

sshd_teardown() {
    [ -z "${SSHD-}" ] || sshd_stop
}
