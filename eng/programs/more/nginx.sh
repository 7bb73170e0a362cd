# A master and two workers on the loopback interface that serve the fixture; clients of busybox; an end in order.
mkdir -p www logs
cp text.txt big.txt www
cat >nginx.conf <<END
daemon off;
master_process on;
worker_processes 2;
user $(id -un) $(id -gn);
pid nginx.pid;
error_log logs/error.log notice;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path logs/a; proxy_temp_path logs/b; fastcgi_temp_path logs/c; uwsgi_temp_path logs/d; scgi_temp_path logs/e;
    gzip on; gzip_http_version 1.0; gzip_min_length 1; gzip_types text/plain;
    server {
        listen 127.0.0.1:$PORT;
        root www;
        location /say { return 200 "said\n"; }
        location /again { proxy_pass http://127.0.0.1:$PORT/say; }
    }
}
END
timeout -k 5 300 nginx -p "$PWD" -c nginx.conf &
server=$!
url=http://127.0.0.1:$PORT
for _ in $(seq 300); do busybox wget -q -O - "$url/say" >/dev/null 2>&1 && break; sleep 0.1; done
busybox wget -q -O - "$url/say"
busybox wget -q -O - "$url/again"
busybox wget -q -O - "$url/text.txt" | cmp - text.txt && echo same
busybox wget -q -O - "$url/big.txt" | sha256sum
for i in 1 2 3 4; do busybox wget -q -O - "$url/big.txt?$i" | cksum & done
wait %2 %3 %4 %5
printf 'GET /text.txt HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n' | busybox nc 127.0.0.1 "$PORT" | sed '1,/^\r$/d' | gzip -dc | cmp - text.txt && echo unpacked
busybox wget -q -O - "$url/nothing" 2>&1 | head -n 3
kill -HUP "$(cat nginx.pid)"
sleep 0.5
busybox wget -q -O - "$url/say"
kill -QUIT "$(cat nginx.pid)"
wait $server
echo "status $?"
rm -rf www logs nginx.conf nginx.pid
