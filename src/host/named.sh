# Words such as NAME=VALUE, up to `--`, are variables from here on. The names are cutover's own.
while [ "$1" != -- ]; do eval "${1%%=*}=\${1#*=}"; shift; done
shift
