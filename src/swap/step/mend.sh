# Makes a file that a power cut tore what it was before. Names: file.
[ -e "$state/conf.before" ] && is_torn "$file" || { rm -f "$state/conf.torn"; exit 0; }
rm -f "$state/conf.torn"
replace "$file" "$state/conf.before" in-place || fail "$file can't be written"
say mended 0 "$file"
