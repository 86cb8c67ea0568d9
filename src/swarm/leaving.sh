# How many of nginx's workers are leaving. Names: nginx (its container).
all=$(workers "$nginx") && [ -n "$all" ] || { echo "nginx's workers can't be listed" >&2; exit 1; }
printf '%s\n' "$all" | grep -c ' leaving$' || true
