# The language of the shell itself: no external program.
fib() { if [ "$1" -lt 2 ]; then echo "$1"; else echo $(($(fib $(($1 - 1))) + $(fib $(($1 - 2))))); fi; }
echo "fib 9 is $(fib 9)"
i=0
sum=0
while [ $i -lt 3000 ]; do
    sum=$((sum + i * i % 7))
    i=$((i + 1))
done
echo "sum $sum"
case hello.tar.gz in *.tar.*) echo archive ;; *) echo other ;; esac
v=/usr/local/lib/name.so.1
echo "${v##*/} ${v%/*} ${v#/} ${v%%.*} ${#v} ${unset:-default} ${v:+set}"
set -- a 'b c' d
for x in "$@"; do echo "<$x>"; done
shift
echo "$# $1"
printf '%s-%04d-%x\n' abc 42 255
f() { local y=1; y=$((y + 1)); echo "local $y"; return 5; }
f
echo "returned $?"
trap 'echo leaving' EXIT
IFS=:
set -- $(echo a:b:c)
echo "$# $3"
unset IFS
(exit 3)
echo "subshell $?"
eval 'echo evaluated $((1 << 20))'
read -r first rest <<END
one two three
END
echo "$first|$rest"
echo "$(( -7 / 2 )) $(( -7 % 3 )) $(( 0x7fffffffffffffff )) $(( ~5 ))"
exec 3>out.txt
echo through three >&3
exec 3>&-
while read -r l; do echo "read: $l"; done <out.txt
echo *.txt
[ -d tree ] && [ ! -e nosuch ] && echo tests
exit 4
