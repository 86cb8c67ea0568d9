# Undoes nginx-up. Words: nginx's service.
for id in $(containers "$1"); do out=$(docker stop "$id" 2>&1) || fail "$out"; done
