/* Two processes that send a byte to and fro through pipes. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    int a[2], b[2], status;
    char c = 0;
    if (pipe(a) || pipe(b)) return 1;
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 200000; i++) { if (read(a[0], &c, 1) != 1) _exit(1); c++; if (write(b[1], &c, 1) != 1) _exit(1); }
        _exit(0);
    }
    for (int i = 0; i < 200000; i++) { if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1) return 1; }
    waitpid(child, &status, 0);
    printf("%d %d\n", c, status);
    return 0;
}
