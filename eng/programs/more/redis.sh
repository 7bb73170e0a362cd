# A server on the loopback interface and on a socket in this folder, clients, a script, a snapshot, and an end in order.
timeout -k 5 300 redis-server --bind 127.0.0.1 --port "$PORT" --unixsocket "$PWD/socket" --save '' --enable-debug-command yes --dir "$PWD" --daemonize no --logfile redis.log &
server=$!
for _ in $(seq 300); do [ "$(redis-cli -s socket ping 2>/dev/null)" = PONG ] && break; sleep 0.1; done
redis-cli -s socket set name value
redis-cli -h 127.0.0.1 -p "$PORT" get name
for i in 1 2 3; do redis-cli -s socket rpush list "$i" "item $i"; done
seq 1 200 | sed 's/.*/set key:& value&/' | redis-cli -s socket | sort | uniq -c
printf 'incrby counter 41\r\nincr counter\r\nlrange list 0 -1\r\nhset h a 1 b 2\r\nhgetall h\r\nzadd z 3 c 1 a 2 b\r\nzrange z 0 -1 withscores\r\n' | redis-cli -h 127.0.0.1 -p "$PORT" --pipe | grep errors
redis-cli -s socket get counter
redis-cli -s socket eval 'local s = 0 for i = 1, 100 do s = s + i end return {s, redis.call("get", KEYS[1])}' 1 name
redis-cli -s socket zrange z 0 -1 withscores
redis-cli -s socket dbsize
redis-cli -s socket debug digest
redis-cli -s socket bgsave
for _ in $(seq 100); do [ "$(redis-cli -s socket info persistence | tr -d '\r' | sed -n 's/^rdb_bgsave_in_progress://p')" = 0 ] && break; sleep 0.1; done
redis-cli -s socket info persistence | tr -d '\r' | grep rdb_last_bgsave_status
redis-cli -s socket shutdown nosave
wait $server
echo "status $?"
grep -c 'ready to exit' redis.log
rm -f redis.log dump.rdb socket
