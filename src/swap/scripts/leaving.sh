# How many of nginx's workers are leaving. Words: nginx's container.
all=$(workers "$1") && [ -n "$all" ] || fail "nginx's workers can't be listed"
printf '%s\n' "$all" | grep -c ' leaving$' || true
