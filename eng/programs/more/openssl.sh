# Keys, certificates, digests and ciphers, and a TLS server on the loopback interface with its client.
set -e
for d in md5 sha1 sha256 sha512 sha3-256 blake2b512; do openssl dgst "-$d" big.txt; done
for c in aes-128-cbc aes-256-ctr camellia-256-cbc chacha20; do
    openssl enc "-$c" -K 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f -iv 0f0e0d0c0b0a09080706050403020100 -in big.txt 2>/dev/null | sha256sum
done
openssl rand 32 | wc -c
openssl prime 1000000007
openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -new -key ca.key -subj /CN=authority -days 3 -out ca.pem
openssl genrsa -out server.key 2048 2>/dev/null
openssl req -new -key server.key -subj /CN=localhost -out server.csr
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 3 -out server.pem 2>&1 | sed 's/^subject= /subject=/'
openssl verify -CAfile ca.pem server.pem
echo signed >message
openssl dgst -sha256 -sign server.key -out signature message
openssl x509 -in server.pem -pubkey -noout >server.pub
openssl dgst -sha256 -verify server.pub -signature signature message
set +e
timeout -k 5 300 openssl s_server -accept "127.0.0.1:$PORT" -cert server.pem -key server.key -quiet -rev 2>server.log &
server=$!
for _ in $(seq 300); do (: <>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && break; sleep 0.1; done
mkfifo input
for version in tls1_2 tls1_3; do
    timeout 120 openssl s_client -connect "127.0.0.1:$PORT" -CAfile ca.pem "-$version" -brief <input >answer 2>&1 &
    exec 3>input
    echo "across $version" >&3
    for _ in $(seq 600); do grep -q ssorca answer && break; sleep 0.1; done
    exec 3>&-
    wait $!
    grep -E '^(CONN|Protocol|Verif|Ciphersuite|[a-z0-9_.]+ ssorca)' answer
done
kill $server
wait $server 2>/dev/null
rm -f ./*.key ./*.pem ./*.csr ./*.pub message signature server.log input answer
