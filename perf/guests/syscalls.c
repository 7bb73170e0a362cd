/* System calls that do little. usage: syscalls [ROUNDS] */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 4800000;
    unsigned sum = 0;
    for (int i = 0; i < rounds; i++) sum += syscall(SYS_getppid) != 0;
    printf("%u\n", sum);
    return 0;
}
