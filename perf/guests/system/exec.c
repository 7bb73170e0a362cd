/* fork, exec of a small static program (this one), wait. usage: exec ROUNDS */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    int sum = 0, rounds = atoi(argv[1]);
    if (argc > 2) return rounds & 127;
    for (int i = 0; i < rounds; i++) {
        char number[12];
        int status;
        snprintf(number, sizeof number, "%d", i);
        pid_t child = fork();
        if (child == 0) {
            execl("/proc/self/exe", argv[0], number, "child", (char *)0);
            _exit(127);
        }
        waitpid(child, &status, 0);
        sum += WEXITSTATUS(status);
    }
    printf("%d\n", sum);
    return 0;
}
