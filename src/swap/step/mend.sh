# Makes a file that a power cut tore what it was before. Names: file, how (in-place or sudo), n (`.2` of the second one, '' of the first).
[ -e "$state/conf.before$n" ] && is_torn "$file" "$n" || { rm -f "$state/conf.torn"; exit 0; }
rm -f "$state/conf.torn"
replace "$file" "$state/conf.before$n" "$how" || fail "$file can't be written"
say mended 0 "$file"
