# Traps and signals between processes.
PATH=$APPLETS
export PATH
trap 'echo got USR1' USR1
kill -USR1 $$
trap 'echo got TERM; term=1' TERM
(sleep 0.1; kill -TERM $$) &
term=0
n=0
while [ $term -eq 0 ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
echo "term $term"
wait
trap '' PIPE
trap 'echo bye' EXIT
sh -c 'kill -SEGV $$' 2>/dev/null
echo "segv $?"
sh -c 'trap "exit 7" INT; kill -INT $$; sleep 5'
echo "int $?"
trap - TERM
kill -TERM $$
