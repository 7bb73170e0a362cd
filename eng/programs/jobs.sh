# Background processes and wait.
PATH=$APPLETS
export PATH
(sleep 0.1; exit 3) &
p=$!
wait $p
echo "waited $?"
for n in 1 2 3 4; do (echo "job $n" >job.$n) & done
wait
cat job.1 job.2 job.3 job.4
sleep 20 &
p=$!
kill $p
wait $p
echo "killed $?"
mkfifo fifo
(seq 1 500 >fifo) &
awk '{ s += $1 } END { print s }' <fifo
wait
echo "last $?"
r=$(sh -c 'echo child; exit 9'; echo "inner $?")
echo "$r"
nested() { if [ "$1" -gt 0 ]; then (nested $(($1 - 1))); else echo "bottom"; fi; }
nested 12
