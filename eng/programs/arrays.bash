# What bash has beyond the POSIX shell.
declare -A count
while read -r w; do ((count[$w]++)); done <words.txt
for w in "${!count[@]}"; do echo "$w ${count[$w]}"; done | LC_ALL=C sort
a=(one two three "four five")
echo "${#a[@]} ${a[-1]} ${a[@]:1:2}"
a+=(six)
printf '<%s>' "${a[@]}"
echo
[[ "foo123bar" =~ ([a-z]+)([0-9]+) ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
s='Hello World'
echo "${s,,} ${s^^} ${s/World/There} ${s:6:3}"
for ((i = 0; i < 5; i++)); do printf '%d ' $((i ** 3)); done
echo
mapfile -t lines <numbers.txt
echo "${#lines[@]} ${lines[3]}"
printf -v v '%05.2f' 3.14159
echo "$v $((16#ff)) $((2#1011)) $RANDOM" | cut -d ' ' -f 1-3
f() { local -n ref=$1; ref=changed; }
x=before
f x
echo "$x"
sieve() { local n=$1 i j; local -a s; for ((i = 2; i <= n; i++)); do if [[ -z ${s[i]} ]]; then printf '%d ' "$i"; for ((j = i * i; j <= n; j += i)); do s[j]=1; done; fi; done; echo; }
sieve 300
coproc cat
echo "to the coprocess" >&"${COPROC[1]}"
read -r -u "${COPROC[0]}" line
echo "$line"
exec {COPROC[1]}>&-
wait
echo "${PIPESTATUS[@]}"
true | false | true
echo "${PIPESTATUS[@]}"
