/* fork, exit, wait. usage: fork [ROUNDS] */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 1500;
    int sum = 0;
    for (int i = 0; i < rounds; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) _exit(i & 127);
        waitpid(child, &status, 0);
        sum += WEXITSTATUS(status);
    }
    printf("%d\n", sum);
    return 0;
}
