# Pipes, here-documents and the applets a script usually calls.
PATH=$APPLETS
export PATH
sort words.txt | uniq -c | sort -rn | head -n 12
cat text.txt | tr -cs 'a-zA-Z' '\n' | tr A-Z a-z | sort | uniq -c | sort -k1,1nr -k2 | head -n 10
awk '{ n += NF; for (i = 1; i <= NF; i++) len += length($i) } END { printf "%d words, %.4f letters a word\n", n, len / n }' text.txt
sha256sum data.bin text.txt
md5sum <data.bin
gzip -c data.bin | gunzip | cmp - data.bin && echo same after gzip
tar cf - tree | tar tf - | sort
cat <<END | sed 's/^/> /' | while read -r line; do echo "[$line]"; done
here is $((6 * 7))
and $(echo nested | tr a-z A-Z)
END
cat <<'END' | wc
nothing $expanded here
END
echo '2^64; 3 * (4 + 5); 100 / 7' | bc
seq 1 100 | awk '{ s += $1 } END { print s }'
seq 1 20 | xargs -n 5 echo
{ echo one; echo two >&2; } 2>&1 | sort
for f in text.txt words.txt nosuch.txt; do
    if [ -f "$f" ]; then wc -l <"$f"; else echo "no $f"; fi
done
yes | head -n 2000 | wc -l
dd if=data.bin bs=512 count=4 2>/dev/null | od -t x2 | tail -n 3
(cd tree && ls -R)
find tree -type f | sort | while read -r f; do echo "$f $(wc -c <"$f")"; done
false | true; echo "status $?"
cat nosuch.txt; echo "status $?"
