# C and C++ compiled, assembled, linked and run; a static library, a shared one and a dynamic load.
cp "$SCRIPTS"/more/*.c "$SCRIPTS"/more/*.cc .
set -e
gcc -O2 -Wall -c sum.c -o sum.o
ar rcs libsum.a sum.o
gcc -O1 -fPIC -shared plug.c -o plug.so
gcc -O2 main.c -L. -lsum -lm -pthread -o main
./main
readelf -h main | grep -E 'Class|Type'
nm libsum.a
objdump -d sum.o | sed '1,3d' | wc -l
strip main
./main one two | tail -n 1
g++ -O1 -std=c++17 -pthread main.cc -o maincc
./maincc
gcc -S -O2 -o - sum.c | grep -c .
echo 'int main(void) { return missing; }' >bad.c
! gcc bad.c -o bad
rm -f main maincc
