# Memcheck on a dynamic program, and a shell with children under the tool that only translates.
# Addresses and process numbers differ between runs.
shorten() { sed -E 's/==[0-9]+==/==PID==/; s/0x[0-9A-Fa-f]+/ADDRESS/g' | grep -vE 'Copyright|Command:|Memcheck,|Nulgrind,|Using Valgrind|Parent PID'; }
valgrind --leak-check=full /bin/ls -d tree text.txt 2>&1 | shorten
valgrind -q --tool=none --trace-children=yes /bin/bash -c 'for i in 1 2 3; do echo $i; done; /bin/cat numbers.txt | /usr/bin/wc -l; (exit 3); echo $?' 2>&1 | shorten
