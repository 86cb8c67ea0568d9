# Makes a file that a power cut tore what it was before. Words: the file.
[ -e "$state/conf.before" ] && is_torn "$1" || { rm -f "$state/conf.torn"; exit 0; }
rm -f "$state/conf.torn"
replace "$1" "$state/conf.before" in-place || fail "$1 can't be written"
say mended 0 "$1"
