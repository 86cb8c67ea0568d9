# Undoes nginx-up. Names: service (nginx's).
for id in $(containers "$service"); do out=$(docker stop "$id" 2>&1) || fail "$out"; done
