# How many of nginx's workers are leaving. Names: nginx (its container).
all=$(workers "$nginx") && [ -n "$all" ] || fail "nginx's workers can't be listed"
printf '%s\n' "$all" | grep -c ' leaving$' || true
