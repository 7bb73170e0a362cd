/* A bytecode interpreter with one indirect jump per operation (computed goto). */
#include <stdio.h>
int main(void)
{
    enum { LOADI, ADD, XOR, SHR, MUL, DEC, JNZ, HALT };
    static const unsigned char program[] = {
        LOADI, 0, 1, LOADI, 1, 7, LOADI, 2, 3,
        /* 9: */ ADD, 0, 1, XOR, 1, 0, MUL, 0, 2, SHR, 3, 0, ADD, 1, 3, DEC, 4, 0, JNZ, 4, 9, HALT,
    };
    static const void *const jump[] = { &&loadi, &&add, &&xor, &&shr, &&mul, &&dec, &&jnz, &&halt };
    unsigned r[8] = { 0, 0, 0, 0, 40000000 };
    const unsigned char *pc = program;
#define NEXT do { pc += 3; goto *jump[pc[0]]; } while (0)
    goto *jump[pc[0]];
loadi: r[pc[1]] = pc[2]; NEXT;
add: r[pc[1]] += r[pc[2]]; NEXT;
xor: r[pc[1]] ^= r[pc[2]]; NEXT;
shr: r[pc[1]] = r[pc[2]] >> 3; NEXT;
mul: r[pc[1]] *= r[pc[2]]; NEXT;
dec: r[pc[1]]--; NEXT;
jnz: if (r[pc[1]]) { pc = program + pc[2]; goto *jump[pc[0]]; } NEXT;
halt:
    printf("%u %u\n", r[0], r[1]);
    return 0;
}
