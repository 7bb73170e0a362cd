/* Two processes that send a byte to and fro through pipes. usage: pipe [ROUNDS] */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 200000;
    int a[2], b[2], status;
    char c = 0;
    if (pipe(a) || pipe(b)) return 1;
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < rounds; i++) { if (read(a[0], &c, 1) != 1) _exit(1); c++; if (write(b[1], &c, 1) != 1) _exit(1); }
        _exit(0);
    }
    for (int i = 0; i < rounds; i++) { if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1) return 1; }
    waitpid(child, &status, 0);
    printf("%d %d\n", c, status);
    return 0;
}
