# shellcheck shell=bash
# What the topic scripts are told of the system by their environment. Told nothing, they make a monolithic master.

ROLES=${ROLES:-master puppetdb console}
MASTER=${MASTER:-$(hostname -f)}
PUPPETDB=${PUPPETDB:-$MASTER}
CONSOLE=${CONSOLE:-$MASTER}
# Every host of the system: the master certifies them.
NODES=${NODES:-$MASTER}
# Where the master's layer keeps what it has certified; empty when the master is to be asked over the network.
AUTHORITY=${AUTHORITY-}

has() { [[ " $ROLES " == *" $1 "* ]]; }
